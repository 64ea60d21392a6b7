//! `aes128-ctr`, `aes192-ctr`, `aes256-ctr` with a MAC of their own. RFC 4344 §4, RFC 4253 §6.4, OpenSSH PROTOCOL §1.6.
//! Touches: one packet in place.   Never: which MAC was negotiated with whom.
//! Invariants: the key stream runs on from packet to packet; with encrypt-then-MAC nothing is decrypted before the tag is checked.
//! Errors: none; a wrong tag is `false`.   Allocates: never after construction.
//! Proved by: `cipher::tests`.

use aes::{Aes128, Aes192, Aes256};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};

use super::LENGTH_LEN;
use crate::MacAlgorithm;
use crate::mac::MacKey;

pub(super) const BLOCK_LEN: usize = 16;

pub(super) struct AesCtrHmac {
    stream: KeyStream,
    mac: Option<MacKey>,
    /// Encrypt-then-MAC: the length stays readable, the tag covers the ciphertext.
    encrypt_then_mac: bool,
}

impl AesCtrHmac {
    pub(super) fn new(key: &[u8], iv: &[u8], mac: Option<MacAlgorithm>, mac_key: &[u8]) -> Self {
        Self {
            stream: KeyStream::new(key, iv),
            mac: mac.map(|mac| mac.keyed(&mac_key[..mac.key_len()])),
            encrypt_then_mac: mac.is_some_and(MacAlgorithm::is_encrypt_then_mac),
        }
    }

    pub(super) fn tag_len(&self) -> usize {
        self.mac.as_ref().map_or(0, MacKey::tag_len)
    }

    pub(super) const fn length_is_encrypted(&self) -> bool {
        !self.encrypt_then_mac
    }

    pub(super) const fn head_len(&self) -> usize {
        if self.encrypt_then_mac { LENGTH_LEN } else { BLOCK_LEN }
    }

    pub(super) fn seal(&mut self, seq: u32, body: &mut [u8], tag: &mut [u8]) {
        if self.encrypt_then_mac {
            self.stream.apply(&mut body[LENGTH_LEN..]);
            self.write_tag(seq, body, tag);
        } else {
            self.write_tag(seq, body, tag);
            self.stream.apply(body);
        }
    }

    /// Decrypts the block that holds the length, unless that is readable.
    pub(super) fn open_head(&mut self, head: &mut [u8]) {
        if !self.encrypt_then_mac {
            self.stream.apply(&mut head[..BLOCK_LEN]);
        }
    }

    pub(super) fn open(&mut self, seq: u32, body: &mut [u8], tag: &[u8]) -> bool {
        if self.encrypt_then_mac {
            let genuine = self.verify(seq, body, tag);
            if genuine {
                self.stream.apply(&mut body[LENGTH_LEN..]);
            }
            genuine
        } else {
            // The tag covers the plaintext, so that has to be there first; the caller zeroes it if this fails.
            self.stream.apply(&mut body[BLOCK_LEN..]);
            self.verify(seq, body, tag)
        }
    }

    fn write_tag(&self, seq: u32, body: &[u8], tag: &mut [u8]) {
        if let Some(mac) = &self.mac {
            mac.tag(seq, body, tag);
        }
    }

    fn verify(&self, seq: u32, body: &[u8], tag: &[u8]) -> bool {
        self.mac.as_ref().is_none_or(|mac| mac.verify(seq, body, tag))
    }
}

enum KeyStream {
    Aes128(Ctr128BE<Aes128>),
    Aes192(Ctr128BE<Aes192>),
    Aes256(Ctr128BE<Aes256>),
}

impl KeyStream {
    fn new(key: &[u8], iv: &[u8]) -> Self {
        let fits = "sizes come from the algorithm's table";
        match key.len() {
            16 => Self::Aes128(Ctr128BE::new_from_slices(key, iv).expect(fits)),
            24 => Self::Aes192(Ctr128BE::new_from_slices(key, iv).expect(fits)),
            _ => Self::Aes256(Ctr128BE::new_from_slices(key, iv).expect(fits)),
        }
    }

    fn apply(&mut self, bytes: &mut [u8]) {
        match self {
            Self::Aes128(stream) => stream.apply_keystream(bytes),
            Self::Aes192(stream) => stream.apply_keystream(bytes),
            Self::Aes256(stream) => stream.apply_keystream(bytes),
        }
    }
}

//! Primitives from pure Rust crates.
//! Touches: byte slices.   Never: SSH.
//! Invariants: sizes are those of the types; tags are compared in constant time before anything is decrypted.
//! Errors: none; what fails is `false` or `None`.   Allocates: never.
//! Proved by: the tests of the modules that use it, `cipher::tests` against ring.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use poly1305::Poly1305;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes from the operating system.
pub(crate) fn system_random(out: &mut [u8]) {
    getrandom::fill(out).expect("the operating system gives random bytes");
}

/// AES-GCM with a nonce per call.
pub(crate) enum Gcm {
    Aes128(Aes128Gcm),
    Aes256(Aes256Gcm),
}

impl Gcm {
    /// AES-128 or AES-256 by the length of `key`.
    pub(crate) fn new(key: &[u8]) -> Self {
        let fits = "a key has 16 or 32 bytes";
        match key.len() {
            16 => Self::Aes128(Aes128Gcm::new_from_slice(key).expect(fits)),
            _ => Self::Aes256(Aes256Gcm::new_from_slice(key).expect(fits)),
        }
    }

    /// Encrypts `text` and gives its tag.
    pub(crate) fn seal(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let tag = match self {
            Self::Aes128(key) => key.encrypt_inout_detached(&nonce.into(), aad, text.into()),
            Self::Aes256(key) => key.encrypt_inout_detached(&nonce.into(), aad, text.into()),
        };
        tag.expect("a packet is shorter than AES-GCM's 64 GiB").into()
    }

    /// Decrypts `text` if the tag is genuine.
    pub(crate) fn open(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8], tag: [u8; 16]) -> bool {
        let opened = match self {
            Self::Aes128(key) => {
                key.decrypt_inout_detached(&nonce.into(), aad, text.into(), &tag.into())
            }
            Self::Aes256(key) => {
                key.decrypt_inout_detached(&nonce.into(), aad, text.into(), &tag.into())
            }
        };
        opened.is_ok()
    }
}

/// chacha20-poly1305@openssh.com
pub(crate) struct ChaChaPoly {
    /// K_2, the first half: payload and tag.
    text: Zeroizing<[u8; 32]>,
    /// K_1, the second half: the length alone.
    length: Zeroizing<[u8; 32]>,
}

impl ChaChaPoly {
    pub(crate) fn new(key: &[u8; 64]) -> Self {
        let (mut text, mut length) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        text.copy_from_slice(&key[..32]);
        length.copy_from_slice(&key[32..]);
        Self { text, length }
    }

    /// Encrypts length and text, and gives the tag.
    pub(crate) fn seal(&self, seq: u32, packet: &mut [u8]) -> [u8; 16] {
        let (mut stream, tag_key) = self.text_stream(seq);
        let (length, text) = packet.split_at_mut(4);
        stream_of(&self.length, seq).apply_keystream(length);
        stream.apply_keystream(text);
        Poly1305::new(&(*tag_key).into()).compute_unpadded(packet).into()
    }

    /// The length in the clear.
    pub(crate) fn open_length(&self, seq: u32, mut length: [u8; 4]) -> [u8; 4] {
        stream_of(&self.length, seq).apply_keystream(&mut length);
        length
    }

    /// Decrypts the text behind the length if the tag is genuine.
    pub(crate) fn open(&self, seq: u32, packet: &mut [u8], tag: [u8; 16]) -> bool {
        let (mut stream, tag_key) = self.text_stream(seq);
        let expected = Poly1305::new(&(*tag_key).into()).compute_unpadded(packet);
        let genuine = bool::from(expected.as_slice().ct_eq(&tag));
        if genuine {
            stream.apply_keystream(&mut packet[4..]);
        }
        genuine
    }

    /// The key stream for the text, from its second block on, and Poly1305's key out of the first.
    fn text_stream(&self, seq: u32) -> (ChaCha20, Zeroizing<[u8; 32]>) {
        let mut stream = stream_of(&self.text, seq);
        let mut first = Zeroizing::new([0; 64]);
        stream.apply_keystream(&mut *first);
        let mut tag_key = Zeroizing::new([0; 32]);
        tag_key.copy_from_slice(&first[..32]);
        (stream, tag_key)
    }
}

/// The original ChaCha20 has 64 bits each of counter and nonce. RFC 8439's has a 32-bit counter and a nonce of 96,
/// whose first 32 are the upper half of that counter: zero, since no packet has 2^32 blocks.
fn stream_of(key: &[u8; 32], seq: u32) -> ChaCha20 {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&seq.to_be_bytes());
    ChaCha20::new(&(*key).into(), &nonce.into())
}

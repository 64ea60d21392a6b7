//! chacha20-poly1305@openssh.com on RustCrypto's ChaCha20 and Poly1305. OpenSSH PROTOCOL.chacha20poly1305.
//! Touches: one packet in place.   Never: names.
//! Invariants: the tag is compared in constant time before anything is decrypted.
//! Errors: none; a wrong tag is `false`.   Allocates: never.
//! Proved by: `cipher::tests` (recorded packets, ring's implementation).

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit, UniversalHash};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

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
        tag_of(&tag_key, packet)
    }

    /// The length in the clear.
    pub(crate) fn open_length(&self, seq: u32, mut length: [u8; 4]) -> [u8; 4] {
        stream_of(&self.length, seq).apply_keystream(&mut length);
        length
    }

    /// Decrypts the text behind the length if the tag is genuine.
    pub(crate) fn open(&self, seq: u32, packet: &mut [u8], tag: [u8; 16]) -> bool {
        let (mut stream, tag_key) = self.text_stream(seq);
        let genuine = bool::from(tag_of(&tag_key, packet).ct_eq(&tag));
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

/// Poly1305 of length and text, both encrypted.
fn tag_of(key: &[u8; 32], packet: &[u8]) -> [u8; 16] {
    let mut mac = Poly1305::new(&(*key).into());
    // Whole blocks first: of these the crate takes several at a time, of an odd length it does not.
    let (blocks, rest) = packet.split_at(packet.len() - packet.len() % 16);
    mac.update_padded(blocks);
    mac.compute_unpadded(rest).into()
}

/// The original ChaCha20 has 64 bits each of counter and nonce. RFC 8439's has a 32-bit counter and a nonce of 96,
/// whose first 32 are the upper half of that counter: zero, since no packet has 2^32 blocks.
fn stream_of(key: &[u8; 32], seq: u32) -> ChaCha20 {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&seq.to_be_bytes());
    ChaCha20::new(&(*key).into(), &nonce.into())
}

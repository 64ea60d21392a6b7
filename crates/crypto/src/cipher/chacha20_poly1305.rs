//! `chacha20-poly1305@openssh.com`. OpenSSH PROTOCOL.chacha20poly1305.
//! Touches: one packet in place.   Never: an IV; the sequence number is the nonce.
//! Invariants: the tag is checked before anything is decrypted; the length has a key of its own.
//! Errors: none; a wrong tag is `false`.   Allocates: never.
//! Proved by: `cipher::tests`, the two back ends against each other.

use super::LENGTH_LEN;
use crate::backend::ChaChaPoly;

pub(super) const TAG_LEN: usize = 16;

pub(super) struct ChaCha20Poly1305(ChaChaPoly);

impl ChaCha20Poly1305 {
    pub(super) fn new(key: &[u8]) -> Self {
        Self(ChaChaPoly::new(key.try_into().expect("a key has 64 bytes")))
    }

    pub(super) fn seal(&self, seq: u32, body: &mut [u8], tag: &mut [u8]) {
        tag.copy_from_slice(&self.0.seal(seq, body));
    }

    pub(super) fn open_length(&self, seq: u32, length: [u8; LENGTH_LEN]) -> [u8; LENGTH_LEN] {
        self.0.open_length(seq, length)
    }

    pub(super) fn open(&self, seq: u32, body: &mut [u8], tag: &[u8]) -> bool {
        tag.try_into().is_ok_and(|tag| self.0.open(seq, body, tag))
    }
}

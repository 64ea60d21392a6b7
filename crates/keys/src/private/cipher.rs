//! The ciphers key files are under, by every name the formats have for them. RFC 4253 §6.3, RFC 1423, RFC 8018 §B.2.
//! Touches: bytes in place.   Never: passphrases; keys come derived.
//! Invariants: one row per cipher; key and iv have the lengths of their row.
//! Errors: `Cause`.   Allocates: never.
//! Proved by: `tests` of `private`, a file under each.

use aes::{Aes128, Aes256};
use cbc::Decryptor as Cbc;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, StreamCipher};
use ctr::Ctr128BE;
use des::TdesEde3;
use zeroize::Zeroizing;

use super::Cause;
#[cfg(feature = "rare-ciphers")]
use super::rare::{Aes128Gcm, Aes192, Aes256Gcm, chacha20_poly1305, sealed};

/// A cipher and the lengths that go with it, in bytes.
pub(super) struct Cipher {
    /// In OpenSSH's format.
    pub(super) ssh: &'static str,
    /// In PEM's DEK-Info.
    pub(super) pem: Option<&'static str>,
    /// In PBES2, the object identifier's content.
    pub(super) oid: Option<&'static [u8]>,
    pub(super) key: usize,
    pub(super) iv: usize,
    pub(super) block: usize,
    pub(super) tag: usize,
    decrypt: Decrypt,
}

/// Decrypts in place: key, iv, text, tag.
type Decrypt = fn(&[u8], &[u8], &mut [u8], &[u8]) -> Result<(), Cause>;

/// What is usual; with `rare-ciphers` all that `ssh-keygen -Z` takes.
#[rustfmt::skip]
const CIPHERS: &[Cipher] = &[
    Cipher { ssh: "none", pem: None, oid: None, key: 0, iv: 0, block: 8, tag: 0, decrypt: |_, _, _, _| Ok(()) },
    Cipher { ssh: "aes256-ctr", pem: None, oid: None, key: 32, iv: 16, block: 16, tag: 0, decrypt: stream::<Ctr128BE<Aes256>> },
    #[cfg(feature = "rare-ciphers")]
    Cipher { ssh: "aes192-ctr", pem: None, oid: None, key: 24, iv: 16, block: 16, tag: 0, decrypt: stream::<Ctr128BE<Aes192>> },
    Cipher { ssh: "aes128-ctr", pem: None, oid: None, key: 16, iv: 16, block: 16, tag: 0, decrypt: stream::<Ctr128BE<Aes128>> },
    Cipher { ssh: "aes256-cbc", pem: Some("AES-256-CBC"), oid: Some(b"\x60\x86\x48\x01\x65\x03\x04\x01\x2a"), key: 32, iv: 16, block: 16, tag: 0, decrypt: blocks::<Cbc<Aes256>> },
    #[cfg(feature = "rare-ciphers")]
    Cipher { ssh: "aes192-cbc", pem: Some("AES-192-CBC"), oid: Some(b"\x60\x86\x48\x01\x65\x03\x04\x01\x16"), key: 24, iv: 16, block: 16, tag: 0, decrypt: blocks::<Cbc<Aes192>> },
    Cipher { ssh: "aes128-cbc", pem: Some("AES-128-CBC"), oid: Some(b"\x60\x86\x48\x01\x65\x03\x04\x01\x02"), key: 16, iv: 16, block: 16, tag: 0, decrypt: blocks::<Cbc<Aes128>> },
    Cipher { ssh: "3des-cbc", pem: Some("DES-EDE3-CBC"), oid: Some(b"\x2a\x86\x48\x86\xf7\x0d\x03\x07"), key: 24, iv: 8, block: 8, tag: 0, decrypt: blocks::<Cbc<TdesEde3>> },
    #[cfg(feature = "rare-ciphers")]
    Cipher { ssh: "aes256-gcm@openssh.com", pem: None, oid: None, key: 32, iv: 12, block: 16, tag: 16, decrypt: sealed::<Aes256Gcm> },
    #[cfg(feature = "rare-ciphers")]
    Cipher { ssh: "aes128-gcm@openssh.com", pem: None, oid: None, key: 16, iv: 12, block: 16, tag: 16, decrypt: sealed::<Aes128Gcm> },
    #[cfg(feature = "rare-ciphers")]
    Cipher { ssh: "chacha20-poly1305@openssh.com", pem: None, oid: None, key: 64, iv: 0, block: 8, tag: 16, decrypt: chacha20_poly1305 },
];

impl Cipher {
    /// The first cipher for which `is_meant` holds.
    pub(super) fn find(is_meant: impl Fn(&Self) -> bool) -> Result<&'static Self, Cause> {
        CIPHERS.iter().find(|row| is_meant(row)).ok_or(Cause::UnsupportedCipher)
    }

    /// Decrypts whole blocks in place, and checks the tag where there is one.
    pub(super) fn decrypt(
        &self,
        key: &[u8],
        iv: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Cause> {
        (self.decrypt)(key, iv, text, tag)
    }

    /// Decrypts a copy of `text` and takes the padding of RFC 8018 §6.1.1 off: n bytes of value n.
    pub(super) fn decrypt_padded(
        &self,
        key: &[u8],
        iv: &[u8],
        text: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Cause> {
        let mut plain = Zeroizing::new(text.to_vec());
        self.decrypt(key, iv, &mut plain, &[])?;
        let count = plain.last().copied().map_or(0, usize::from);
        let length = plain.len().checked_sub(count).ok_or(Cause::WrongPassphrase)?;
        let padded = plain[length..].iter().all(|byte| usize::from(*byte) == count);
        if !padded || count == 0 || count > self.block {
            return Err(Cause::WrongPassphrase);
        }
        plain.truncate(length);
        Ok(plain)
    }
}

fn stream<C: KeyIvInit + StreamCipher>(
    key: &[u8],
    iv: &[u8],
    text: &mut [u8],
    _tag: &[u8],
) -> Result<(), Cause> {
    let mut cipher = C::new_from_slices(key, iv).map_err(|_| Cause::InvalidFormat)?;
    cipher.apply_keystream(text);
    Ok(())
}

fn blocks<C: KeyIvInit + BlockModeDecrypt>(
    key: &[u8],
    iv: &[u8],
    text: &mut [u8],
    _tag: &[u8],
) -> Result<(), Cause> {
    let cipher = C::new_from_slices(key, iv).map_err(|_| Cause::InvalidFormat)?;
    cipher.decrypt_padded::<NoPadding>(text).map(drop).map_err(|_| Cause::InvalidFormat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_padding_is_taken_off() {
        let none = Cipher::find(|row| row.ssh == "none").unwrap();
        let unpad =
            |text: &[u8]| none.decrypt_padded(&[], &[], text).ok().map(|plain| plain.to_vec());
        assert_eq!(unpad(b"text\x01"), Some(b"text".to_vec()));
        assert_eq!(unpad(b"text\x03\x03\x03"), Some(b"text".to_vec()));
        assert_eq!(unpad(&[8; 8]), Some(Vec::new()));
        for text in [&b""[..], b"text", b"text\0", b"\x02", b"text\x01\x02", &[9; 18]] {
            assert_eq!(unpad(text), None, "{text:?}");
        }
    }
}

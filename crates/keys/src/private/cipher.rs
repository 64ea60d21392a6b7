//! The ciphers key files are under, by every name the formats have for them. RFC 4253 §6.3, RFC 1423, RFC 8018 §B.2.
//! Touches: bytes in place.   Never: passphrases; keys come derived.
//! Invariants: one row per cipher; key and iv have the lengths of their row.
//! Errors: `Cause`.   Allocates: never.
//! Proved by: `tests` of `private`, a file under each.

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use cbc::Decryptor as Cbc;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyInit, KeyIvInit, StreamCipher};
use chacha20::ChaCha20;
use ctr::Ctr128BE;
use des::TdesEde3;
use poly1305::Poly1305;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Cause;

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

/// All that `ssh-keygen -Z` takes, and with it all that is usual elsewhere.
#[rustfmt::skip]
const CIPHERS: [Cipher; 11] = [
    Cipher { ssh: "none", pem: None, oid: None, key: 0, iv: 0, block: 8, tag: 0, decrypt: |_, _, _, _| Ok(()) },
    Cipher { ssh: "aes256-ctr", pem: None, oid: None, key: 32, iv: 16, block: 16, tag: 0, decrypt: stream::<Ctr128BE<Aes256>> },
    Cipher { ssh: "aes192-ctr", pem: None, oid: None, key: 24, iv: 16, block: 16, tag: 0, decrypt: stream::<Ctr128BE<Aes192>> },
    Cipher { ssh: "aes128-ctr", pem: None, oid: None, key: 16, iv: 16, block: 16, tag: 0, decrypt: stream::<Ctr128BE<Aes128>> },
    Cipher { ssh: "aes256-cbc", pem: Some("AES-256-CBC"), oid: Some(b"\x60\x86\x48\x01\x65\x03\x04\x01\x2a"), key: 32, iv: 16, block: 16, tag: 0, decrypt: blocks::<Cbc<Aes256>> },
    Cipher { ssh: "aes192-cbc", pem: Some("AES-192-CBC"), oid: Some(b"\x60\x86\x48\x01\x65\x03\x04\x01\x16"), key: 24, iv: 16, block: 16, tag: 0, decrypt: blocks::<Cbc<Aes192>> },
    Cipher { ssh: "aes128-cbc", pem: Some("AES-128-CBC"), oid: Some(b"\x60\x86\x48\x01\x65\x03\x04\x01\x02"), key: 16, iv: 16, block: 16, tag: 0, decrypt: blocks::<Cbc<Aes128>> },
    Cipher { ssh: "3des-cbc", pem: Some("DES-EDE3-CBC"), oid: Some(b"\x2a\x86\x48\x86\xf7\x0d\x03\x07"), key: 24, iv: 8, block: 8, tag: 0, decrypt: blocks::<Cbc<TdesEde3>> },
    Cipher { ssh: "aes256-gcm@openssh.com", pem: None, oid: None, key: 32, iv: 12, block: 16, tag: 16, decrypt: sealed::<Aes256Gcm> },
    Cipher { ssh: "aes128-gcm@openssh.com", pem: None, oid: None, key: 16, iv: 12, block: 16, tag: 16, decrypt: sealed::<Aes128Gcm> },
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

fn sealed<C: KeyInit + AeadInOut>(
    key: &[u8],
    iv: &[u8],
    text: &mut [u8],
    tag: &[u8],
) -> Result<(), Cause> {
    let cipher = C::new_from_slice(key).map_err(|_| Cause::InvalidFormat)?;
    let nonce = iv.try_into().map_err(|_| Cause::InvalidFormat)?;
    let tag = tag.try_into().map_err(|_| Cause::InvalidFormat)?;
    cipher.decrypt_inout_detached(nonce, &[], text.into(), tag).map_err(|_| Cause::WrongPassphrase)
}

/// As in packets, but packet 0 without a length: the second half of the key is not used.
fn chacha20_poly1305(key: &[u8], _iv: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), Cause> {
    let key = key.get(..32).ok_or(Cause::InvalidFormat)?;
    let mut cipher = ChaCha20::new_from_slices(key, &[0; 12]).map_err(|_| Cause::InvalidFormat)?;
    // Block 0 of the key stream is the authenticator's key, the text begins at block 1.
    let mut first = Zeroizing::new([0; 64]);
    cipher.apply_keystream(first.as_mut());
    let authenticator = Poly1305::new_from_slice(&first[..32]).map_err(|_| Cause::InvalidFormat)?;
    if !bool::from(authenticator.compute_unpadded(text).as_slice().ct_eq(tag)) {
        return Err(Cause::WrongPassphrase);
    }
    cipher.apply_keystream(text);
    Ok(())
}

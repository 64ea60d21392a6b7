//! OpenSSH's own private key format, `openssh-key-v1`. OpenSSH PROTOCOL.key.
//! Touches: the body behind the armour.   Never: files, prompts.
//! Invariants: the public key in the clear is the one inside; check numbers and padding are right, or nothing is given out.
//! Errors: `Cause`.   Allocates: the decrypted section, zeroized.
//! Proved by: `tests` of `private`, fuzz `private_key`.

use adit_crypto::{Curve, RsaPrivateParts, SigningKey};
use adit_wire::{Mpint, Reader};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyInit, KeyIvInit, StreamCipher};
use chacha20::ChaCha20;
use ctr::Ctr128BE;
use des::TdesEde3;
use poly1305::Poly1305;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Cause;

const MAGIC: &[u8] = b"openssh-key-v1\0";

/// The parts that stand in the clear.
///
/// `"openssh-key-v1" 00 · string cipher · string kdf · string kdf options · uint32 number of keys ·
/// string public key · string private section · byte[] tag`
pub(super) struct Container<'a> {
    cipher: &'static Cipher,
    kdf: Option<Bcrypt<'a>>,
    pub(super) public: &'a [u8],
    section: &'a [u8],
    tag: &'a [u8],
}

/// `string salt · uint32 rounds`
struct Bcrypt<'a> {
    salt: &'a [u8],
    rounds: u32,
}

/// A cipher a section may be under.
struct Cipher {
    name: &'static str,
    key: usize,
    iv: usize,
    block: usize,
    tag: usize,
    decrypt: Decrypt,
}

/// Decrypts in place: key, iv, section, tag.
type Decrypt = fn(&[u8], &[u8], &mut [u8], &[u8]) -> Result<(), Cause>;

/// All that `ssh-keygen -Z` takes.
#[rustfmt::skip]
const CIPHERS: [Cipher; 11] = [
    Cipher { name: "none", key: 0, iv: 0, block: 8, tag: 0, decrypt: |_, _, _, _| Ok(()) },
    Cipher { name: "aes256-ctr", key: 32, iv: 16, block: 16, tag: 0, decrypt: stream::<Ctr128BE<Aes256>> },
    Cipher { name: "aes192-ctr", key: 24, iv: 16, block: 16, tag: 0, decrypt: stream::<Ctr128BE<Aes192>> },
    Cipher { name: "aes128-ctr", key: 16, iv: 16, block: 16, tag: 0, decrypt: stream::<Ctr128BE<Aes128>> },
    Cipher { name: "aes256-cbc", key: 32, iv: 16, block: 16, tag: 0, decrypt: blocks::<cbc::Decryptor<Aes256>> },
    Cipher { name: "aes192-cbc", key: 24, iv: 16, block: 16, tag: 0, decrypt: blocks::<cbc::Decryptor<Aes192>> },
    Cipher { name: "aes128-cbc", key: 16, iv: 16, block: 16, tag: 0, decrypt: blocks::<cbc::Decryptor<Aes128>> },
    Cipher { name: "3des-cbc", key: 24, iv: 8, block: 8, tag: 0, decrypt: blocks::<cbc::Decryptor<TdesEde3>> },
    Cipher { name: "aes256-gcm@openssh.com", key: 32, iv: 12, block: 16, tag: 16, decrypt: sealed::<Aes256Gcm> },
    Cipher { name: "aes128-gcm@openssh.com", key: 16, iv: 12, block: 16, tag: 16, decrypt: sealed::<Aes128Gcm> },
    Cipher { name: "chacha20-poly1305@openssh.com", key: 64, iv: 0, block: 8, tag: 16, decrypt: chacha20_poly1305 },
];

fn stream<C: KeyIvInit + StreamCipher>(
    key: &[u8],
    iv: &[u8],
    section: &mut [u8],
    _tag: &[u8],
) -> Result<(), Cause> {
    let mut cipher = C::new_from_slices(key, iv).map_err(|_| Cause::InvalidFormat)?;
    cipher.apply_keystream(section);
    Ok(())
}

fn blocks<C: KeyIvInit + BlockModeDecrypt>(
    key: &[u8],
    iv: &[u8],
    section: &mut [u8],
    _tag: &[u8],
) -> Result<(), Cause> {
    let cipher = C::new_from_slices(key, iv).map_err(|_| Cause::InvalidFormat)?;
    cipher.decrypt_padded::<NoPadding>(section).map(drop).map_err(|_| Cause::InvalidFormat)
}

fn sealed<C: KeyInit + AeadInOut>(
    key: &[u8],
    iv: &[u8],
    section: &mut [u8],
    tag: &[u8],
) -> Result<(), Cause> {
    let cipher = C::new_from_slice(key).map_err(|_| Cause::InvalidFormat)?;
    let nonce = iv.try_into().map_err(|_| Cause::InvalidFormat)?;
    let tag = tag.try_into().map_err(|_| Cause::InvalidFormat)?;
    cipher
        .decrypt_inout_detached(nonce, &[], section.into(), tag)
        .map_err(|_| Cause::WrongPassphrase)
}

/// As in packets, but packet 0 without a length: the second half of the key is not used.
fn chacha20_poly1305(key: &[u8], _iv: &[u8], section: &mut [u8], tag: &[u8]) -> Result<(), Cause> {
    let mut cipher =
        ChaCha20::new_from_slices(&key[..32], &[0; 12]).map_err(|_| Cause::InvalidFormat)?;
    // Block 0 of the key stream is the authenticator's key, the section begins at block 1.
    let mut first = Zeroizing::new([0; 64]);
    cipher.apply_keystream(first.as_mut());
    let authenticator = Poly1305::new_from_slice(&first[..32]).map_err(|_| Cause::InvalidFormat)?;
    if !bool::from(authenticator.compute_unpadded(section).as_slice().ct_eq(tag)) {
        return Err(Cause::WrongPassphrase);
    }
    cipher.apply_keystream(section);
    Ok(())
}

impl<'a> Container<'a> {
    /// Reads what stands in the clear.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Cause> {
        let mut reader = Reader::new(body.strip_prefix(MAGIC).ok_or(Cause::InvalidFormat)?);
        let cipher = reader.field::<&str>()?;
        let cipher =
            CIPHERS.iter().find(|row| row.name == cipher).ok_or(Cause::UnsupportedCipher)?;
        let kdf_name = reader.field::<&str>()?;
        let kdf = Bcrypt::parse(kdf_name, reader.string()?)?;
        if reader.field::<u32>()? != 1 {
            return Err(Cause::InvalidFormat);
        }
        let public = reader.string()?;
        let section = reader.string()?;
        let tag = reader.take(cipher.tag)?;
        reader.finish()?;
        // Without a passphrase there is no cipher, and with one there is.
        if section.len() % cipher.block != 0 || kdf.is_some() != (cipher.key > 0) {
            return Err(Cause::InvalidFormat);
        }
        Ok(Self { cipher, kdf, public, section, tag })
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.kdf.is_some()
    }

    /// Decrypts the private section and takes the key and its comment from it.
    pub(super) fn open(&self, passphrase: &[u8]) -> Result<(SigningKey, String), Cause> {
        let mut section = Zeroizing::new(self.section.to_vec());
        if let Some(kdf) = &self.kdf {
            let secret = kdf.derive(passphrase, self.cipher.key + self.cipher.iv)?;
            let (key, iv) = secret.split_at(self.cipher.key);
            (self.cipher.decrypt)(key, iv, &mut section, self.tag)?;
        }
        self.read_section(&section)
    }

    /// `uint32 check · uint32 the same · string type · fields of the type · string comment · 01 02 03 …`
    fn read_section(&self, section: &[u8]) -> Result<(SigningKey, String), Cause> {
        let mut reader = Reader::new(section);
        if reader.field::<u32>()? != reader.field::<u32>()? {
            // A wrong passphrase decrypts to noise; without one the file is broken.
            let encrypted = self.is_encrypted();
            return Err(if encrypted { Cause::WrongPassphrase } else { Cause::InvalidFormat });
        }
        let key = read_key(&mut reader)?;
        let comment = String::from_utf8_lossy(reader.string()?).into_owned();
        let padding = reader.rest();
        let counted = padding.iter().zip(1..=u8::MAX).all(|(byte, count)| *byte == count);
        let whole = padding.len() < self.cipher.block && counted;
        if whole { Ok((key, comment)) } else { Err(Cause::InvalidFormat) }
    }
}

impl<'a> Bcrypt<'a> {
    fn parse(name: &str, options: &'a [u8]) -> Result<Option<Self>, Cause> {
        match name {
            "none" => Ok(None),
            "bcrypt" => {
                let mut reader = Reader::new(options);
                let kdf = Self { salt: reader.string()?, rounds: reader.field()? };
                reader.finish()?;
                Ok(Some(kdf))
            }
            _ => Err(Cause::UnsupportedCipher),
        }
    }

    fn derive(&self, passphrase: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, Cause> {
        if passphrase.is_empty() {
            return Err(Cause::WrongPassphrase);
        }
        let mut secret = Zeroizing::new(vec![0; length]);
        bcrypt_pbkdf::bcrypt_pbkdf(passphrase, self.salt, self.rounds, &mut secret)
            .map_err(|_| Cause::InvalidFormat)?;
        Ok(secret)
    }
}

/// `string type · fields`
fn read_key(reader: &mut Reader<'_>) -> Result<SigningKey, Cause> {
    match reader.field::<&str>()? {
        "ssh-ed25519" => read_ed25519(reader),
        "ssh-rsa" => read_rsa(reader),
        name => {
            let curve = name.strip_prefix("ecdsa-sha2-").and_then(curve_named);
            curve.ok_or(Cause::UnsupportedKey).and_then(|curve| read_ecdsa(reader, curve))
        }
    }
}

fn curve_named(identifier: &str) -> Option<Curve> {
    Curve::ALL.iter().copied().find(|curve| curve.identifier() == identifier)
}

/// `string public key · string seed and public key`
fn read_ed25519(reader: &mut Reader<'_>) -> Result<SigningKey, Cause> {
    let public = reader.string()?;
    let (seed, again) = reader.string()?.split_at_checked(32).ok_or(Cause::InvalidFormat)?;
    if public != again {
        return Err(Cause::InvalidFormat);
    }
    super::ed25519(seed)
}

/// `string curve · string Q · mpint d`
fn read_ecdsa(reader: &mut Reader<'_>, curve: Curve) -> Result<SigningKey, Cause> {
    if reader.field::<&str>()? != curve.identifier() {
        return Err(Cause::InvalidFormat);
    }
    let point = reader.string()?;
    Ok(SigningKey::ecdsa(curve, point, reader.field::<Mpint<'_>>()?.magnitude())?)
}

/// `mpint n · mpint e · mpint d · mpint q^-1 mod p · mpint p · mpint q`
fn read_rsa(reader: &mut Reader<'_>) -> Result<SigningKey, Cause> {
    let mut number = || Ok::<_, Cause>(reader.field::<Mpint<'_>>()?.magnitude());
    let (n, e, d) = (number()?, number()?, number()?);
    let _for_chinese_remainders = (number()?, number()?, number()?);
    Ok(SigningKey::rsa(RsaPrivateParts { n, e, d })?)
}

//! OpenSSH's own private key format, `openssh-key-v1`. OpenSSH PROTOCOL.key.
//! Touches: the body behind the armour.   Never: files, prompts.
//! Invariants: the public key in the clear is the one inside; check numbers and padding are right, or nothing is given out.
//! Errors: `Cause`.   Allocates: the decrypted section, zeroized.
//! Proved by: `tests` of `private`, fuzz `private_key`.

use adit_crypto::{Curve, RsaPrivateParts, SigningKey};
use adit_wire::{Mpint, Reader};
use zeroize::Zeroizing;

use super::Cause;
use super::cipher::Cipher;

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

impl<'a> Container<'a> {
    /// Reads what stands in the clear.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Cause> {
        let mut reader = Reader::new(body.strip_prefix(MAGIC).ok_or(Cause::InvalidFormat)?);
        let cipher = reader.field::<&str>()?;
        let cipher = Cipher::find(|row| row.ssh == cipher)?;
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
            self.cipher.decrypt(key, iv, &mut section, self.tag)?;
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

//! Private keys in DER: PKCS#1, SEC 1, PKCS#8 plain and encrypted. RFC 8017 §A.1.2, RFC 5915, RFC 5958, RFC 8018.
//! Touches: the body behind the armour.   Never: files, prompts.
//! Invariants: what is read is a key of ours, whole, or nothing.
//! Errors: `Cause`.   Allocates: the decrypted document, zeroized.
//! Proved by: `tests` of `private`, fuzz `private_key`.

use adit_crypto::Curve;
use pkcs1::RsaPrivateKeyRef;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::oid::ObjectIdentifier;
use pkcs8::der::{Decode, SecretDocument};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use sec1::EcPrivateKey;
use zeroize::Zeroizing;

use super::{Cause, Material};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const CURVES: [(ObjectIdentifier, Curve); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), Curve::Nistp256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), Curve::Nistp384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), Curve::Nistp521),
];

/// `RSAPrivateKey`, under `RSA PRIVATE KEY`.
pub(super) fn pkcs1(der: &[u8]) -> Result<Material, Cause> {
    let key = RsaPrivateKeyRef::from_der(der)?;
    if key.other_prime_infos.is_some() {
        return Err(Cause::UnsupportedKey);
    }
    let number = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
    Ok(Material::Rsa {
        n: number(key.modulus.as_bytes()),
        e: number(key.public_exponent.as_bytes()),
        d: number(key.private_exponent.as_bytes()),
        p: number(key.prime1.as_bytes()),
        q: number(key.prime2.as_bytes()),
        inverse_q: number(key.coefficient.as_bytes()),
    })
}

/// `ECPrivateKey`, under `EC PRIVATE KEY`, or inside PKCS#8 where the curve is named outside.
pub(super) fn sec1(der: &[u8], outside: Option<ObjectIdentifier>) -> Result<Material, Cause> {
    let key = EcPrivateKey::from_der(der)?;
    let inside = key.parameters.and_then(|parameters| parameters.named_curve());
    let named = outside.or(inside).ok_or(Cause::UnsupportedKey)?;
    let curve = CURVES.iter().find(|(oid, _)| *oid == named).ok_or(Cause::UnsupportedKey)?.1;
    Material::ecdsa(curve, key.private_key, key.public_key.ok_or(Cause::UnsupportedKey)?)
}

/// `PrivateKeyInfo`, under `PRIVATE KEY`.
pub(super) fn pkcs8(der: &[u8]) -> Result<Material, Cause> {
    let info = PrivateKeyInfoRef::from_der(der)?;
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA_ENCRYPTION => pkcs1(key),
        EC_PUBLIC_KEY => {
            let curve = info.algorithm.parameters_oid().map_err(|_| Cause::UnsupportedKey)?;
            sec1(key, Some(curve))
        }
        ED25519 => Material::ed25519(<&OctetStringRef>::from_der(key)?.as_bytes()),
        _ => Err(Cause::UnsupportedKey),
    }
}

/// `EncryptedPrivateKeyInfo`, under `ENCRYPTED PRIVATE KEY`.
pub(super) fn encrypted_pkcs8(der: &[u8], passphrase: &[u8]) -> Result<Material, Cause> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der)?;
    let document: SecretDocument = info.decrypt(passphrase).map_err(|error| match error {
        // The padding, or the form of what came out, is wrong.
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed)
        | pkcs8::Error::Asn1(_) => Cause::WrongPassphrase,
        _ => Cause::UnsupportedCipher,
    })?;
    pkcs8(document.as_bytes())
}

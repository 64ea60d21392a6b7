//! Private keys in DER: PKCS#1, SEC 1, PKCS#8 plain and encrypted. RFC 8017 §A.1.2, RFC 5915, RFC 5958, RFC 8018.
//! Touches: the body behind the armour.   Never: files, prompts.
//! Invariants: what is read is a key of ours, whole, or nothing.
//! Errors: `Cause`.   Allocates: the decrypted document, zeroized.
//! Proved by: `tests` of `private`, fuzz `private_key`.

use adit_crypto::{Curve, RsaPrivateParts, SigningKey};
use pkcs1::RsaPrivateKeyRef;
use pkcs8::der::Decode;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::oid::ObjectIdentifier;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use sec1::EcPrivateKey;

use super::Cause;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const CURVES: [(ObjectIdentifier, Curve); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), Curve::Nistp256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), Curve::Nistp384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), Curve::Nistp521),
];

/// `RSAPrivateKey`, under `RSA PRIVATE KEY`.
pub(super) fn pkcs1(der: &[u8]) -> Result<SigningKey, Cause> {
    let key = RsaPrivateKeyRef::from_der(der)?;
    if key.other_prime_infos.is_some() {
        return Err(Cause::UnsupportedKey);
    }
    Ok(SigningKey::rsa(RsaPrivateParts {
        n: key.modulus.as_bytes(),
        e: key.public_exponent.as_bytes(),
        d: key.private_exponent.as_bytes(),
    })?)
}

/// `ECPrivateKey`, under `EC PRIVATE KEY`, or inside PKCS#8 where the curve is named outside.
pub(super) fn sec1(der: &[u8], outside: Option<ObjectIdentifier>) -> Result<SigningKey, Cause> {
    let key = EcPrivateKey::from_der(der)?;
    let inside = key.parameters.and_then(|parameters| parameters.named_curve());
    let named = outside.or(inside).ok_or(Cause::UnsupportedKey)?;
    let curve = CURVES.iter().find(|(oid, _)| *oid == named).ok_or(Cause::UnsupportedKey)?.1;
    let point = key.public_key.ok_or(Cause::UnsupportedKey)?;
    Ok(SigningKey::ecdsa(curve, point, key.private_key)?)
}

/// `PrivateKeyInfo`, under `PRIVATE KEY`.
pub(super) fn pkcs8(der: &[u8]) -> Result<SigningKey, Cause> {
    let info = PrivateKeyInfoRef::from_der(der)?;
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA_ENCRYPTION => pkcs1(key),
        EC_PUBLIC_KEY => {
            let curve = info.algorithm.parameters_oid().map_err(|_| Cause::UnsupportedKey)?;
            sec1(key, Some(curve))
        }
        ED25519 => super::ed25519(<&OctetStringRef>::from_der(key)?.as_bytes()),
        _ => Err(Cause::UnsupportedKey),
    }
}

/// `EncryptedPrivateKeyInfo`, under `ENCRYPTED PRIVATE KEY`.
pub(super) fn encrypted_pkcs8(der: &[u8], passphrase: &[u8]) -> Result<SigningKey, Cause> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der)?;
    let document = info.decrypt(passphrase).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed)
        | pkcs8::Error::Asn1(_) => Cause::WrongPassphrase,
        _ => Cause::UnsupportedCipher,
    })?;
    super::open_document(document.as_bytes(), pkcs8, true)
}

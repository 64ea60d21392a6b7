//! Private keys in DER: PKCS#1, SEC 1, PKCS#8 plain and encrypted. RFC 8017 §A.1.2, RFC 5915, RFC 5958.
//! Touches: the body behind the armour.   Never: files, prompts.
//! Invariants: what is read is a key of ours, or nothing.
//! Errors: `Cause`.   Allocates: the decrypted document, zeroized.
//! Proved by: `tests` of `private`, fuzz `private_key`.

use adit_crypto::{Curve, RsaPrivateParts, SigningKey};

use super::der::{Der, tag};
use super::{Cause, pbes2};

const RSA_ENCRYPTION: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const EC_PUBLIC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
const ED25519: &[u8] = b"\x2b\x65\x70";

const CURVES: [(&[u8], Curve); 3] = [
    (b"\x2a\x86\x48\xce\x3d\x03\x01\x07", Curve::Nistp256),
    (b"\x2b\x81\x04\x00\x22", Curve::Nistp384),
    (b"\x2b\x81\x04\x00\x23", Curve::Nistp521),
];

/// `RSAPrivateKey ::= SEQUENCE { version 0, n, e, d, p, q, … }`, under `RSA PRIVATE KEY`.
pub(super) fn pkcs1(document: &[u8]) -> Result<SigningKey, Cause> {
    let mut key = Der::document(document)?;
    if key.small()? != 0 {
        // Of more than two primes.
        return Err(Cause::UnsupportedKey);
    }
    let (n, e, d) = (key.integer()?, key.integer()?, key.integer()?);
    // Crypto does without primes and remainders; a file without them is cut short all the same.
    for _ in 0..5 {
        key.integer()?;
    }
    Ok(SigningKey::rsa(RsaPrivateParts { n, e, d })?)
}

/// `EC PRIVATE KEY`, where the curve is named inside.
pub(super) fn sec1(document: &[u8]) -> Result<SigningKey, Cause> {
    ec_private_key(document, None)
}

/// `ECPrivateKey ::= SEQUENCE { version 1, scalar, [0] curve OPTIONAL, [1] point OPTIONAL }`
fn ec_private_key(document: &[u8], outside: Option<&[u8]>) -> Result<SigningKey, Cause> {
    let mut key = Der::document(document)?;
    if key.small()? != 1 {
        return Err(Cause::InvalidFormat);
    }
    let scalar = key.value(tag::OCTET_STRING)?;
    let inside = key.optional(tag::context(0))?.map(Der::content);
    let inside = inside.and_then(|mut parameters| parameters.oid().ok());
    let curve = outside.or(inside).and_then(curve).ok_or(Cause::UnsupportedKey)?;
    // Left out only by those who ask for it; the point is not computed here.
    let point = key.optional(tag::context(1))?.ok_or(Cause::UnsupportedKey)?;
    let point = Der::content(point).value(tag::BIT_STRING)?;
    let point = point.strip_prefix(&[0]).ok_or(Cause::InvalidFormat)?;
    Ok(SigningKey::ecdsa(curve, point, scalar)?)
}

fn curve(oid: &[u8]) -> Option<Curve> {
    CURVES.iter().find(|(named, _)| *named == oid).map(|(_, curve)| *curve)
}

/// `PrivateKeyInfo ::= SEQUENCE { version, SEQUENCE { algorithm, parameters }, key, … }`, under `PRIVATE KEY`.
pub(super) fn pkcs8(document: &[u8]) -> Result<SigningKey, Cause> {
    let mut info = Der::document(document)?;
    if info.small()? > 1 {
        return Err(Cause::InvalidFormat);
    }
    let mut algorithm = info.sequence()?;
    let key = info.value(tag::OCTET_STRING);
    match algorithm.oid()? {
        RSA_ENCRYPTION => pkcs1(key?),
        EC_PUBLIC_KEY => {
            let curve = algorithm.oid().map_err(|_| Cause::UnsupportedKey)?;
            ec_private_key(key?, Some(curve))
        }
        ED25519 => super::ed25519(Der::content(key?).value(tag::OCTET_STRING)?),
        _ => Err(Cause::UnsupportedKey),
    }
}

/// `EncryptedPrivateKeyInfo ::= SEQUENCE { SEQUENCE { algorithm, parameters }, text }`, under `ENCRYPTED PRIVATE KEY`.
pub(super) fn encrypted_pkcs8(document: &[u8], passphrase: &[u8]) -> Result<SigningKey, Cause> {
    let mut info = Der::document(document)?;
    let algorithm = info.sequence()?;
    let plain = pbes2::decrypt(algorithm, passphrase, info.value(tag::OCTET_STRING)?)?;
    super::open_document(&plain, pkcs8, true)
}

//! The signature of a login, checked: what joins the login's machine to the cryptography. RFC 4252 §7.
//! Touches: one key blob, one signature blob.   Never: whether the key may log anybody in.
//! Invariants: request, key and signature must name what belongs together; unless the driver judges its flags itself,
//! a security key must have been touched.
//! Errors: none; what cannot be read is no signature.   Allocates: the decoded key.
//! Proved by: `tests/verify.rs`.

use adit_auth::server::SignatureCheck;
use adit_crypto::{KeyAlgorithm, PublicKey};

/// Whether the signature holds, by whatever kind of key; a certificate is used as the key in it.
///
/// For [`ServerConfig::verify`](crate::ServerConfig::verify). Whether a certificate is good, and the key
/// authorized, is asked of the driver afterwards.
pub fn verify_signature(check: &SignatureCheck<'_>) -> bool {
    holds(check, |key, algorithm| key.verify(algorithm, check.data, check.signature).is_ok())
}

/// As [`verify_signature`], but whether a security key was touched is for the driver to judge, by
/// [`CheckKey::key_flags`](adit_auth::server::CheckKey::key_flags): some keys are allowed not to be.
pub fn verify_signature_alone(check: &SignatureCheck<'_>) -> bool {
    holds(check, |key, algorithm| {
        key.verify_security_key(algorithm, check.data, check.signature).is_ok()
    })
}

fn holds(
    check: &SignatureCheck<'_>,
    verify: impl FnOnce(&PublicKey, KeyAlgorithm) -> bool,
) -> bool {
    let algorithm = KeyAlgorithm::from_name(check.algorithm.name);
    let key = PublicKey::decode(check.public_key).ok();
    algorithm.zip(key).is_some_and(|(algorithm, key)| verify(&key, algorithm))
}

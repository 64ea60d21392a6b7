//! The signature of a login, checked: what joins the login's machine to the cryptography. RFC 4252 §7.
//! Touches: one key blob, one signature blob.   Never: whether the key may log anybody in.
//! Invariants: request, key and signature must name what belongs together; a security key must have been touched.
//! Errors: none; what cannot be read is no signature.   Allocates: the decoded key.
//! Proved by: `tests/verify.rs`.

use adit_auth::server::SignatureCheck;
use adit_crypto::{KeyAlgorithm, PublicKey};

/// Whether the signature holds, by whatever kind of key; a certificate is used as the key in it.
///
/// For [`ServerConfig::verify`](crate::ServerConfig::verify). Whether a certificate is good, and the key
/// authorized, is asked of the driver afterwards.
pub fn verify_signature(check: &SignatureCheck<'_>) -> bool {
    let Some(algorithm) = KeyAlgorithm::from_name(check.algorithm.name) else {
        return false;
    };
    PublicKey::decode(check.public_key)
        .is_ok_and(|key| key.verify(algorithm, check.data, check.signature).is_ok())
}

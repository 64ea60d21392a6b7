//! Signature blobs: `string algorithm · string signature`. RFC 4253 §6.6, RFC 5656 §3.1.2, RFC 8332 §3, OpenSSH PROTOCOL.u2f.
//! Touches: a key, a message, a blob.   Never: what the message means.
//! Invariants: the blob's algorithm is the one asked for; nothing follows the signature.
//! Errors: `SignatureError`.   Allocates: a copy of fixed size.
//! Proved by: `tests` beside this file (signatures recorded from ssh-keygen, RFC 8032, RFC 6979).

use alloc::vec::Vec;
use core::fmt;

use adit_wire::{DecodeError, Reader};

use crate::{HashAlgorithm, PublicKey, SecurityKeyUse, SignatureAlgorithm};

#[cfg(feature = "nist")]
pub(crate) mod ecdsa;

/// A signature that does not hold, or cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// The names of key, request and signature do not fit together.
    WrongAlgorithm,
    /// The blob does not decode.
    Malformed,
    /// It is no signature of the message by the key.
    Invalid,
    /// A security key was not touched.
    UserNotPresent,
    /// The private key made a signature that does not hold; it has been discarded.
    Faulty,
}

impl From<DecodeError> for SignatureError {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongAlgorithm => "signature algorithm does not fit the key",
            Self::Malformed => "malformed signature",
            Self::Invalid => "signature is not valid",
            Self::UserNotPresent => "security key was not touched",
            Self::Faulty => "private key made an invalid signature",
        })
    }
}

impl core::error::Error for SignatureError {}

/// The algorithm a blob names, if we know it.
pub(crate) fn algorithm(blob: &[u8]) -> Option<SignatureAlgorithm> {
    let name = Reader::new(blob).field::<&str>().ok()?;
    SignatureAlgorithm::from_name(name)
}

/// Checks `blob`, which must name `algorithm`. `key` is plain. Tells what a security key said.
pub(crate) fn verify(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    blob: &[u8],
) -> Result<Option<SecurityKeyUse>, SignatureError> {
    let mut reader = Reader::new(blob);
    if reader.string()? != algorithm.name().as_bytes() {
        return Err(SignatureError::WrongAlgorithm);
    }
    let signature = reader.string()?;
    let seen = match key {
        PublicKey::SkEd25519 { .. } | PublicKey::SkEcdsa { .. } => {
            Some(SecurityKeyUse { flags: reader.field()?, counter: reader.field()? })
        }
        _ => None,
    };
    reader.finish()?;

    let valid = match (key, seen) {
        (PublicKey::Ed25519(key), _) => verify_ed25519(key, message, signature)?,
        #[cfg(feature = "nist")]
        (PublicKey::Ecdsa(key), _) => ecdsa::verify(key, message, signature)?,
        (PublicKey::Rsa(key), _) => key.verify(algorithm, message, signature),
        (PublicKey::SkEd25519 { key, application }, Some(seen)) => {
            verify_ed25519(key, &seen.signed(application, message), signature)?
        }
        #[cfg(feature = "nist")]
        (PublicKey::SkEcdsa { key, application }, Some(seen)) => {
            ecdsa::verify(key, &seen.signed(application, message), signature)?
        }
        _ => false,
    };
    if valid { Ok(seen) } else { Err(SignatureError::Invalid) }
}

impl SecurityKeyUse {
    /// What a security key signs: `SHA256(application) ‖ flags ‖ counter ‖ SHA256(message)`.
    fn signed(self, application: &[u8], message: &[u8]) -> Vec<u8> {
        let sha256 = |text| HashAlgorithm::Sha256.digest(&[text]);
        [
            sha256(application).as_ref(),
            &[self.flags],
            &self.counter.to_be_bytes(),
            sha256(message).as_ref(),
        ]
        .concat()
    }
}

fn verify_ed25519(
    key: &[u8; 32],
    message: &[u8],
    signature: &[u8],
) -> Result<bool, SignatureError> {
    let signature = signature.try_into().map_err(|_| SignatureError::Malformed)?;
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    // Strict: keys and nonces of small order are refused, which plain verification lets pass.
    let key = ed25519_dalek::VerifyingKey::from_bytes(key);
    Ok(key.is_ok_and(|key| key.verify_strict(message, &signature).is_ok()))
}

#[cfg(test)]
mod tests;

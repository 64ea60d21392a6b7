//! ECDSA inside signature blobs: r and s as two mpints. RFC 5656 §3.1.2.
//! Touches: the two numbers.   Never: the blob around them.
//! Invariants: nothing follows s.
//! Errors: `SignatureError`.   Allocates: both numbers at full length.
//! Proved by: `signature::tests`.

use alloc::vec;
use alloc::vec::Vec;

use adit_wire::{Field, Mpint, Reader};

use super::SignatureError;
use crate::{Curve, EcdsaKey, nist};

/// Whether `signature` is one of `message` by `key`.
pub(super) fn verify(
    key: &EcdsaKey,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, SignatureError> {
    let r_s = fixed_from_mpints(key.curve(), signature)?;
    Ok(nist::verify(key.curve(), key.point(), message, &r_s))
}

/// `mpint r · mpint s` as `r ‖ s`, each as long as the curve's order.
fn fixed_from_mpints(curve: Curve, signature: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let mut reader = Reader::new(signature);
    let (r, s): (Mpint, Mpint) = (reader.field()?, reader.field()?);
    reader.finish()?;
    let len = curve.scalar_len();
    let mut fixed = vec![0; 2 * len];
    for (number, place) in [r, s].into_iter().zip(fixed.chunks_exact_mut(len)) {
        let number = number.magnitude();
        let start = len.checked_sub(number.len()).ok_or(SignatureError::Malformed)?;
        place[start..].copy_from_slice(number);
    }
    Ok(fixed)
}

/// `r ‖ s` as `mpint r · mpint s`.
pub(crate) fn mpints_from_fixed(r_s: &[u8]) -> Vec<u8> {
    let (r, s) = r_s.split_at(r_s.len() / 2);
    let mut signature = Vec::new();
    Mpint::new(r).encode(&mut signature);
    Mpint::new(s).encode(&mut signature);
    signature
}

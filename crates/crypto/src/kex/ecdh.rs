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

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::SystemRandom;
    use crate::testing::{Replay, cases};

    fn is_p521_or_portable(curve: &str) -> bool {
        // ring draws its scalars itself, so only the others can be told which one to use.
        cfg!(feature = "portable") || curve == "nistp521"
    }

    #[test]
    fn shared_secrets_are_those_of_rfc_5903() {
        for case in cases(include_str!("../../testdata/ecdh.txt")) {
            if !is_p521_or_portable(case.text("curve")) {
                continue;
            }
            let curve =
                Curve::ALL.iter().copied().find(|c| c.identifier() == case.text("curve")).unwrap();
            for (scalar, public, peer) in [("i", "gi", "gr"), ("r", "gr", "gi")] {
                let (scalar, point) = generate(curve, &mut Replay(case.bytes(scalar)));
                assert_eq!(point, case.bytes(public));
                assert_eq!(scalar.agree(&case.bytes(peer)).unwrap()[..], case.bytes("shared"));
            }
        }
    }

    #[test]
    fn values_that_are_no_points_are_refused() {
        for curve in Curve::ALL.iter().copied() {
            let (_, good) = generate(curve, &mut SystemRandom::new());
            let agree = |peer: &[u8]| generate(curve, &mut SystemRandom::new()).0.agree(peer).err();
            assert_eq!(agree(&good), None);
            assert_eq!(agree(&good[..good.len() - 1]), Some(KexError::WrongLength));
            assert_eq!(agree(&[&good[..], &[0]].concat()), Some(KexError::WrongLength));
            assert_eq!(agree(&[0]), Some(KexError::WrongLength), "the point at infinity");

            let mut off_curve = good.clone();
            *off_curve.last_mut().unwrap() ^= 1;
            let mut compressed = good.clone();
            compressed[0] = 2;
            let mut zero = vec![0; good.len()];
            zero[0] = 4;
            let mut beyond_the_field = vec![0xff; good.len()];
            beyond_the_field[0] = 4;
            for bad in [off_curve, compressed, zero, beyond_the_field] {
                assert_eq!(agree(&bad), Some(KexError::InvalidPublicValue), "{curve:?}");
            }
        }
    }
}

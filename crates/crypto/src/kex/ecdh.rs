//! ECDH on the NIST curves. RFC 5656 §4, SEC 1 §3.3.1.
//! Touches: uncompressed points.   Never: names.
//! Invariants: only values as long as an uncompressed point reach `nist`, which checks that they are one of the curve.
//! Errors: `KexError`.   Allocates: points and secrets.
//! Proved by: `tests` below (NIST CAVP).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::nist::Scalar;
use crate::{Curve, KexError, Random};

/// A secret scalar and its curve.
pub(super) struct Secret {
    curve: Curve,
    scalar: Scalar,
}

/// A new scalar and its point.
pub(super) fn generate(curve: Curve, random: &mut dyn Random) -> (Secret, Vec<u8>) {
    let scalar = Scalar::generate(curve, random);
    let point = scalar.point();
    (Secret { curve, scalar }, point)
}

impl Secret {
    /// The shared x coordinate, which is K.
    pub(super) fn agree(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, KexError> {
        if peer.len() != self.curve.point_len() {
            return Err(KexError::WrongLength);
        }
        self.scalar.agree(peer).ok_or(KexError::InvalidPublicValue)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::SystemRandom;
    use crate::testing::{Replay, cases};

    #[test]
    fn shared_secrets_are_those_of_rfc_5903() {
        for case in cases(include_str!("../../testdata/ecdh.txt")) {
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

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Replay, hex};

    /// RFC 7748 §5.2.
    #[test]
    fn vectors_of_rfc_7748() {
        let cases = [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ];
        for (scalar, u, shared) in cases {
            let (scalar, _) = generate(&mut Replay(hex(scalar)));
            assert_eq!(scalar.agree(public(&hex(u)).unwrap()).unwrap()[..], hex(shared));
        }
    }

    /// The points of small order, from which every secret is zero. RFC 7748 §6.1.
    #[test]
    fn points_of_small_order_are_refused() {
        let points = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        let (scalar, _) = generate(&mut Replay([7; 32].to_vec()));
        for point in points {
            assert_eq!(
                scalar.agree(public(&hex(point)).unwrap()).err(),
                Some(KexError::ForcedSecret)
            );
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        for len in [0, 31, 33] {
            assert_eq!(public(&[9; 33][..len]).err(), Some(KexError::WrongLength));
        }
    }
}

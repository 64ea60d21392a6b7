//! The NIST curves by their SSH names. RFC 5656 §6.1, §10.1.
//! Touches: names and sizes.   Never: points; those are the back end's.
//! Invariants: one row per curve.
//! Errors: none.   Allocates: never.
//! Proved by: the ECDH and ECDSA tests.

use crate::HashAlgorithm;

/// A NIST curve that RFC 5656 requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// P-256, secp256r1
    Nistp256,
    /// P-384, secp384r1
    Nistp384,
    /// P-521, secp521r1
    Nistp521,
}

impl Curve {
    /// All three.
    pub const ALL: &[Self] = &[Self::Nistp256, Self::Nistp384, Self::Nistp521];

    /// The curve identifier inside keys, e.g. `nistp256`.
    pub const fn identifier(self) -> &'static str {
        match self {
            Self::Nistp256 => "nistp256",
            Self::Nistp384 => "nistp384",
            Self::Nistp521 => "nistp521",
        }
    }

    /// Bytes of a coordinate or a scalar.
    pub const fn scalar_len(self) -> usize {
        match self {
            Self::Nistp256 => 32,
            Self::Nistp384 => 48,
            Self::Nistp521 => 66,
        }
    }

    /// Bytes of an uncompressed point, `04 ‖ x ‖ y`.
    pub const fn point_len(self) -> usize {
        1 + 2 * self.scalar_len()
    }

    /// The hash function that goes with it. RFC 5656 §6.2.1.
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::Nistp256 => HashAlgorithm::Sha256,
            Self::Nistp384 => HashAlgorithm::Sha384,
            Self::Nistp521 => HashAlgorithm::Sha512,
        }
    }

    /// Whether `point` has the length and the first byte of an uncompressed point; not whether it is on the curve.
    pub(crate) fn is_uncompressed(self, point: &[u8]) -> bool {
        point.len() == self.point_len() && point[0] == 4
    }
}

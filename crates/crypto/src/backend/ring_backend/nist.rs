//! ECDH and ECDSA on P-256 and P-384 from ring.
//! Touches: points and scalars as bytes.   Never: P-521, which ring does not have.
//! Invariants: ring checks every point; its own generator makes ephemeral scalars and nonces.
//! Errors: `None` or `false`.   Allocates: results.
//! Proved by: `kex::ecdh` and `signature` tests.

use alloc::vec::Vec;

use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair};
use zeroize::Zeroizing;

use crate::Random;

/// The two curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NistCurve {
    P256,
    P384,
}

impl NistCurve {
    fn agreement(self) -> &'static agreement::Algorithm {
        match self {
            Self::P256 => &agreement::ECDH_P256,
            Self::P384 => &agreement::ECDH_P384,
        }
    }

    fn verification(self) -> &'static signature::EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
        }
    }

    fn signing(self) -> &'static signature::EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }
}

/// An ephemeral scalar.
pub(crate) struct Scalar(EphemeralPrivateKey, NistCurve);

impl Scalar {
    /// A new scalar and its point.
    pub(crate) fn generate(curve: NistCurve, _random: &mut dyn Random) -> (Self, Vec<u8>) {
        let scalar = EphemeralPrivateKey::generate(curve.agreement(), &SystemRandom::new());
        let scalar = scalar.expect("the operating system gives random bytes");
        let point = scalar.compute_public_key().expect("a scalar in range has a point");
        (Self(scalar, curve), point.as_ref().to_vec())
    }

    /// The shared x coordinate, unless `peer` is no point of the curve.
    pub(crate) fn agree(self, peer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let peer = UnparsedPublicKey::new(self.1.agreement(), peer);
        agree_ephemeral(self.0, &peer, |x| Zeroizing::new(x.to_vec())).ok()
    }
}

/// Whether `r ‖ s` is a signature of `message` by `point`.
pub(crate) fn verify(curve: NistCurve, point: &[u8], message: &[u8], r_s: &[u8]) -> bool {
    signature::UnparsedPublicKey::new(curve.verification(), point).verify(message, r_s).is_ok()
}

/// `r ‖ s`, unless scalar and point do not belong together.
pub(crate) fn sign(
    curve: NistCurve,
    scalar: &[u8],
    point: &[u8],
    message: &[u8],
) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), scalar, point, &random)
            .ok()?;
    pair.sign(&random, message).ok().map(|r_s| r_s.as_ref().to_vec())
}

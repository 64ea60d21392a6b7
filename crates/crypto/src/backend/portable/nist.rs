//! ECDH and ECDSA on P-256 and P-384 from the p256 and p384 crates.
//! Touches: points and scalars as bytes.   Never: P-521, which has its own module for both back ends.
//! Invariants: points are checked to be on the curve; nonces are those of RFC 6979.
//! Errors: `None` or `false`.   Allocates: results.
//! Proved by: `kex::ecdh` and `signature` tests.

use alloc::vec::Vec;

use p256::ecdsa::signature::{Signer, Verifier};
use p256::elliptic_curve::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use zeroize::Zeroizing;

use crate::Random;

/// The two curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NistCurve {
    P256,
    P384,
}

/// An ephemeral scalar.
pub(crate) enum Scalar {
    P256(p256::SecretKey),
    P384(p384::SecretKey),
}

impl Scalar {
    /// A new scalar and its point.
    pub(crate) fn generate(curve: NistCurve, random: &mut dyn Random) -> (Self, Vec<u8>) {
        match curve {
            NistCurve::P256 => {
                let secret = draw::<32, _>(random, |bytes| p256::SecretKey::from_slice(bytes).ok());
                let point = secret.public_key().to_encoded_point(false).as_bytes().to_vec();
                (Self::P256(secret), point)
            }
            NistCurve::P384 => {
                let secret = draw::<48, _>(random, |bytes| p384::SecretKey::from_slice(bytes).ok());
                let point = secret.public_key().to_encoded_point(false).as_bytes().to_vec();
                (Self::P384(secret), point)
            }
        }
    }

    /// The shared x coordinate, unless `peer` is no point of the curve.
    pub(crate) fn agree(self, peer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let x = match self {
            Self::P256(secret) => {
                let peer = p256::PublicKey::from_sec1_bytes(peer).ok()?;
                diffie_hellman(secret.to_nonzero_scalar(), peer.as_affine())
                    .raw_secret_bytes()
                    .to_vec()
            }
            Self::P384(secret) => {
                let peer = p384::PublicKey::from_sec1_bytes(peer).ok()?;
                diffie_hellman(secret.to_nonzero_scalar(), peer.as_affine())
                    .raw_secret_bytes()
                    .to_vec()
            }
        };
        Some(Zeroizing::new(x))
    }
}

/// Draws until a scalar is in range, which is nearly always the first time.
fn draw<const N: usize, S>(random: &mut dyn Random, accept: impl Fn(&[u8]) -> Option<S>) -> S {
    let mut bytes = Zeroizing::new([0; N]);
    loop {
        random.fill(&mut *bytes);
        if let Some(scalar) = accept(&*bytes) {
            return scalar;
        }
    }
}

/// Whether `r ‖ s` is a signature of `message` by `point`.
pub(crate) fn verify(curve: NistCurve, point: &[u8], message: &[u8], r_s: &[u8]) -> bool {
    match curve {
        NistCurve::P256 => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point);
            let signature = p256::ecdsa::Signature::from_slice(r_s);
            matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
        }
        NistCurve::P384 => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point);
            let signature = p384::ecdsa::Signature::from_slice(r_s);
            matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
        }
    }
}

/// `r ‖ s`, unless scalar and point do not belong together.
pub(crate) fn sign(
    curve: NistCurve,
    scalar: &[u8],
    point: &[u8],
    message: &[u8],
) -> Option<Vec<u8>> {
    match curve {
        NistCurve::P256 => {
            let key = p256::ecdsa::SigningKey::from_slice(scalar).ok()?;
            let signature: p256::ecdsa::Signature = key.try_sign(message).ok()?;
            let own = key.verifying_key().to_encoded_point(false);
            (own.as_bytes() == point).then(|| signature.to_bytes().to_vec())
        }
        NistCurve::P384 => {
            let key = p384::ecdsa::SigningKey::from_slice(scalar).ok()?;
            let signature: p384::ecdsa::Signature = key.try_sign(message).ok()?;
            let own = key.verifying_key().to_encoded_point(false);
            (own.as_bytes() == point).then(|| signature.to_bytes().to_vec())
        }
    }
}

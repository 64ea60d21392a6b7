//! ECDH and ECDSA on P-521, which ring does not have; the p521 crate serves both back ends.
//! Touches: points and scalars as bytes.   Never: SSH.
//! Invariants: points are checked to be on the curve; nonces are drawn until one is below the order, so all of their bits are random.
//! Errors: `None` or `false`.   Allocates: results.
//! Proved by: `kex::ecdh` and `signature` tests.

use alloc::vec::Vec;

use p521::ecdsa::signature::{RandomizedSigner, Verifier};
use p521::ecdsa::{Signature, SigningKey, VerifyingKey};
use p521::elliptic_curve::ecdh::diffie_hellman;
use p521::elliptic_curve::rand_core::{self, CryptoRng, RngCore};
use p521::elliptic_curve::sec1::ToEncodedPoint;
use p521::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use crate::Random;

/// An ephemeral scalar.
pub(crate) struct Scalar(SecretKey);

impl Scalar {
    /// A new scalar and its point.
    pub(crate) fn generate(random: &mut dyn Random) -> (Self, Vec<u8>) {
        let mut bytes = Zeroizing::new([0; 66]);
        let secret = loop {
            random.fill(&mut *bytes);
            // 521 bits; of these all but a 2^-250th are below the order.
            bytes[0] &= 1;
            if let Ok(secret) = SecretKey::from_slice(&*bytes) {
                break secret;
            }
        };
        let point = secret.public_key().to_encoded_point(false).as_bytes().to_vec();
        (Self(secret), point)
    }

    /// The shared x coordinate, unless `peer` is no point of the curve.
    pub(crate) fn agree(self, peer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let peer = PublicKey::from_sec1_bytes(peer).ok()?;
        let shared = diffie_hellman(self.0.to_nonzero_scalar(), peer.as_affine());
        Some(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
    }
}

/// Whether `r ‖ s` is a signature of `message` by `point`.
pub(crate) fn verify(point: &[u8], message: &[u8], r_s: &[u8]) -> bool {
    let key = VerifyingKey::from_sec1_bytes(point);
    let signature = Signature::from_slice(r_s);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
}

/// `r ‖ s`, unless scalar and point do not belong together.
pub(crate) fn sign(
    scalar: &[u8],
    point: &[u8],
    message: &[u8],
    random: &mut dyn Random,
) -> Option<Vec<u8>> {
    let key = SigningKey::from_slice(scalar).ok()?;
    let own = VerifyingKey::from(&key).to_encoded_point(false);
    let signature: Signature = key.try_sign_with_rng(&mut Lent(random), message).ok()?;
    (own.as_bytes() == point).then(|| signature.to_bytes().to_vec())
}

/// Lends a [`Random`] under the traits of the `rand_core` that p521 speaks.
struct Lent<'r>(&'r mut dyn Random);

impl RngCore for Lent<'_> {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl CryptoRng for Lent<'_> {}

//! ECDH and ECDSA on P-256, P-384 and P-521, on RustCrypto's curves. SEC 1 §3.3.1, FIPS 186-5 §6.
//! Touches: points, scalars and digests as bytes.   Never: SSH's encodings.
//! Invariants: every point is checked to be on its curve; a nonce hangs on key, digest and fresh randomness, and all its bits are random.
//! Errors: `None` or `false`.   Allocates: results.
//! Proved by: `kex::ecdh` (RFC 5903) and `signature::tests` (RFC 6979, ssh-keygen).

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Add;

use ecdsa::Signature;
use ecdsa::hazmat::{bits2field, sign_prehashed, verify_prehashed};
use p256::NistP256;
use p256::elliptic_curve::ecdh::diffie_hellman;
#[allow(deprecated, reason = "the curves of this generation are written with it")]
use p256::elliptic_curve::generic_array::ArrayLength;
use p256::elliptic_curve::sec1::{FromEncodedPoint, ModulusSize, ToEncodedPoint};
use p256::elliptic_curve::{self, CurveArithmetic, PrimeCurve, PublicKey, SecretKey};
use p384::NistP384;
use p521::NistP521;
use zeroize::Zeroizing;

use crate::{Curve, HashAlgorithm, Random};

/// What the three curves have in common, as far as it is used here.
#[allow(deprecated, reason = "as above")]
trait Nist:
    PrimeCurve
    + elliptic_curve::Curve<FieldBytesSize: ModulusSize + Add<Output: ArrayLength<u8>>>
    + CurveArithmetic<AffinePoint: FromEncodedPoint<Self> + ToEncodedPoint<Self>>
{
}

impl Nist for NistP256 {}
impl Nist for NistP384 {}
impl Nist for NistP521 {}

/// Calls the function for whichever curve it is.
macro_rules! on {
    ($curve:expr, $function:ident($($argument:expr),*)) => {
        match $curve {
            Curve::Nistp256 => $function::<NistP256>($($argument),*),
            Curve::Nistp384 => $function::<NistP384>($($argument),*),
            Curve::Nistp521 => $function::<NistP521>($($argument),*),
        }
    };
}

/// A private scalar of one of the curves.
pub(crate) struct Scalar {
    curve: Curve,
    /// Big-endian, as long as the curve's order.
    bytes: Zeroizing<Vec<u8>>,
}

impl Scalar {
    /// A new scalar.
    pub(crate) fn generate(curve: Curve, random: &mut dyn Random) -> Self {
        let mut scalar = Self { curve, bytes: Zeroizing::new(vec![0; curve.scalar_len()]) };
        loop {
            random.fill(&mut scalar.bytes);
            scalar.bytes[0] &= top_byte(curve);
            if scalar.is_in_range() {
                return scalar;
            }
        }
    }

    /// A scalar from its magnitude, unless it is zero or not below the order.
    pub(crate) fn from_magnitude(curve: Curve, magnitude: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new(vec![0; curve.scalar_len()]);
        let start = bytes.len().checked_sub(magnitude.len())?;
        bytes[start..].copy_from_slice(magnitude);
        Some(Self { curve, bytes }).filter(Self::is_in_range)
    }

    fn is_in_range(&self) -> bool {
        on!(self.curve, is_in_range(&self.bytes))
    }

    /// Its public point, uncompressed.
    pub(crate) fn point(&self) -> Vec<u8> {
        on!(self.curve, point(&self.bytes)).unwrap_or_default()
    }

    /// The shared x coordinate, unless `peer` is no point of the curve.
    pub(crate) fn agree(&self, peer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        on!(self.curve, agree(&self.bytes, peer))
    }

    /// `r ‖ s` for `message`, hashed as the curve demands.
    pub(crate) fn sign(&self, message: &[u8], random: &mut dyn Random) -> Option<Vec<u8>> {
        let digest = self.curve.hash().digest(&[message]);
        let mut fresh = Zeroizing::new([0; 32]);
        random.fill(&mut *fresh);
        let nonce = self.nonce(digest.as_ref(), &*fresh);
        on!(self.curve, sign(&self.bytes, &nonce.bytes, digest.as_ref()))
    }

    /// Drawn from key, digest and fresh bytes: a generator that repeats itself does not repeat a nonce for another
    /// message, and one that is watched does not show it. Candidates out of range are thrown away, never reduced.
    fn nonce(&self, digest: &[u8], fresh: &[u8]) -> Self {
        let mut nonce =
            Self { curve: self.curve, bytes: Zeroizing::new(vec![0; self.bytes.len()]) };
        let mut attempt = 0u32;
        loop {
            for (half, out) in [0, 1].into_iter().zip(nonce.bytes.chunks_mut(64)) {
                let label = [&[half][..], &attempt.to_be_bytes()].concat();
                let block = HashAlgorithm::Sha512.digest(&[&label, &self.bytes, digest, fresh]);
                let block = Zeroizing::new(block);
                out.copy_from_slice(&(*block).as_ref()[..out.len()]);
            }
            nonce.bytes[0] &= top_byte(self.curve);
            if nonce.is_in_range() {
                return nonce;
            }
            attempt += 1;
        }
    }
}

/// Whether `r ‖ s` is a signature of `message` by `point`.
pub(crate) fn verify(curve: Curve, point: &[u8], message: &[u8], r_s: &[u8]) -> bool {
    let digest = curve.hash().digest(&[message]);
    on!(curve, verify_digest(point, digest.as_ref(), r_s)).is_some()
}

/// The bits of the first byte that a scalar may have set: of P-521's 66 bytes the first holds one.
const fn top_byte(curve: Curve) -> u8 {
    match curve {
        Curve::Nistp256 | Curve::Nistp384 => 0xff,
        Curve::Nistp521 => 0x01,
    }
}

fn is_in_range<C: Nist>(scalar: &[u8]) -> bool {
    SecretKey::<C>::from_slice(scalar).is_ok()
}

fn point<C: Nist>(scalar: &[u8]) -> Option<Vec<u8>> {
    let secret = SecretKey::<C>::from_slice(scalar).ok()?;
    Some(secret.public_key().to_encoded_point(false).as_bytes().to_vec())
}

fn agree<C: Nist>(scalar: &[u8], peer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let secret = SecretKey::<C>::from_slice(scalar).ok()?;
    let peer = PublicKey::<C>::from_sec1_bytes(peer).ok()?;
    let shared = diffie_hellman(secret.to_nonzero_scalar(), peer.as_affine());
    Some(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
}

fn sign<C: Nist>(scalar: &[u8], nonce: &[u8], digest: &[u8]) -> Option<Vec<u8>> {
    let secret = SecretKey::<C>::from_slice(scalar).ok()?;
    let nonce = SecretKey::<C>::from_slice(nonce).ok()?;
    let digest = bits2field::<C>(digest).ok()?;
    let (signature, _) = sign_prehashed::<C, C::Scalar>(
        &secret.to_nonzero_scalar(),
        *nonce.to_nonzero_scalar(),
        &digest,
    )
    .ok()?;
    Some(signature.to_bytes().to_vec())
}

fn verify_digest<C: Nist>(point: &[u8], digest: &[u8], r_s: &[u8]) -> Option<()> {
    let key = PublicKey::<C>::from_sec1_bytes(point).ok()?;
    let signature = Signature::<C>::from_slice(r_s).ok()?;
    let digest = bits2field::<C>(digest).ok()?;
    verify_prehashed(&key.to_projective(), &digest, &signature).ok()
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;
    use crate::SystemRandom;

    /// Two signatures with one nonce give the key away, and so do a few hundred whose nonces share some bits.
    #[test]
    fn nonces_hang_on_key_digest_and_fresh_bytes_in_all_their_bytes() {
        for curve in Curve::ALL.iter().copied() {
            let keys = [
                Scalar::generate(curve, &mut SystemRandom::new()),
                Scalar::generate(curve, &mut SystemRandom::new()),
            ];
            let mut nonces = Vec::<Vec<u8>>::new();
            for key in &keys {
                for digest in [[1; 32], [2; 32]] {
                    for fresh in [[3; 32], [4; 32]] {
                        let nonce = key.nonce(&digest, &fresh);
                        assert_eq!(nonce.bytes, key.nonce(&digest, &fresh).bytes);
                        nonces.push(nonce.bytes.to_vec());
                    }
                }
            }
            for at in 0..curve.scalar_len() {
                let values: BTreeSet<u8> = nonces.iter().map(|nonce| nonce[at]).collect();
                assert!(values.len() > 1, "byte {at} of {curve:?} is the same in all");
            }
            assert_eq!(nonces.iter().collect::<BTreeSet<_>>().len(), nonces.len());
        }
    }

    #[test]
    fn the_second_block_of_a_long_nonce_is_another() {
        let key = Scalar::generate(Curve::Nistp521, &mut SystemRandom::new());
        let repeats = |fresh: u8| {
            let nonce = key.nonce(&[0; 64], &[fresh; 32]);
            nonce.bytes[1] == nonce.bytes[65]
        };
        assert!((0..8).any(|fresh| !repeats(fresh)));
    }

    #[test]
    fn scalars_out_of_range_are_none() {
        for curve in Curve::ALL.iter().copied() {
            let len = curve.scalar_len();
            for bad in [&[][..], &[0], &vec![0xff; len], &vec![1; len + 1]] {
                assert!(Scalar::from_magnitude(curve, bad).is_none());
            }
            let one = Scalar::from_magnitude(curve, &[1]).unwrap();
            assert_eq!(one.point().len(), curve.point_len());
        }
    }
}

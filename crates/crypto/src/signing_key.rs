//! Private keys that sign. RFC 8709, RFC 5656, RFC 8332.
//! Touches: raw private parts, messages.   Never: files, passphrases, agents.
//! Invariants: a signature is verified before it leaves, so a fault in a key or in memory gives nothing away.
//! Errors: `KeyError` in construction, `SignatureError` in signing.   Allocates: keys and signatures.
//! Proved by: `tests` below.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use adit_wire::Field;
use zeroize::Zeroizing;

use crate::backend::nist::{self, NistCurve};
use crate::rsa::RsaPrivate;
use crate::{
    Curve, EcdsaKey, KeyError, PublicKey, Random, RsaPrivateParts, SignatureAlgorithm,
    SignatureError, p521_curve, signature,
};

/// A private key. Zeroized when dropped.
pub struct SigningKey(Private);

enum Private {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Ecdsa { public: EcdsaKey, scalar: Zeroizing<Vec<u8>> },
    Rsa(RsaPrivate),
}

impl SigningKey {
    /// From the 32-byte seed, which key files call the private key. RFC 8032 §5.1.5.
    pub fn ed25519(seed: &[u8; 32]) -> Self {
        Self(Private::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))))
    }

    /// From the uncompressed point and the magnitude of the scalar.
    ///
    /// # Errors
    /// [`KeyError`] when a part has the wrong form. That both belong together shows in signing.
    pub fn ecdsa(curve: Curve, point: &[u8], scalar: &[u8]) -> Result<Self, KeyError> {
        let public = EcdsaKey::new(curve, point)?;
        let scalar = crate::bignum::without_leading_zeros(scalar);
        let start =
            curve.scalar_len().checked_sub(scalar.len()).ok_or(KeyError::InvalidPrivateParts)?;
        let mut padded = Zeroizing::new(vec![0; curve.scalar_len()]);
        padded[start..].copy_from_slice(scalar);
        Ok(Self(Private::Ecdsa { public, scalar: padded }))
    }

    /// From the numbers of an RSA key.
    ///
    /// # Errors
    /// [`KeyError`] when the key has an unacceptable size or form.
    pub fn rsa(parts: RsaPrivateParts<'_>) -> Result<Self, KeyError> {
        RsaPrivate::new(parts).map(|key| Self(Private::Rsa(key)))
    }

    /// A new Ed25519 key.
    pub fn generate_ed25519(random: &mut dyn Random) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(&mut *seed);
        Self::ed25519(&seed)
    }

    /// The key that checks its signatures.
    pub fn public_key(&self) -> PublicKey {
        match &self.0 {
            Private::Ed25519(key) => PublicKey::Ed25519(key.verifying_key().to_bytes()),
            Private::Ecdsa { public, .. } => PublicKey::Ecdsa(public.clone()),
            Private::Rsa(key) => PublicKey::Rsa(key.public.clone()),
        }
    }

    /// The blob of that key.
    pub fn public_blob(&self) -> Vec<u8> {
        self.public_key().encode()
    }

    /// The signature blob of `message`.
    ///
    /// # Errors
    /// [`SignatureError::WrongAlgorithm`] when the key has no such algorithm, [`SignatureError::Faulty`] when the
    /// signature does not hold.
    pub fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, SignatureError> {
        let public = self.public_key();
        if !public.algorithms().any(|own| own.signature == algorithm) {
            return Err(SignatureError::WrongAlgorithm);
        }
        let signature =
            self.raw_signature(algorithm, message, random).ok_or(SignatureError::Faulty)?;
        let mut blob = Vec::new();
        algorithm.name().encode(&mut blob);
        signature.as_slice().encode(&mut blob);
        match public.verify(algorithm.plain(), message, &blob) {
            Ok(()) => Ok(blob),
            Err(_) => Err(SignatureError::Faulty),
        }
    }

    fn raw_signature(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Option<Vec<u8>> {
        match &self.0 {
            Private::Ed25519(key) => {
                Some(ed25519_dalek::Signer::sign(&**key, message).to_bytes().to_vec())
            }
            Private::Ecdsa { public, scalar } => {
                let r_s = match public.curve() {
                    Curve::Nistp256 => nist::sign(NistCurve::P256, scalar, public.point(), message),
                    Curve::Nistp384 => nist::sign(NistCurve::P384, scalar, public.point(), message),
                    Curve::Nistp521 => p521_curve::sign(scalar, public.point(), message, random),
                };
                r_s.map(|r_s| signature::mpints_from_fixed(&r_s))
            }
            Private::Rsa(key) => key.sign(algorithm, message),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public_key().type_name())
    }
}

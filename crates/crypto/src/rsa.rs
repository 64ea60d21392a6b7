//! RSA signatures with PKCS #1 v1.5 padding and SHA-2. RFC 8017 §8.2, RFC 8332.
//! Touches: magnitudes of n, e and d.   Never: SHA-1, encryption.
//! Invariants: 2048 to 16384 bits, odd n, odd e of 3 to 64 bits; verification compares whole encoded messages.
//! Errors: `KeyError`; a signature that does not hold is `false`.   Allocates: numbers.
//! Proved by: `tests` below and the recorded signatures.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::bignum::{Modulus, bit_len, without_leading_zeros};
use crate::{HashAlgorithm, KeyError, SignatureAlgorithm};

/// An RSA public key of acceptable size and form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaKey {
    e: Vec<u8>,
    n: Vec<u8>,
}

/// Bits of a modulus. Below, it can be factored; above, it only keeps us busy.
const MODULUS_BITS: core::ops::RangeInclusive<usize> = 2048..=16384;

/// Bits of a public exponent; 1 would sign everything, more than 64 only keeps us busy.
const EXPONENT_BITS: core::ops::RangeInclusive<usize> = 2..=64;

impl RsaKey {
    /// From the magnitudes of exponent and modulus.
    ///
    /// # Errors
    /// [`KeyError::RsaSize`], [`KeyError::RsaNumbers`].
    pub fn new(e: &[u8], n: &[u8]) -> Result<Self, KeyError> {
        let (e, n) = (without_leading_zeros(e), without_leading_zeros(n));
        if !MODULUS_BITS.contains(&bit_len(n)) {
            return Err(KeyError::RsaSize);
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        if !odd(n) || !odd(e) || !EXPONENT_BITS.contains(&bit_len(e)) {
            return Err(KeyError::RsaNumbers);
        }
        Ok(Self { e: e.to_vec(), n: n.to_vec() })
    }

    /// Magnitude of the public exponent.
    pub fn e(&self) -> &[u8] {
        &self.e
    }

    /// Magnitude of the modulus.
    pub fn n(&self) -> &[u8] {
        &self.n
    }

    /// Whether `signature` signs `message`. A signature with its leading zeros left out is taken too, as OpenSSH does.
    pub(crate) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let Some(modulus) =
            Modulus::new(&self.n).filter(|modulus| signature.len() <= modulus.len())
        else {
            return false;
        };
        let expected = encoded_message(algorithm, message, modulus.len());
        modulus.pow(signature, &self.e).is_some_and(|found| Some(&found[..]) == expected.as_deref())
    }
}

/// The numbers of an RSA private key, as magnitudes. Not kept: [`SigningKey::rsa`](crate::SigningKey::rsa) copies them.
#[derive(Clone, Copy)]
pub struct RsaPrivateParts<'a> {
    /// Modulus.
    pub n: &'a [u8],
    /// Public exponent.
    pub e: &'a [u8],
    /// Private exponent.
    pub d: &'a [u8],
}

impl fmt::Debug for RsaPrivateParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaPrivateParts(..)")
    }
}

/// An RSA private key: the public one and the exponent. The primes are not used, so no fault in one can reveal them.
pub(crate) struct RsaPrivate {
    pub(crate) public: RsaKey,
    d: Zeroizing<Vec<u8>>,
}

impl RsaPrivate {
    pub(crate) fn new(parts: RsaPrivateParts<'_>) -> Result<Self, KeyError> {
        let public = RsaKey::new(parts.e, parts.n)?;
        let d = without_leading_zeros(parts.d);
        if d.is_empty() || d.len() > public.n.len() {
            return Err(KeyError::InvalidPrivateParts);
        }
        // As long as the modulus, so that the time of a signature does not show how long d is.
        let mut padded = Zeroizing::new(vec![0; public.n.len()]);
        padded[public.n.len() - d.len()..].copy_from_slice(d);
        Ok(Self { public, d: padded })
    }

    /// The signature as long as the modulus; `None` for an algorithm that is not RSA.
    pub(crate) fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        let modulus = Modulus::new(&self.public.n)?;
        let encoded = encoded_message(algorithm, message, modulus.len())?;
        modulus.pow(&encoded, &self.d).map(|signature| signature.to_vec())
    }
}

/// EMSA-PKCS1-v1_5: `00 01 FF … FF 00 DigestInfo`. RFC 8017 §9.2.
fn encoded_message(algorithm: SignatureAlgorithm, message: &[u8], len: usize) -> Option<Vec<u8>> {
    let (hash, digest_info): (_, &[u8]) = match algorithm {
        SignatureAlgorithm::RsaSha2_256 => (
            HashAlgorithm::Sha256,
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        ),
        SignatureAlgorithm::RsaSha2_512 => (
            HashAlgorithm::Sha512,
            b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
        ),
        _ => return None,
    };
    let digest = hash.digest(&[message]);
    let tail = [digest_info, digest.as_ref()].concat();
    let mut encoded = vec![0xff; len];
    encoded[..2].copy_from_slice(&[0, 1]);
    let start = len.checked_sub(tail.len())?;
    encoded[start - 1] = 0;
    encoded[start..].copy_from_slice(&tail);
    Some(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cases;

    const ALGORITHMS: [(&str, SignatureAlgorithm); 2] =
        [("sha256", SignatureAlgorithm::RsaSha2_256), ("sha512", SignatureAlgorithm::RsaSha2_512)];

    #[test]
    fn signatures_are_those_of_openssl() {
        for case in cases(include_str!("../testdata/rsa.txt")) {
            let [n, e, d, message] = ["n", "e", "d", "message"].map(|name| case.bytes(name));
            let private = RsaPrivate::new(RsaPrivateParts { n: &n, e: &e, d: &d }).unwrap();
            for (name, algorithm) in ALGORITHMS {
                let signature = case.bytes(name);
                assert_eq!(private.sign(algorithm, &message).unwrap(), signature);
                assert!(private.public.verify(algorithm, &message, &signature));
                assert!(!private.public.verify(algorithm, b"another", &signature));
            }
            let (sha256, sha512) = (case.bytes("sha256"), case.bytes("sha512"));
            assert!(!private.public.verify(ALGORITHMS[1].1, &message, &sha256));
            assert!(!private.public.verify(ALGORITHMS[0].1, &message, &sha512));
        }
    }

    #[test]
    fn signatures_beyond_the_modulus_or_its_length_are_refused() {
        for case in cases(include_str!("../testdata/rsa.txt")) {
            let [n, e, message, signature] =
                ["n", "e", "message", "sha256"].map(|name| case.bytes(name));
            let (key, algorithm) = (RsaKey::new(&e, &n).unwrap(), ALGORITHMS[0].1);
            assert!(!key.verify(algorithm, &message, &[&[0], &signature[..]].concat()));
            for bad in [&n[..], &vec![0xff; n.len()], &vec![0; n.len()], &[], &[1]] {
                assert!(!key.verify(algorithm, &message, bad));
            }
        }
    }

    /// Bleichenbacher's forgery for e = 3: a padding that ends early with rubbish behind the digest.
    #[test]
    fn only_the_whole_padding_counts() {
        let encoded = encoded_message(SignatureAlgorithm::RsaSha2_256, b"m", 256).unwrap();
        assert_eq!(encoded.len(), 256);
        assert_eq!(encoded[..2], [0, 1]);
        assert!(encoded[2..256 - 52].iter().all(|byte| *byte == 0xff));
        assert_eq!(encoded[256 - 52], 0);
        assert_eq!(encoded_message(SignatureAlgorithm::Ed25519, b"m", 256), None);
    }

    fn modulus(bits: usize) -> Vec<u8> {
        let mut n = vec![0xff; bits.div_ceil(8)];
        n[0] = 0xff >> (n.len() * 8 - bits);
        n
    }

    #[test]
    fn sizes_nobody_should_use_are_refused() {
        let e = [1, 0, 1];
        for bits in [1024, 2047, 16385, 32768] {
            assert_eq!(RsaKey::new(&e, &modulus(bits)), Err(KeyError::RsaSize), "{bits}");
        }
        assert_eq!(RsaKey::new(&e, &[]), Err(KeyError::RsaSize));
        for bits in [2048, 2049, 16384] {
            let key = RsaKey::new(&e, &[&[0], &modulus(bits)[..]].concat()).unwrap();
            assert_eq!((key.e(), key.n()), (&e[..], &modulus(bits)[..]));
        }
    }

    #[test]
    fn numbers_that_make_no_key_are_refused() {
        let n = modulus(2048);
        for e in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0, 1]] {
            assert_eq!(RsaKey::new(e, &n), Err(KeyError::RsaNumbers), "{e:?}");
        }
        let mut even = n.clone();
        even[255] = 0xfe;
        assert_eq!(RsaKey::new(&[3], &even), Err(KeyError::RsaNumbers));
        assert!(RsaKey::new(&[3], &n).is_ok());
    }

    #[test]
    fn the_largest_key_is_checked_in_reasonable_time() {
        let key = RsaKey::new(&[0xff; 8], &modulus(16384)).unwrap();
        assert!(!key.verify(SignatureAlgorithm::RsaSha2_512, b"m", &vec![0x5a; 2048]));
    }
}

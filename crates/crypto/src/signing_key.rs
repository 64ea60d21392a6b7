//! Private keys that sign. RFC 8709, RFC 5656, RFC 8332.
//! Touches: raw private parts, messages.   Never: files, passphrases, agents.
//! Invariants: a signature is verified before it leaves, so a fault in a key or in memory gives nothing away.
//! Errors: `KeyError` in construction, `SignatureError` in signing.   Allocates: keys and signatures.
//! Proved by: `tests` below.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use adit_wire::Field;
use zeroize::Zeroizing;

#[cfg(feature = "nist")]
use crate::nist::Scalar;
use crate::rsa::RsaPrivate;
#[cfg(feature = "nist")]
use crate::signature::ecdsa::mpints_from_fixed;
use crate::{
    Curve, EcdsaKey, KeyError, PublicKey, Random, RsaPrivateParts, SignatureAlgorithm,
    SignatureError,
};

/// A private key. Zeroized when dropped.
pub struct SigningKey(Private);

enum Private {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    #[cfg(feature = "nist")]
    Ecdsa {
        public: EcdsaKey,
        scalar: Scalar,
    },
    Rsa(RsaPrivate),
}

impl Private {
    #[cfg(feature = "nist")]
    fn ecdsa(public: EcdsaKey, scalar: &[u8]) -> Result<Self, KeyError> {
        match Scalar::from_magnitude(public.curve(), scalar) {
            Some(scalar) if scalar.point() == public.point() => Ok(Self::Ecdsa { public, scalar }),
            _ => Err(KeyError::InvalidPrivateParts),
        }
    }

    #[cfg(not(feature = "nist"))]
    fn ecdsa(_public: EcdsaKey, _scalar: &[u8]) -> Result<Self, KeyError> {
        Err(KeyError::UnknownType)
    }
}

impl SigningKey {
    /// From the 32-byte seed, which key files call the private key. RFC 8032 §5.1.5.
    pub fn ed25519(seed: &[u8; 32]) -> Self {
        Self(Private::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))))
    }

    /// From the uncompressed point and the magnitude of the scalar.
    ///
    /// # Errors
    /// [`KeyError`] when a part has the wrong form, or both do not belong together; [`KeyError::UnknownType`]
    /// where the curves were not built in.
    pub fn ecdsa(curve: Curve, point: &[u8], scalar: &[u8]) -> Result<Self, KeyError> {
        let public = EcdsaKey::new(curve, point)?;
        Private::ecdsa(public, crate::bignum::without_leading_zeros(scalar)).map(Self)
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
            #[cfg(feature = "nist")]
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

    #[cfg_attr(
        not(feature = "nist"),
        expect(unused_variables, reason = "for ECDSA's nonces alone")
    )]
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
            #[cfg(feature = "nist")]
            Private::Ecdsa { scalar, .. } => {
                scalar.sign(message, random).map(|r_s| mpints_from_fixed(&r_s))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;
    use crate::testing::{Case, built_in, hex};

    fn recorded() -> Vec<(Case, SigningKey)> {
        let keys = built_in(include_str!("../testdata/keys.txt")).into_iter().map(|case| {
            let key = match case.text("name") {
                "ed25519" => SigningKey::ed25519(&case.bytes("seed").try_into().unwrap()),
                name if name.starts_with("nistp") => {
                    let curve = Curve::ALL.iter().find(|curve| curve.identifier() == name).unwrap();
                    SigningKey::ecdsa(*curve, &case.bytes("point"), &case.bytes("scalar")).unwrap()
                }
                _ => rsa(&case),
            };
            (case, key)
        });
        keys.collect()
    }

    fn rsa(case: &Case) -> SigningKey {
        let [n, e, d] = ["n", "e", "d"].map(|name| case.bytes(name));
        SigningKey::rsa(RsaPrivateParts { n: &n, e: &e, d: &d }).unwrap()
    }

    #[test]
    fn keys_of_openssh_sign_and_their_signatures_hold() {
        for (case, key) in recorded() {
            assert_eq!(key.public_blob(), case.bytes("blob"));
            for algorithm in key.public_key().algorithms() {
                let blob =
                    key.sign(algorithm.signature, b"message", &mut SystemRandom::new()).unwrap();
                assert_eq!(key.public_key().verify(algorithm, b"message", &blob), Ok(()));
                assert!(key.public_key().verify(algorithm, b"massage", &blob).is_err());
            }
        }
    }

    /// RFC 8032 §5.1.6: nothing random goes into it, so nothing about the key can come out through it.
    #[test]
    fn ed25519_signs_the_same_message_the_same_way() {
        let key = SigningKey::ed25519(&[7; 32]);
        let mut random = crate::SystemRandom::new();
        let mut sign = |message: &[u8]| key.sign(SignatureAlgorithm::Ed25519, message, &mut random);
        assert_eq!(sign(b"message"), sign(b"message"));
        assert_ne!(sign(b"message"), sign(b"massage"));
    }

    #[test]
    fn a_key_signs_under_its_own_algorithms_alone() {
        for (_, key) in recorded() {
            let own: Vec<_> =
                key.public_key().algorithms().map(|algorithm| algorithm.signature).collect();
            for algorithm in
                SignatureAlgorithm::ALL.iter().filter(|algorithm| !own.contains(algorithm))
            {
                let signed = key.sign(*algorithm, b"message", &mut SystemRandom::new());
                assert_eq!(signed, Err(SignatureError::WrongAlgorithm));
            }
        }
    }

    /// RFC 8032 §7.1, tests 1 to 3.
    #[test]
    fn ed25519_vectors_of_rfc_8032() {
        let cases = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ];
        for (seed, public, message, signature) in cases {
            let key = SigningKey::ed25519(&hex(seed).try_into().unwrap());
            assert_eq!(key.public_key(), PublicKey::Ed25519(hex(public).try_into().unwrap()));
            let algorithm = SignatureAlgorithm::Ed25519;
            let blob = key.sign(algorithm, &hex(message), &mut SystemRandom::new()).unwrap();
            let mut expected = Vec::new();
            algorithm.name().encode(&mut expected);
            hex(signature).as_slice().encode(&mut expected);
            assert_eq!(blob, expected);
        }
    }

    #[test]
    fn a_damaged_private_key_gives_no_signature() {
        for (case, _) in recorded() {
            if !case.text("name").starts_with("rsa") {
                continue;
            }
            let [n, e, mut d] = ["n", "e", "d"].map(|name| case.bytes(name));
            d[20] ^= 1;
            let damaged = SigningKey::rsa(RsaPrivateParts { n: &n, e: &e, d: &d }).unwrap();
            let algorithm = damaged.public_key().algorithms().next().unwrap().signature;
            let signed = damaged.sign(algorithm, b"message", &mut SystemRandom::new());
            assert_eq!(signed, Err(SignatureError::Faulty), "{}", case.text("name"));
        }
    }

    #[test]
    fn private_parts_that_make_no_key_are_refused() {
        let recorded = recorded();
        let (case, _) = recorded.iter().find(|(case, _)| case.text("name") == "rsa2048").unwrap();
        let (n, e) = (case.bytes("n"), case.bytes("e"));
        for d in [&[][..], &[0], &[1; 257]] {
            let refused = SigningKey::rsa(RsaPrivateParts { n: &n, e: &e, d }).err();
            assert_eq!(refused, Some(KeyError::InvalidPrivateParts));
        }
    }

    #[cfg(feature = "nist")]
    #[test]
    fn scalars_that_make_no_key_are_refused() {
        let recorded = recorded();
        let (case, _) = recorded.iter().find(|(case, _)| case.text("name") == "nistp256").unwrap();
        let point = case.bytes("point");
        assert_eq!(
            SigningKey::ecdsa(Curve::Nistp256, &point, &[1; 33]).err(),
            Some(KeyError::InvalidPrivateParts)
        );
        assert_eq!(
            SigningKey::ecdsa(Curve::Nistp384, &point, &[1; 32]).err(),
            Some(KeyError::InvalidPoint)
        );
    }

    #[cfg(not(feature = "nist"))]
    #[test]
    fn keys_on_curves_that_were_left_out_are_of_an_unknown_type() {
        for case in crate::testing::cases(include_str!("../testdata/keys.txt")) {
            let name = case.text("name");
            if let Some(curve) = Curve::ALL.iter().find(|curve| curve.identifier() == name) {
                let key = SigningKey::ecdsa(*curve, &case.bytes("point"), &case.bytes("scalar"));
                assert_eq!(key.err(), Some(KeyError::UnknownType));
                assert_eq!(PublicKey::decode(&case.bytes("blob")), Err(KeyError::UnknownType));
                assert_eq!(
                    SignatureAlgorithm::from_name(&alloc::format!("ecdsa-sha2-{name}")),
                    None
                );
                assert_eq!(
                    crate::KexAlgorithm::from_name(&alloc::format!("ecdh-sha2-{name}")),
                    None
                );
            }
        }
    }

    #[test]
    fn private_parts_are_not_shown() {
        for (_, key) in recorded() {
            let shown = alloc::format!("{key:?}");
            assert!(shown.starts_with("SigningKey(") && shown.len() < 40, "{shown}");
        }
    }
}

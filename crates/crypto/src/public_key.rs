//! Public keys as blobs. RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4, OpenSSH PROTOCOL.u2f and PROTOCOL.certkeys.
//! Touches: one blob.   Never: files, trust.
//! Invariants: a decoded key has an acceptable size and form; `encode` gives back the blob it came from.
//! Errors: `KeyError`.   Allocates: the key.
//! Proved by: `tests` below (keys recorded from ssh-keygen), fuzz `certificate`.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use adit_wire::{DecodeError, Field, Mpint, Reader};

use crate::{
    Certificate, Curve, KeyAlgorithm, RsaKey, SignatureAlgorithm, SignatureError, signature,
};

/// A key that signatures are checked with, alone or in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// `ssh-ed25519`
    Ed25519([u8; 32]),
    /// `ecdsa-sha2-…`
    Ecdsa(EcdsaKey),
    /// `ssh-rsa`
    Rsa(RsaKey),
    /// `sk-ssh-ed25519@openssh.com`: in a security key
    SkEd25519 {
        /// The Ed25519 key.
        key: [u8; 32],
        /// What the key was made for, usually `ssh:`.
        application: Vec<u8>,
    },
    /// `sk-ecdsa-sha2-nistp256@openssh.com`: in a security key
    SkEcdsa {
        /// The P-256 key.
        key: EcdsaKey,
        /// What the key was made for, usually `ssh:`.
        application: Vec<u8>,
    },
    /// One of the others in a certificate.
    Certified(Box<Certificate>),
}

/// A point that has the form of one of its curve; whether it is on it shows when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcdsaKey {
    curve: Curve,
    point: Vec<u8>,
}

impl EcdsaKey {
    /// An uncompressed point, `04 ‖ x ‖ y`.
    ///
    /// # Errors
    /// [`KeyError::InvalidPoint`] when length or first byte are wrong.
    pub fn new(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        if !curve.is_uncompressed(point) {
            return Err(KeyError::InvalidPoint);
        }
        Ok(Self { curve, point: point.to_vec() })
    }

    /// Its curve.
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// `04 ‖ x ‖ y`
    pub fn point(&self) -> &[u8] {
        &self.point
    }
}

/// What a security key tells with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityKeyUse {
    /// [`USER_PRESENT`](Self::USER_PRESENT), [`USER_VERIFIED`](Self::USER_VERIFIED)
    pub flags: u8,
    /// Counts the key's signatures.
    pub counter: u32,
}

impl SecurityKeyUse {
    /// Somebody touched the key.
    pub const USER_PRESENT: u8 = 1;
    /// Somebody proved to the key who they are, by PIN or finger.
    pub const USER_VERIFIED: u8 = 4;
}

/// Bytes that are no key we would use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The blob does not decode.
    Malformed(DecodeError),
    /// A key type we do not know, or that was not built in.
    UnknownType,
    /// A curve that is not the one of the key type.
    WrongCurve,
    /// A point of the wrong length or form.
    InvalidPoint,
    /// An RSA modulus below 2048 or above 16384 bits.
    RsaSize,
    /// An RSA modulus that is even, or an exponent that is even, 1, or longer than 64 bits.
    RsaNumbers,
    /// A certificate as the key of a certificate authority.
    NestedCertificate,
    /// A certificate of a kind other than user and host.
    UnknownCertificateKind,
    /// A certificate with more principals or options than anybody needs.
    TooManyEntries,
    /// Private parts that do not make a key.
    InvalidPrivateParts,
}

impl From<DecodeError> for KeyError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(error) => return write!(f, "malformed key: {error}"),
            Self::UnknownType => "unknown key type",
            Self::WrongCurve => "curve does not fit the key type",
            Self::InvalidPoint => "invalid curve point",
            Self::RsaSize => "RSA key must have 2048 to 16384 bits",
            Self::RsaNumbers => "invalid RSA key",
            Self::NestedCertificate => "certificate signed by a certificate",
            Self::UnknownCertificateKind => "certificate is neither for users nor for hosts",
            Self::TooManyEntries => "certificate with too many entries",
            Self::InvalidPrivateParts => "invalid private key",
        })
    }
}

impl core::error::Error for KeyError {}

/// Key types, as named at the head of a blob. They differ from algorithms for RSA, where one type has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Ed25519,
    Ecdsa(Curve),
    Rsa,
    SkEd25519,
    SkEcdsa,
}

impl KeyType {
    const ALL: &[Self] = &[
        Self::Ed25519,
        #[cfg(feature = "nist")]
        Self::Ecdsa(Curve::Nistp256),
        #[cfg(feature = "nist")]
        Self::Ecdsa(Curve::Nistp384),
        #[cfg(feature = "nist")]
        Self::Ecdsa(Curve::Nistp521),
        Self::Rsa,
        Self::SkEd25519,
        #[cfg(feature = "nist")]
        Self::SkEcdsa,
    ];

    /// The type of that name, and whether it is that of a certificate.
    fn from_name(name: &[u8]) -> Option<(Self, bool)> {
        let names = |certified| Self::ALL.iter().map(move |key_type| (*key_type, certified));
        names(false)
            .chain(names(true))
            .find(|(key_type, certified)| key_type.name(*certified).as_bytes() == name)
    }

    const fn name(self, certified: bool) -> &'static str {
        match (self, certified) {
            (Self::Rsa, false) => "ssh-rsa",
            (Self::Rsa, true) => "ssh-rsa-cert-v01@openssh.com",
            _ => KeyAlgorithm { signature: self.signatures()[0], certified }.name(),
        }
    }

    /// The signature algorithms of its keys, most wanted first.
    const fn signatures(self) -> &'static [SignatureAlgorithm] {
        use SignatureAlgorithm as Is;
        match self {
            Self::Ed25519 => &[Is::Ed25519],
            Self::Ecdsa(Curve::Nistp256) => &[Is::EcdsaNistp256],
            Self::Ecdsa(Curve::Nistp384) => &[Is::EcdsaNistp384],
            Self::Ecdsa(Curve::Nistp521) => &[Is::EcdsaNistp521],
            Self::Rsa => &[Is::RsaSha2_512, Is::RsaSha2_256],
            Self::SkEd25519 => &[Is::SkEd25519],
            Self::SkEcdsa => &[Is::SkEcdsaNistp256],
        }
    }

    /// The fields that make up a key of this type; the same in a plain blob and in a certificate.
    pub(crate) fn decode_fields(self, reader: &mut Reader<'_>) -> Result<PublicKey, KeyError> {
        Ok(match self {
            Self::Ed25519 => PublicKey::Ed25519(ed25519_point(reader)?),
            Self::Ecdsa(curve) => PublicKey::Ecdsa(ecdsa_point(curve, reader)?),
            Self::Rsa => {
                let (e, n): (Mpint, Mpint) = (reader.field()?, reader.field()?);
                PublicKey::Rsa(RsaKey::new(e.magnitude(), n.magnitude())?)
            }
            Self::SkEd25519 => PublicKey::SkEd25519 {
                key: ed25519_point(reader)?,
                application: reader.string()?.to_vec(),
            },
            Self::SkEcdsa => PublicKey::SkEcdsa {
                key: ecdsa_point(Curve::Nistp256, reader)?,
                application: reader.string()?.to_vec(),
            },
        })
    }
}

fn ed25519_point(reader: &mut Reader<'_>) -> Result<[u8; 32], KeyError> {
    reader.string()?.try_into().map_err(|_| KeyError::InvalidPoint)
}

fn ecdsa_point(curve: Curve, reader: &mut Reader<'_>) -> Result<EcdsaKey, KeyError> {
    if reader.string()? != curve.identifier().as_bytes() {
        return Err(KeyError::WrongCurve);
    }
    EcdsaKey::new(curve, reader.string()?)
}

impl PublicKey {
    /// Reads a blob, plain or certificate.
    ///
    /// # Errors
    /// [`KeyError`] when it is none, has bytes left over, or is a key nobody should trust.
    pub fn decode(blob: &[u8]) -> Result<Self, KeyError> {
        let mut reader = Reader::new(blob);
        match KeyType::from_name(reader.string()?).ok_or(KeyError::UnknownType)? {
            (key_type, true) => {
                Ok(Self::Certified(Box::new(Certificate::decode(key_type, blob, reader)?)))
            }
            (key_type, false) => Self::decode_whole(key_type, reader),
        }
    }

    /// Reads a blob that must not be a certificate.
    pub(crate) fn decode_plain(blob: &[u8]) -> Result<Self, KeyError> {
        let mut reader = Reader::new(blob);
        match KeyType::from_name(reader.string()?).ok_or(KeyError::UnknownType)? {
            (_, true) => Err(KeyError::NestedCertificate),
            (key_type, false) => Self::decode_whole(key_type, reader),
        }
    }

    fn decode_whole(key_type: KeyType, mut reader: Reader<'_>) -> Result<Self, KeyError> {
        let key = key_type.decode_fields(&mut reader)?;
        reader.finish()?;
        Ok(key)
    }

    /// The blob.
    pub fn encode(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        if let Self::Certified(certificate) = self {
            return certificate.blob().to_vec();
        }
        self.type_name().encode(&mut blob);
        match self {
            Self::Ed25519(key) => key.as_slice().encode(&mut blob),
            Self::Ecdsa(key) => key.encode_fields(&mut blob),
            Self::Rsa(key) => {
                Mpint::new(key.e()).encode(&mut blob);
                Mpint::new(key.n()).encode(&mut blob);
            }
            Self::SkEd25519 { key, application } => {
                key.as_slice().encode(&mut blob);
                application.as_slice().encode(&mut blob);
            }
            Self::SkEcdsa { key, application } => {
                key.encode_fields(&mut blob);
                application.as_slice().encode(&mut blob);
            }
            // Handled above.
            Self::Certified(_) => {}
        }
        blob
    }

    /// The name at the head of the blob, e.g. `ssh-rsa`.
    pub fn type_name(&self) -> &'static str {
        self.key().key_type().name(self.certificate().is_some())
    }

    /// The algorithms under which it can be used, most wanted first.
    pub fn algorithms(&self) -> impl Iterator<Item = KeyAlgorithm> + use<> {
        let certified = self.certificate().is_some();
        let signatures = self.key().key_type().signatures();
        signatures.iter().map(move |signature| KeyAlgorithm { signature: *signature, certified })
    }

    /// The certificate it comes in.
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Certified(certificate) => Some(certificate),
            _ => None,
        }
    }

    /// The key itself, out of its certificate if it comes in one.
    pub fn key(&self) -> &Self {
        self.certificate().map_or(self, Certificate::key)
    }

    /// `SHA256:…`; of a certificate that of its key, as OpenSSH does it.
    pub fn fingerprint(&self) -> String {
        crate::fingerprint(&self.key().encode())
    }

    /// Whether `signature_blob` is this key's signature of `message` under `algorithm`.
    ///
    /// Three names must agree: the key's, `algorithm`, and the one in the blob. A security key must have been touched.
    /// A certificate is used as its key: what it certifies is for the caller to check.
    ///
    /// # Errors
    /// [`SignatureError`] when it is not.
    pub fn verify(
        &self,
        algorithm: KeyAlgorithm,
        message: &[u8],
        signature_blob: &[u8],
    ) -> Result<(), SignatureError> {
        match self.verify_security_key(algorithm, message, signature_blob)? {
            Some(seen) if seen.flags & SecurityKeyUse::USER_PRESENT == 0 => {
                Err(SignatureError::UserNotPresent)
            }
            _ => Ok(()),
        }
    }

    /// As [`verify`](Self::verify), but tells what a security key said instead of judging it.
    ///
    /// # Errors
    /// [`SignatureError`] when it is no signature of `message`.
    pub fn verify_security_key(
        &self,
        algorithm: KeyAlgorithm,
        message: &[u8],
        signature_blob: &[u8],
    ) -> Result<Option<SecurityKeyUse>, SignatureError> {
        if !self.algorithms().any(|own| own == algorithm) {
            return Err(SignatureError::WrongAlgorithm);
        }
        signature::verify(self.key(), algorithm.signature, message, signature_blob)
    }

    fn key_type(&self) -> KeyType {
        match self {
            Self::Ed25519(_) => KeyType::Ed25519,
            Self::Ecdsa(key) => KeyType::Ecdsa(key.curve),
            Self::Rsa(_) => KeyType::Rsa,
            Self::SkEd25519 { .. } => KeyType::SkEd25519,
            Self::SkEcdsa { .. } => KeyType::SkEcdsa,
            Self::Certified(certificate) => certificate.key().key_type(),
        }
    }
}

impl EcdsaKey {
    fn encode_fields(&self, blob: &mut Vec<u8>) {
        self.curve.identifier().encode(blob);
        self.point.as_slice().encode(blob);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::built_in;

    fn recorded() -> Vec<crate::testing::Case> {
        let mut all = built_in(include_str!("../testdata/keys.txt"));
        all.extend(built_in(include_str!("../testdata/security_keys.txt")));
        all
    }

    #[test]
    fn blobs_of_openssh_decode_and_encode() {
        for case in recorded() {
            let blob = case.bytes("blob");
            let key = PublicKey::decode(&blob).unwrap();
            assert_eq!(key.encode(), blob);
            assert_eq!(Reader::new(&blob).string().unwrap(), key.type_name().as_bytes());
            assert!(key.certificate().is_none());
            assert_eq!(key.key(), &key);
            assert!(key.algorithms().all(|algorithm| !algorithm.certified));
            if !case.text("name").starts_with("sk-") {
                assert_eq!(key.fingerprint(), case.text("fingerprint"));
            }
        }
    }

    #[test]
    fn cut_and_lengthened_blobs_are_refused() {
        for case in recorded() {
            let blob = case.bytes("blob");
            for cut in 0..blob.len() {
                assert!(PublicKey::decode(&blob[..cut]).is_err(), "cut at {cut}");
            }
            let longer = [&blob[..], &[0]].concat();
            assert_eq!(
                PublicKey::decode(&longer),
                Err(KeyError::Malformed(DecodeError::TrailingBytes))
            );
        }
    }

    fn blob(fields: &[&[u8]]) -> Vec<u8> {
        let mut blob = Vec::new();
        for field in fields {
            field.encode(&mut blob);
        }
        blob
    }

    #[test]
    fn types_nobody_should_use_are_unknown() {
        for name in
            [&b"ssh-dss"[..], b"rsa-sha2-512", b"ssh-ed448", b"", b"ssh-rsa-cert-v00@openssh.com"]
        {
            assert_eq!(PublicKey::decode(&blob(&[name, &[1; 32]])), Err(KeyError::UnknownType));
        }
    }

    #[test]
    fn points_of_the_wrong_form_are_refused() {
        assert_eq!(
            PublicKey::decode(&blob(&[b"ssh-ed25519", &[1; 31]])),
            Err(KeyError::InvalidPoint)
        );
        assert_eq!(
            PublicKey::decode(&blob(&[b"ssh-ed25519", &[1; 33]])),
            Err(KeyError::InvalidPoint)
        );
    }

    #[cfg(feature = "nist")]
    #[test]
    fn nist_points_of_the_wrong_form_are_refused() {
        let name = b"ecdsa-sha2-nistp256".as_slice();
        for point in [&[4; 64][..], &[4; 66], &[2; 33], &[3; 65], &[0], &[]] {
            assert_eq!(
                PublicKey::decode(&blob(&[name, b"nistp256", point])),
                Err(KeyError::InvalidPoint)
            );
        }
        assert_eq!(
            PublicKey::decode(&blob(&[name, b"nistp384", &[4; 65]])),
            Err(KeyError::WrongCurve)
        );
    }
}

//! OpenSSH certificates: every field, and the authority's signature. OpenSSH PROTOCOL.certkeys.
//! Touches: one blob.   Never: clocks, names to match, which authority is trusted.
//! Invariants: the authority's key is no certificate, so nothing nests; critical options and extensions are kept as they stand.
//! Errors: `KeyError` in decoding, `SignatureError` in verification.   Allocates: a bounded number of entries.
//! Proved by: `tests` below (certificates recorded from ssh-keygen), fuzz `certificate`.

use alloc::vec::Vec;

use adit_wire::{DecodeError, Reader};

use crate::public_key::KeyType;
use crate::{KeyError, PublicKey, SignatureAlgorithm, SignatureError, signature};

/// What an authority says about a key.
///
/// `string type · string nonce · key fields · uint64 serial · uint32 kind · string key id · string principals ·
/// uint64 valid after · uint64 valid before · string critical options · string extensions · string reserved ·
/// string signature key · string signature`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Chosen by the authority, to number its certificates.
    pub serial: u64,
    /// For a user or for a host.
    pub kind: CertificateKind,
    /// Free text of the authority, for logs.
    pub key_id: Vec<u8>,
    /// User or host names it is valid for; none at all means any.
    pub valid_principals: Vec<Vec<u8>>,
    /// First second of validity, Unix time.
    pub valid_after: u64,
    /// First second after validity, Unix time; `u64::MAX` means for ever.
    pub valid_before: u64,
    /// Whoever does not understand one of these must refuse the certificate.
    pub critical_options: Vec<NamedData>,
    /// Whoever does not understand one of these may ignore it.
    pub extensions: Vec<NamedData>,
    key: PublicKey,
    signature_key: PublicKey,
    signature: Vec<u8>,
    blob: Vec<u8>,
    /// How much of `blob` the signature covers.
    signed_len: usize,
}

/// Whom a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateKind {
    /// 1
    User,
    /// 2
    Host,
}

/// A critical option or an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedData {
    /// E.g. `force-command`, `permit-port-forwarding`.
    pub name: Vec<u8>,
    /// Empty, or what [`value`](Self::value) reads.
    pub data: Vec<u8>,
}

impl NamedData {
    /// The one string that `data` holds, for options that have a value.
    pub fn value(&self) -> Option<&[u8]> {
        let mut reader = Reader::new(&self.data);
        let value = reader.string().ok()?;
        reader.finish().ok().map(|()| value)
    }
}

/// Entries of one list; OpenSSH allows as many principals.
const MAX_ENTRIES: usize = 256;

impl Certificate {
    /// Reads what follows the type name.
    pub(crate) fn decode(
        key_type: KeyType,
        blob: &[u8],
        mut reader: Reader<'_>,
    ) -> Result<Self, KeyError> {
        let _nonce = reader.string()?;
        let key = key_type.decode_fields(&mut reader)?;
        let serial = reader.field()?;
        let kind = match reader.field::<u32>()? {
            1 => CertificateKind::User,
            2 => CertificateKind::Host,
            _ => return Err(KeyError::UnknownCertificateKind),
        };
        let key_id = reader.string()?.to_vec();
        let valid_principals = entries(reader.string()?, |list| Ok(list.string()?.to_vec()))?;
        let (valid_after, valid_before) = (reader.field()?, reader.field()?);
        let critical_options = entries(reader.string()?, named_data)?;
        let extensions = entries(reader.string()?, named_data)?;
        let _reserved = reader.string()?;
        let signature_key = PublicKey::decode_plain(reader.string()?)?;
        let signed_len = blob.len() - reader.remaining();
        let signature = reader.string()?.to_vec();
        reader.finish()?;
        Ok(Self {
            serial,
            kind,
            key_id,
            valid_principals,
            valid_after,
            valid_before,
            critical_options,
            extensions,
            key,
            signature_key,
            signature,
            blob: blob.to_vec(),
            signed_len,
        })
    }

    /// The key it is about.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The authority's key; whether it is to be trusted is for the caller to know.
    pub const fn signature_key(&self) -> &PublicKey {
        &self.signature_key
    }

    /// The algorithm of the authority's signature, if we know it.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        signature::algorithm(&self.signature)
    }

    /// Whether the authority's key really signed this.
    ///
    /// # Errors
    /// [`SignatureError`] when it did not.
    pub fn verify_ca(&self) -> Result<(), SignatureError> {
        let algorithm = self.signature_algorithm().ok_or(SignatureError::WrongAlgorithm)?;
        self.signature_key.verify(algorithm.plain(), &self.blob[..self.signed_len], &self.signature)
    }

    /// The certificate as it came.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

fn entries<T>(
    list: &[u8],
    one: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, KeyError> {
    let mut reader = Reader::new(list);
    let mut entries = Vec::new();
    while reader.remaining() > 0 {
        if entries.len() == MAX_ENTRIES {
            return Err(KeyError::TooManyEntries);
        }
        entries.push(one(&mut reader)?);
    }
    Ok(entries)
}

fn named_data(list: &mut Reader<'_>) -> Result<NamedData, DecodeError> {
    Ok(NamedData { name: list.string()?.to_vec(), data: list.string()?.to_vec() })
}

#[cfg(test)]
mod tests {
    use adit_wire::Field;

    use super::*;
    use crate::testing::{Case, built_in};
    use crate::{KeyAlgorithm, SystemRandom};

    fn recorded() -> Vec<Case> {
        built_in(include_str!("../testdata/certificates.txt"))
    }

    fn decode(case: &Case) -> (PublicKey, Certificate) {
        let key = PublicKey::decode(&case.bytes("blob")).unwrap();
        let certificate = key.certificate().unwrap().clone();
        (key, certificate)
    }

    fn option(name: &str, value: &[u8]) -> NamedData {
        let mut data = Vec::new();
        value.encode(&mut data);
        NamedData { name: name.into(), data }
    }

    fn flag(name: &str) -> NamedData {
        NamedData { name: name.into(), data: Vec::new() }
    }

    #[test]
    fn every_field_is_as_ssh_keygen_was_told() {
        let all = recorded();
        assert!(all.len() > if cfg!(feature = "nist") { 40 } else { 12 });
        for case in all.iter().filter(|case| matches!(case.text("kind"), "user" | "host")) {
            let (key, certificate) = decode(case);
            assert_eq!(key.encode(), case.bytes("blob"));
            assert_eq!(key.fingerprint(), case.text("fingerprint"));
            assert_eq!(certificate.key().encode(), case.bytes("key"));
            assert_eq!(certificate.signature_key().encode(), case.bytes("signature_key"));
            assert_eq!(certificate.serial, 42);
            assert_eq!(certificate.key_id, b"id of a key");
            assert_eq!(certificate.valid_principals, [&b"ada"[..], b"grace"]);
            assert_eq!(
                (certificate.valid_after, certificate.valid_before),
                (1_704_067_200, 2_019_686_400)
            );
            if case.text("kind") == "host" {
                assert_eq!(certificate.kind, CertificateKind::Host);
                assert_eq!(
                    (certificate.critical_options.len(), certificate.extensions.len()),
                    (0, 0)
                );
                continue;
            }
            assert_eq!(certificate.kind, CertificateKind::User);
            let options =
                [option("force-command", b"/bin/true"), option("source-address", b"10.0.0.0/8")];
            assert_eq!(certificate.critical_options, options);
            assert_eq!(certificate.critical_options[0].value(), Some(&b"/bin/true"[..]));
            let extensions = [
                "permit-X11-forwarding",
                "permit-agent-forwarding",
                "permit-port-forwarding",
                "permit-user-rc",
            ];
            assert_eq!(certificate.extensions, extensions.map(flag));
            assert_eq!(certificate.extensions[0].value(), None);
        }
    }

    #[test]
    fn a_certificate_without_anything_is_for_ever_and_for_anybody() {
        let all = recorded();
        let (_, certificate) =
            decode(all.iter().find(|case| case.text("kind") == "plain").unwrap());
        assert_eq!((certificate.valid_after, certificate.valid_before), (0, u64::MAX));
        assert!(certificate.valid_principals.is_empty() && certificate.key_id.is_empty());
    }

    #[test]
    fn the_authority_s_signature_holds() {
        for case in recorded().iter().filter(|case| case.text("kind") != "sha1") {
            let (_, certificate) = decode(case);
            assert_eq!(
                certificate.verify_ca(),
                Ok(()),
                "{} by {}",
                case.text("subject"),
                case.text("authority")
            );
            assert!(certificate.signature_algorithm().is_some());
        }
    }

    #[test]
    fn a_sha_1_signature_is_no_signature() {
        let all = recorded();
        let (_, certificate) = decode(all.iter().find(|case| case.text("kind") == "sha1").unwrap());
        assert_eq!(certificate.signature_algorithm(), None);
        assert_eq!(certificate.verify_ca(), Err(SignatureError::WrongAlgorithm));
    }

    /// Whatever byte is changed: the blob no longer decodes, or the signature no longer holds.
    #[test]
    fn any_byte_changed_is_noticed() {
        let all = recorded();
        let blob =
            all.iter().find(|case| case.text("authority") == "ed25519").unwrap().bytes("blob");
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            let verified = match PublicKey::decode(&changed) {
                Ok(PublicKey::Certified(certificate)) => certificate.verify_ca().is_ok(),
                Ok(_) | Err(_) => false,
            };
            assert!(!verified, "byte {at}");
        }
    }

    #[test]
    fn cut_and_lengthened_certificates_are_refused() {
        for case in recorded() {
            let blob = case.bytes("blob");
            for cut in (0..blob.len()).step_by(3) {
                assert!(PublicKey::decode(&blob[..cut]).is_err());
            }
            assert!(PublicKey::decode(&[&blob[..], &[0]].concat()).is_err());
        }
    }

    /// A certificate for an Ed25519 key with these two fields.
    fn made(principals: &[u8], signature_key: &[u8]) -> Vec<u8> {
        let mut blob = Vec::new();
        "ssh-ed25519-cert-v01@openssh.com".encode(&mut blob);
        b"nonce".as_slice().encode(&mut blob);
        [7u8; 32].as_slice().encode(&mut blob);
        1u64.encode(&mut blob);
        1u32.encode(&mut blob);
        b"id".as_slice().encode(&mut blob);
        principals.encode(&mut blob);
        0u64.encode(&mut blob);
        u64::MAX.encode(&mut blob);
        for empty in [b"".as_slice(); 3] {
            empty.encode(&mut blob);
        }
        signature_key.encode(&mut blob);
        b"signature".as_slice().encode(&mut blob);
        blob
    }

    fn plain_key() -> Vec<u8> {
        crate::SigningKey::generate_ed25519(&mut SystemRandom::new()).public_blob()
    }

    #[test]
    fn a_certificate_signed_by_a_certificate_is_refused_however_deep() {
        let mut blob = plain_key();
        for _ in 0..1000 {
            blob = made(b"", &blob);
            if blob.len() > 200_000 {
                break;
            }
        }
        assert!(PublicKey::decode(&made(b"", &plain_key())).is_ok());
        assert_eq!(PublicKey::decode(&blob), Err(KeyError::NestedCertificate));
    }

    #[test]
    fn more_principals_than_anybody_needs_are_refused() {
        let list = |count| [0, 0, 0, 0].repeat(count);
        let entries = PublicKey::decode(&made(&list(MAX_ENTRIES), &plain_key())).unwrap();
        assert_eq!(entries.certificate().unwrap().valid_principals.len(), MAX_ENTRIES);
        assert_eq!(
            PublicKey::decode(&made(&list(MAX_ENTRIES + 1), &plain_key())),
            Err(KeyError::TooManyEntries)
        );
    }

    #[test]
    fn a_certified_key_is_used_under_its_certified_name_alone() {
        for case in recorded() {
            let (key, certificate) = decode(&case);
            let names: Vec<_> = key.algorithms().map(KeyAlgorithm::name).collect();
            assert!(names.iter().all(|name| name.ends_with("-cert-v01@openssh.com")), "{names:?}");
            let plain = certificate.key().algorithms().next().unwrap();
            assert_eq!(key.verify(plain, b"", b""), Err(SignatureError::WrongAlgorithm));
        }
    }
}

//! OpenSSH certificates: every field, and the authority's signature. OpenSSH PROTOCOL.certkeys.
//! Touches: one blob.   Never: clocks, names to match, which authority is trusted.
//! Invariants: the authority's key is no certificate, so nothing nests; critical options and extensions are kept as they stand.
//! Errors: `KeyError` in decoding, `SignatureError` in verification.   Allocates: a bounded number of entries.
//! Proved by: `tests` below (certificates recorded from ssh-keygen).

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

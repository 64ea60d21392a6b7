//! Lists of revoked keys: OpenSSH's KRL format, or plain keys line by line. OpenSSH PROTOCOL.krl, ssh_config(5) RevokedHostKeys.
//! Touches: one file.   Never: signatures of lists; whoever can write the file is believed.
//! Invariants: a list that is not understood to its end is an error, since what it revokes is not known.
//! Errors: `RevokedKeysError`.   Allocates: the list, at most 16 MiB of file.
//! Proved by: `tests` below, with lists made by ssh-keygen; fuzz `revoked_keys`.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use adit_crypto::{Certificate, HashAlgorithm, PublicKey};
use adit_wire::{DecodeError, Mpint, Reader};
use sha1::{Digest, Sha1};

use crate::public::PublicKeyLine;

const MAGIC: &[u8] = b"SSHKRL\n\0";
const FORMAT_VERSION: u32 = 1;
const MAX_FILE: u64 = 16 << 20;

/// Types of sections.
mod section {
    pub(super) const CERTIFICATES: u8 = 1;
    pub(super) const EXPLICIT_KEY: u8 = 2;
    pub(super) const FINGERPRINT_SHA1: u8 = 3;
    pub(super) const SIGNATURE: u8 = 4;
    pub(super) const FINGERPRINT_SHA256: u8 = 5;
    pub(super) const EXTENSION: u8 = 255;
    pub(super) const CERT_SERIAL_LIST: u8 = 0x20;
    pub(super) const CERT_SERIAL_RANGE: u8 = 0x21;
    pub(super) const CERT_SERIAL_BITMAP: u8 = 0x22;
    pub(super) const CERT_KEY_ID: u8 = 0x23;
    pub(super) const CERT_EXTENSION: u8 = 0x39;
}

/// Keys and certificates that are not to be trusted, whatever else says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokedKeys {
    keys: Vec<Vec<u8>>,
    fingerprints: Vec<Vec<u8>>,
    certificates: Vec<RevokedCertificates>,
}

/// What is revoked of one authority's certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct RevokedCertificates {
    /// Blob of the authority's key; empty for every authority.
    authority: Vec<u8>,
    /// First and last.
    serials: Vec<(u64, u64)>,
    /// The serial of bit 0, and the bits as a big-endian number.
    bitmaps: Vec<(u64, Vec<u8>)>,
    key_ids: Vec<Vec<u8>>,
}

/// Why a list is of no use. Then nobody can be trusted.
#[derive(Debug)]
#[non_exhaustive]
pub enum RevokedKeysError {
    /// Neither a KRL nor a list of keys, or one with parts we do not know.
    InvalidFormat,
    /// The file cannot be read.
    Io(io::Error),
}

impl RevokedKeys {
    /// Reads a list.
    ///
    /// # Errors
    /// [`RevokedKeysError`], also when there is no such file.
    pub fn load(path: &Path) -> Result<Self, RevokedKeysError> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(RevokedKeysError::Io)?;
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(RevokedKeysError::Io)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(RevokedKeysError::InvalidFormat);
        }
        Self::parse(&bytes)
    }

    /// Takes the bytes of a list.
    ///
    /// # Errors
    /// [`RevokedKeysError::InvalidFormat`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RevokedKeysError> {
        match bytes.strip_prefix(MAGIC) {
            Some(rest) => Self::parse_krl(Reader::new(rest)),
            None => Self::parse_lines(bytes),
        }
    }

    fn parse_lines(bytes: &[u8]) -> Result<Self, RevokedKeysError> {
        let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let keys = lines.map(|line| PublicKeyLine::parse(line).map(|key| key.blob));
        let keys = keys.collect::<Result<_, _>>().map_err(|_| RevokedKeysError::InvalidFormat)?;
        Ok(Self { keys, ..Self::default() })
    }

    /// `uint32 format version · uint64 version · uint64 date · uint64 flags · string reserved · string comment · sections`
    fn parse_krl(mut reader: Reader<'_>) -> Result<Self, RevokedKeysError> {
        if reader.field::<u32>()? != FORMAT_VERSION {
            return Err(RevokedKeysError::InvalidFormat);
        }
        let _version_date_flags: [u64; 3] = [reader.field()?, reader.field()?, reader.field()?];
        let _reserved_comment = [reader.string()?, reader.string()?];
        let mut list = Self::default();
        while reader.remaining() > 0 {
            let section = reader.field()?;
            list.add_section(section, Reader::new(reader.string()?))?;
            if section == section::SIGNATURE {
                // Of two strings, where all other sections have one.
                reader.string()?;
            }
        }
        Ok(list)
    }

    fn add_section(&mut self, section: u8, mut data: Reader<'_>) -> Result<(), RevokedKeysError> {
        match section {
            section::CERTIFICATES => self.certificates.push(RevokedCertificates::parse(data)?),
            section::EXPLICIT_KEY => self.keys.extend(strings(data)?),
            section::FINGERPRINT_SHA1 | section::FINGERPRINT_SHA256 => {
                self.fingerprints.extend(strings(data)?);
            }
            section::SIGNATURE => {}
            section::EXTENSION => extension(&mut data)?,
            _ => return Err(RevokedKeysError::InvalidFormat),
        }
        Ok(())
    }

    /// Whether the key is revoked; of a certificate, whether it, its key or its authority is.
    pub fn is_revoked(&self, key: &PublicKey) -> bool {
        let is_certificate_revoked = key.certificate().is_some_and(|certificate| {
            self.has_key(certificate.signature_key())
                || self.certificates.iter().any(|revoked| revoked.covers(certificate))
        });
        is_certificate_revoked || self.has_key(key.key())
    }

    fn has_key(&self, key: &PublicKey) -> bool {
        let blob = key.encode();
        let (sha1, sha256) = (Sha1::digest(&blob), HashAlgorithm::Sha256.digest(&[&blob]));
        let mut fingerprints = self.fingerprints.iter();
        self.keys.contains(&blob)
            || fingerprints.any(|listed| listed[..] == sha1[..] || listed == sha256.as_ref())
    }
}

impl RevokedCertificates {
    /// `string authority · string reserved · (byte type · string data)*`
    fn parse(mut reader: Reader<'_>) -> Result<Self, RevokedKeysError> {
        let mut revoked = Self { authority: reader.string()?.to_vec(), ..Self::default() };
        let _reserved = reader.string()?;
        while reader.remaining() > 0 {
            let section = reader.field()?;
            revoked.add_section(section, Reader::new(reader.string()?))?;
        }
        Ok(revoked)
    }

    fn add_section(&mut self, section: u8, mut data: Reader<'_>) -> Result<(), RevokedKeysError> {
        match section {
            section::CERT_SERIAL_LIST => {
                while data.remaining() > 0 {
                    let serial = data.field()?;
                    self.serials.push((serial, serial));
                }
            }
            section::CERT_SERIAL_RANGE => {
                self.serials.push((data.field()?, data.field()?));
                data.finish()?;
            }
            section::CERT_SERIAL_BITMAP => {
                let bits = (data.field()?, data.field::<Mpint<'_>>()?.magnitude().to_vec());
                self.bitmaps.push(bits);
                data.finish()?;
            }
            section::CERT_KEY_ID => self.key_ids.extend(strings(data)?),
            section::CERT_EXTENSION => extension(&mut data)?,
            _ => return Err(RevokedKeysError::InvalidFormat),
        }
        Ok(())
    }

    fn covers(&self, certificate: &Certificate) -> bool {
        let is_ours =
            self.authority.is_empty() || self.authority == certificate.signature_key().encode();
        is_ours
            && (self.key_ids.contains(&certificate.key_id) || self.has_serial(certificate.serial))
    }

    /// Zero is what an authority writes that does not number its certificates.
    fn has_serial(&self, serial: u64) -> bool {
        let is_in = |(first, last): &(u64, u64)| (*first..=*last).contains(&serial);
        let is_set = |(offset, bits): &(u64, Vec<u8>)| {
            serial.checked_sub(*offset).is_some_and(|bit| bit_of(bits, bit))
        };
        serial != 0 && (self.serials.iter().any(is_in) || self.bitmaps.iter().any(is_set))
    }
}

/// Bit `bit` of a big-endian number.
fn bit_of(number: &[u8], bit: u64) -> bool {
    let byte = usize::try_from(bit / 8).ok().and_then(|byte| number.iter().nth_back(byte));
    byte.is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
}

fn strings(mut data: Reader<'_>) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut strings = Vec::new();
    while data.remaining() > 0 {
        strings.push(data.string()?.to_vec());
    }
    Ok(strings)
}

/// `string name · boolean critical · string data`: none is known, so a critical one cannot be obeyed.
fn extension(data: &mut Reader<'_>) -> Result<(), RevokedKeysError> {
    data.string()?;
    if data.field()? { Err(RevokedKeysError::InvalidFormat) } else { Ok(()) }
}

impl From<DecodeError> for RevokedKeysError {
    fn from(_: DecodeError) -> Self {
        Self::InvalidFormat
    }
}

impl fmt::Display for RevokedKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidFormat => f.write_str("invalid format"),
            Self::Io(error) => f.write_str(&crate::os_text(error)),
        }
    }
}

impl std::error::Error for RevokedKeysError {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::testdata;

    fn key(name: &str) -> PublicKey {
        let line = PublicKeyLine::load(&testdata(&format!("{name}.pub"))).unwrap();
        PublicKey::decode(&line.blob).unwrap()
    }

    /// ed25519 and certificates for it: all of `ca` but host-rsa-ca; user has serial 42.
    const KEYS: [&str; 5] = [
        "private/ed25519",
        "private/p256",
        "certificate/user-cert",
        "certificate/host-cert",
        "certificate/host-rsa-ca-cert",
    ];

    #[test]
    fn a_list_without_an_end_is_refused() {
        let error = RevokedKeys::load(Path::new("/dev/zero")).unwrap_err();
        assert!(matches!(error, RevokedKeysError::InvalidFormat), "{error:?}");
    }

    /// Which of the keys each recorded list revokes; the same as `ssh-keygen -Q`.
    #[test]
    fn every_kind_of_entry_revokes_what_it_names() {
        for (list, revoked) in [
            ("keys", [true, false, true, true, true]),
            ("sha1", [true, false, true, true, true]),
            ("sha256", [true, false, true, true, true]),
            ("authority", [false, false, true, true, false]),
            ("serial", [false, false, true, false, false]),
            ("range", [false, false, true, false, false]),
            ("bitmap", [false, false, true, false, false]),
            ("other-serials", [false; 5]),
            ("key-id", [false, false, false, true, false]),
            ("any-authority", [false, false, true, false, false]),
            ("empty", [false; 5]),
        ] {
            let list = RevokedKeys::load(&testdata(&format!("revoked/{list}.krl"))).unwrap();
            assert_eq!(KEYS.map(|name| list.is_revoked(&key(name))), revoked, "{list:?}");
        }
    }

    /// Certificates that were not numbered all have the number zero.
    #[test]
    fn the_serial_zero_revokes_nothing() {
        let mut krl = fs::read(testdata("revoked/range.krl")).unwrap();
        let first = krl.windows(8).rposition(|number| number == 40_u64.to_be_bytes()).unwrap();
        krl[first + 7] = 0;
        let list = RevokedKeys::parse(&krl).unwrap();
        assert!(list.is_revoked(&key("certificate/user-cert")));
        assert!(!list.is_revoked(&key("certificate/host-cert")));
    }

    #[test]
    fn a_plain_list_revokes_its_keys_and_what_they_signed() {
        let line = |name: &str| fs::read_to_string(testdata(&format!("{name}.pub"))).unwrap();
        let text =
            format!("# comment\r\n\r\n{}\n  {}", line("private/p256"), line("certificate/ca"));
        let list = RevokedKeys::parse(text.as_bytes()).unwrap();
        let revoked = KEYS.map(|name| list.is_revoked(&key(name)));
        assert_eq!(revoked, [false, true, true, true, false]);
        assert!(RevokedKeys::parse(b"").unwrap() == RevokedKeys::default());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in [&b"no keys"[..], b"\xff", b"ssh-ed25519 AAAA", b"SSHKRL\n\0"] {
            assert!(RevokedKeys::parse(text).is_err(), "{text:?}");
        }
        for entry in fs::read_dir(testdata("revoked")).unwrap() {
            let krl = fs::read(entry.unwrap().path()).unwrap();
            // Where a section ends the list may end as well; it was cut by whoever sent it.
            let cuts = (0..krl.len()).filter(|at| RevokedKeys::parse(&krl[..*at]).is_ok());
            assert!(cuts.count() <= 2);
            for (section, is_taken) in [
                (&b"\xff\0\0\0\x0a\0\0\0\x01x\0\0\0\0\0"[..], true),
                (b"\xff\0\0\0\x0a\0\0\0\x01x\x01\0\0\0\0", false),
                (b"\x04\0\0\0\x03key\0\0\0\x03sig", true),
                (b"\x04\0\0\0\x03key", false),
                (b"\x06\0\0\0\0", false),
            ] {
                let longer = RevokedKeys::parse(&[&krl, section].concat());
                assert_eq!(longer.is_ok(), is_taken, "{section:x?}");
            }
        }
        let error = RevokedKeys::load(Path::new("/nonexistent")).unwrap_err();
        assert_eq!(error.to_string(), "No such file or directory");
    }
}

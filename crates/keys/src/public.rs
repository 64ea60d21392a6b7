//! Public keys in text: `type base64 [comment]`, as in `*.pub` files and known_hosts. sshd(8), RFC 4253 §6.6.
//! Touches: one line, one file.   Never: what the key is good for.
//! Invariants: the name in the text is the name inside the blob.
//! Errors: `PublicKeyError`.   Allocates: the decoded blob; files up to 1 MiB.
//! Proved by: `tests` below, fuzz `known_hosts_line`.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::str::from_utf8;

use adit_wire::Reader;
use base64ct::{Base64, Encoding};

use crate::bounded::Bounded;

/// Larger key files are not read; OpenSSH draws the same line.
pub(crate) const MAX_KEY_FILE: u64 = 1 << 20;

/// Longer lists of authorities are an error.
const MAX_KEY_LIST: u64 = 16 << 20;

/// A public key or certificate as a line of text holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeyLine {
    /// `string name · …`, as it goes over the wire.
    pub blob: Vec<u8>,
    /// What stands behind the key; may be anything.
    pub comment: String,
}

/// Why a text is not a public key.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Not `type base64`, or the type is not the one inside.
    InvalidFormat,
    /// A key, but not a user's certificate.
    NotACertificate,
    /// The file cannot be read.
    Io(io::Error),
}

impl PublicKeyLine {
    /// Reads `type base64 [comment]`; white space around it does not matter.
    ///
    /// # Errors
    /// [`PublicKeyError::InvalidFormat`].
    pub fn parse(line: &[u8]) -> Result<Self, PublicKeyError> {
        let (key_type, rest) = split_word(line.trim_ascii());
        let (base64, comment) = split_word(rest);
        let words = from_utf8(key_type).ok().zip(from_utf8(base64).ok());
        let blob = words.and_then(|(key_type, base64)| decode_blob(key_type, base64));
        let blob = blob.ok_or(PublicKeyError::InvalidFormat)?;
        Ok(Self { blob, comment: String::from_utf8_lossy(comment).into_owned() })
    }

    /// Reads the first key of a `.pub` file.
    ///
    /// # Errors
    /// [`PublicKeyError`].
    pub fn load(path: &Path) -> Result<Self, PublicKeyError> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(PublicKeyError::Io)?;
        file.take(MAX_KEY_FILE).read_to_end(&mut bytes).map_err(PublicKeyError::Io)?;
        let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let line = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"));
        line.ok_or(PublicKeyError::InvalidFormat).and_then(Self::parse)
    }

    /// The key's type by its SSH name, `ssh-ed25519`.
    pub fn key_type(&self) -> &str {
        key_type(&self.blob).unwrap_or_default()
    }
}

/// Whether a file of plain keys, one a line, lists this one (TrustedUserCAKeys); lines that are no keys count for nothing.
///
/// # Errors
/// When the file cannot be read.
pub fn lists_key(path: &Path, blob: &[u8]) -> io::Result<bool> {
    let lines = BufReader::new(Bounded::new(File::open(path)?, MAX_KEY_LIST)).split(b'\n');
    for line in lines {
        if PublicKeyLine::parse(&line?).is_ok_and(|key| key.blob == blob) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `type base64`, as it stands in a file.
pub fn encode(blob: &[u8]) -> String {
    format!("{} {}", key_type(blob).unwrap_or_default(), Base64::encode_string(blob))
}

/// The name at the head of a key blob; `None` when there is none that could be a name.
pub fn key_type(blob: &[u8]) -> Option<&str> {
    let name: &str = Reader::new(blob).field().ok()?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())).then_some(name)
}

/// The blob behind `key_type base64`, when both name the same type.
pub(crate) fn decode_blob(key_type: &str, base64: &str) -> Option<Vec<u8>> {
    let blob = Base64::decode_vec(base64).ok()?;
    (self::key_type(&blob) == Some(key_type)).then_some(blob)
}

/// The first word and what follows the white space behind it.
pub(crate) fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim_ascii_start())
}

impl fmt::Display for PublicKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidFormat => f.write_str("invalid format"),
            Self::NotACertificate => f.write_str("not a user certificate"),
            Self::Io(error) => f.write_str(&crate::os_text(error)),
        }
    }
}

impl std::error::Error for PublicKeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2KyVUAjXOlvsGpyvG8ymvNJT4PGrZ2PDPO5kDSUJcS";

    #[test]
    fn a_line_is_type_key_and_comment() {
        let line = PublicKeyLine::parse(format!("  {KEY}\t me @ home \r\n").as_bytes()).unwrap();
        assert_eq!(line.key_type(), "ssh-ed25519");
        assert_eq!(line.comment, "me @ home");
        assert_eq!(encode(&line.blob), KEY);
        assert_eq!(PublicKeyLine::parse(KEY.as_bytes()).unwrap().comment, "");
    }

    #[test]
    fn a_type_that_is_not_the_one_inside_is_refused() {
        for line in [
            &KEY.replace("ssh-ed25519", "ssh-rsa"),
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-ed25519 !!!!",
            "",
            &KEY[..KEY.len() - 1],
        ] {
            assert!(PublicKeyLine::parse(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn a_list_of_authorities_without_an_end_is_an_error() {
        let error = lists_key(Path::new("/dev/zero"), b"").unwrap_err();
        assert_eq!(error.to_string(), "larger than 16 MiB");
    }
}

//! One line: `[options] type base64 [comment]`. sshd(8) AUTHORIZED_KEYS FILE FORMAT.
//! Touches: one line.   Never: files.
//! Invariants: options end at the first space outside quotes; a line that is not understood is no key.
//! Errors: `LineError`.   Allocates: the key and its options.
//! Proved by: `tests` of `authorized_keys`, fuzz `authorized_keys_line`.

use std::fmt;
use std::str::from_utf8;

use super::options::{KeyOptions, OptionError};
use crate::public::PublicKeyLine;

/// A key that is authorized, or an authority that may authorize keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedKey {
    /// What it may do.
    pub options: KeyOptions,
    /// The key.
    pub key: PublicKeyLine,
}

/// Why a line counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineError {
    /// No key where one should be.
    NoKey,
    /// A key, with options that cannot be obeyed.
    Options {
        /// The key's blob.
        blob: Vec<u8>,
        /// What is wrong.
        error: OptionError,
    },
    /// A key, with options that are not UTF-8.
    NotText {
        /// The key's blob.
        blob: Vec<u8>,
    },
}

impl AuthorizedKey {
    /// Reads a line; `None` for an empty one and for a comment.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn parse(line: &[u8]) -> Result<Option<Self>, LineError> {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(None);
        }
        if let Ok(key) = PublicKeyLine::parse(line) {
            return Ok(Some(Self { options: KeyOptions::default(), key }));
        }
        let (options, rest) = split_options(line);
        let key = PublicKeyLine::parse(rest).map_err(|_| LineError::NoKey)?;
        let Ok(options) = from_utf8(options) else {
            return Err(LineError::NotText { blob: key.blob });
        };
        match KeyOptions::parse(options) {
            Ok(options) => Ok(Some(Self { options, key })),
            Err(error) => Err(LineError::Options { blob: key.blob, error }),
        }
    }
}

impl LineError {
    /// The key that is not authorized for it, where there is one.
    pub fn blob(&self) -> Option<&[u8]> {
        match self {
            Self::NoKey => None,
            Self::Options { blob, .. } | Self::NotText { blob } => Some(blob),
        }
    }
}

/// The options, and what follows the white space behind them.
fn split_options(line: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        match byte {
            b'\\' if line.get(at + 1) == Some(&b'"') => at += 1,
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    let (options, rest) = line.split_at(at.min(line.len()));
    (options, rest.trim_ascii_start())
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("no key"),
            Self::Options { error, .. } => write!(f, "bad key options: {error}"),
            Self::NotText { .. } => f.write_str("bad key options: not UTF-8"),
        }
    }
}

impl std::error::Error for LineError {}

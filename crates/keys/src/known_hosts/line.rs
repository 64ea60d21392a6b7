//! One line of known_hosts: `[@marker] hosts type base64 [comment]`. sshd(8) SSH_KNOWN_HOSTS FILE FORMAT.
//! Touches: one line.   Never: files.
//! Invariants: a line with anything unreadable in it matches no host; the key is decoded only when asked for.
//! Errors: `LineError`.   Allocates: the decoded key.
//! Proved by: `tests` below, fuzz `known_hosts_line`.

use std::fmt;

use adit_crypto::{KeyError, PublicKey, Random};
use adit_pattern::{Verdict, matches_list_ignoring_case};
use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::host::HostName;
use crate::public::{decode_blob, split_word};

/// What the line says about its key, other than "this is the host's".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// `@cert-authority`: certificates signed by this key are good for these hosts.
    CertAuthority,
    /// `@revoked`: this key is not good for these hosts, neither as a host key nor as an authority.
    Revoked,
}

/// A line in its parts, not yet decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The marker, if any.
    pub marker: Option<Marker>,
    /// Patterns, or one hashed name.
    pub hosts: Hosts<'a>,
    /// The key's type by its SSH name.
    pub key_type: &'a str,
    base64: &'a str,
    /// What stands behind the key, in whatever encoding.
    pub comment: &'a [u8],
}

/// The hosts of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts<'a> {
    /// Comma list with `*`, `?` and `!`.
    Patterns(&'a str),
    /// `|1|base64 salt|base64 HMAC-SHA1(salt, name)`.
    Hashed {
        /// Key of the HMAC.
        salt: [u8; HASH_LEN],
        /// Its result.
        digest: [u8; HASH_LEN],
    },
}

/// Why a line is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineError {
    /// Longer than any line that is read.
    TooLong,
    /// Bytes that are not text, other than in the comment.
    NotText,
    /// An unknown marker, or two.
    BadMarker,
    /// `|…` that is not a hashed name.
    BadHash,
    /// Nothing, or not enough, behind the hosts.
    Truncated,
    /// The key is damaged, not of the type named before it, or of a type not known here.
    BadKey,
}

/// SHA-1's.
const HASH_LEN: usize = 20;

impl<'a> Line<'a> {
    /// Splits a line; `None` for an empty one and a comment. A line end may still be on it.
    ///
    /// # Errors
    /// [`LineError`] says why the line cannot be believed.
    pub fn parse(line: &'a [u8]) -> Result<Option<Self>, LineError> {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(None);
        }
        let (marker, rest) = take_marker(line)?;
        let (hosts, rest) = split_word(rest);
        let (key_type, rest) = split_word(rest);
        let (base64, comment) = split_word(rest);
        if base64.is_empty() || key_type.starts_with(b"#") {
            return Err(LineError::Truncated);
        }
        let hosts = Hosts::parse(text(hosts)?)?;
        Ok(Some(Self { marker, hosts, key_type: text(key_type)?, base64: text(base64)?, comment }))
    }

    /// The key as it goes over the wire.
    ///
    /// # Errors
    /// [`LineError::BadKey`], also for types that no host could show us.
    pub fn key(&self) -> Result<Vec<u8>, LineError> {
        let blob = decode_blob(self.key_type, self.base64).ok_or(LineError::BadKey)?;
        match PublicKey::decode(&blob) {
            // A short RSA key is not used any more, but still tells that another is new.
            Ok(_) | Err(KeyError::RsaSize) => Ok(blob),
            Err(_) => Err(LineError::BadKey),
        }
    }

    /// The hosts under which the line knows the key written as `base64`: nothing when it is about
    /// another key or has a marker, and nothing inside when the name is hashed.
    pub(super) fn names(&self, base64: &str) -> Option<Option<String>> {
        (self.marker.is_none() && self.base64 == base64).then_some(match self.hosts {
            Hosts::Patterns(list) => Some(list.to_owned()),
            Hosts::Hashed { .. } => None,
        })
    }
}

fn text(word: &[u8]) -> Result<&str, LineError> {
    std::str::from_utf8(word).map_err(|_| LineError::NotText)
}

fn take_marker(line: &[u8]) -> Result<(Option<Marker>, &[u8]), LineError> {
    if !line.starts_with(b"@") {
        return Ok((None, line));
    }
    let (word, rest) = split_word(line);
    let marker = match word {
        b"@cert-authority" => Marker::CertAuthority,
        b"@revoked" => Marker::Revoked,
        _ => return Err(LineError::BadMarker),
    };
    if rest.starts_with(b"@") { Err(LineError::BadMarker) } else { Ok((Some(marker), rest)) }
}

impl<'a> Hosts<'a> {
    fn parse(text: &'a str) -> Result<Self, LineError> {
        let Some(hashed) = text.strip_prefix('|') else {
            return Ok(Self::Patterns(text));
        };
        let parts = hashed.strip_prefix("1|").and_then(|parts| parts.split_once('|'));
        let (salt, digest) = parts.ok_or(LineError::BadHash)?;
        Ok(Self::Hashed { salt: decode_hash(salt)?, digest: decode_hash(digest)? })
    }

    /// Whether the line is about `host`.
    pub fn matches(&self, host: &HostName) -> bool {
        match self {
            Self::Patterns(list) => {
                matches_list_ignoring_case(host.as_str(), list) == Verdict::Match
            }
            Self::Hashed { salt, digest } => hash_name(salt, host) == *digest,
        }
    }

    /// Whether the line names `host` alone, so that removing it takes nothing from another host.
    pub fn is_only(&self, host: &HostName) -> bool {
        match self {
            Self::Patterns(list) => list.eq_ignore_ascii_case(host.as_str()),
            Self::Hashed { .. } => self.matches(host),
        }
    }
}

fn decode_hash(base64: &str) -> Result<[u8; HASH_LEN], LineError> {
    let mut hash = [0; HASH_LEN];
    match Base64::decode(base64, &mut hash) {
        Ok(decoded) if decoded.len() == HASH_LEN => Ok(hash),
        _ => Err(LineError::BadHash),
    }
}

fn hash_name(salt: &[u8; HASH_LEN], host: &HostName) -> [u8; HASH_LEN] {
    // HMAC takes keys of every length.
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("any length will do");
    mac.update(host.as_str().as_bytes());
    mac.finalize().into_bytes().into()
}

/// How new lines name their hosts (HashKnownHosts).
pub enum Names<'r> {
    /// For all to read.
    Plain,
    /// Hashed, each under a fresh salt.
    Hashed(&'r mut dyn Random),
}

/// A line for `host`, ready to be written, with its line end.
pub(super) fn encode(host: &HostName, key: &[u8], names: &mut Names<'_>) -> String {
    let name = match names {
        Names::Plain => host.to_string(),
        Names::Hashed(rng) => {
            let mut salt = [0; HASH_LEN];
            rng.fill(&mut salt);
            let digest = Base64::encode_string(&hash_name(&salt, host));
            format!("|1|{}|{digest}", Base64::encode_string(&salt))
        }
    };
    format!("{name} {}\n", crate::public::encode(key))
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "line too long",
            Self::NotText => "not text",
            Self::BadMarker => "invalid marker",
            Self::BadHash => "bad host hash",
            Self::Truncated => "truncated",
            Self::BadKey => "invalid key",
        })
    }
}

impl std::error::Error for LineError {}

//! Name-lists: comma-separated algorithm and method names. RFC 4251 §5 and §6.
//! Touches: one borrowed text.   Never: allocation.
//! Invariants: a decoded list holds printable US-ASCII names, none of them empty.
//! Errors: `DecodeError::InvalidNameList`.   Allocates: never.
//! Proved by: `tests` below, fuzz `wire_messages`.

use crate::primitives::{DecodeError, Field, Reader};
use alloc::vec::Vec;

/// `name-list`: `string` of names, most wanted first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameList<'a>(&'a str);

impl<'a> NameList<'a> {
    /// Wraps names joined by commas, as they stand on the wire.
    pub const fn new(joined: &'a str) -> Self {
        Self(joined)
    }

    /// The names joined by commas.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// The names, most wanted first.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        // An empty text is an empty list, not a list of one empty name.
        self.0.split(',').filter(|name| !name.is_empty())
    }

    /// The most wanted name.
    pub fn first(&self) -> Option<&'a str> {
        self.iter().next()
    }

    /// Whether `name` is in the list.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|each| each == name)
    }
}

impl<'a> Field<'a> for NameList<'a> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bytes = reader.string()?;
        let printable = bytes.iter().all(|byte| (0x21..0x7f).contains(byte));
        let joined = core::str::from_utf8(bytes).map_err(|_| DecodeError::InvalidNameList)?;
        if printable && (joined.is_empty() || joined.split(',').all(|name| !name.is_empty())) {
            Ok(Self(joined))
        } else {
            Err(DecodeError::InvalidNameList)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8]) -> Result<Vec<&str>, DecodeError> {
        let mut wire = Vec::new();
        text.encode(&mut wire);
        let wire = wire.leak();
        Reader::new(wire).field::<NameList>().map(|list| list.iter().collect())
    }

    #[test]
    fn names_keep_their_order() {
        assert_eq!(decoded(b"zlib,none").unwrap(), ["zlib", "none"]);
        assert_eq!(decoded(b"").unwrap(), [""; 0]);
    }

    #[test]
    fn empty_and_unprintable_names_are_refused() {
        for text in [&b",none"[..], b"none,", b"a,,b", b"a b", b"a\0", b"\xc3\xa4", b"\x7f"] {
            assert_eq!(decoded(text), Err(DecodeError::InvalidNameList), "{text:?}");
        }
    }
}

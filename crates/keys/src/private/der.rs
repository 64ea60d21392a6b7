//! The little of DER that key files are made of. ITU-T X.690 §8.
//! Touches: one borrowed document.   Never: what it means.
//! Invariants: a length is checked before it is used; lengths are definite and below 2^24.
//! Errors: `Cause::InvalidFormat`.   Allocates: never.
//! Proved by: `tests` below and of `private`, fuzz `private_key`.

use super::Cause;

/// Tags of what occurs.
pub(super) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const SEQUENCE: u8 = 0x30;
    /// `[n]`, constructed.
    pub(crate) const fn context(number: u8) -> u8 {
        0xa0 | number
    }
}

/// What is left of a value's content.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Opens a document: one sequence and nothing behind it.
    pub(super) fn document(bytes: &'a [u8]) -> Result<Self, Cause> {
        let mut whole = Self(bytes);
        let content = whole.sequence()?;
        if whole.0.is_empty() { Ok(content) } else { Err(Cause::InvalidFormat) }
    }

    /// Opens any content.
    pub(super) const fn content(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Takes the content of the next value, which must have this tag.
    pub(super) fn value(&mut self, tag: u8) -> Result<&'a [u8], Cause> {
        let (&found, rest) = self.0.split_first().ok_or(Cause::InvalidFormat)?;
        let (length, rest) = length(rest).ok_or(Cause::InvalidFormat)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Cause::InvalidFormat)?;
        if found != tag {
            return Err(Cause::InvalidFormat);
        }
        self.0 = rest;
        Ok(content)
    }

    /// Takes the next value if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Cause> {
        if self.0.first() == Some(&tag) { self.value(tag).map(Some) } else { Ok(None) }
    }

    pub(super) fn sequence(&mut self) -> Result<Self, Cause> {
        self.value(tag::SEQUENCE).map(Self)
    }

    pub(super) fn oid(&mut self) -> Result<&'a [u8], Cause> {
        self.value(tag::OBJECT_IDENTIFIER)
    }

    /// Takes an integer that is not negative, as its magnitude with at most one leading zero.
    pub(super) fn integer(&mut self) -> Result<&'a [u8], Cause> {
        let content = self.value(tag::INTEGER)?;
        if content.first().is_some_and(|byte| byte & 0x80 == 0) {
            Ok(content)
        } else {
            Err(Cause::InvalidFormat)
        }
    }

    /// Takes an integer that fits.
    pub(super) fn small(&mut self) -> Result<u32, Cause> {
        let magnitude = self.integer()?;
        if magnitude.len() > 4 {
            return Err(Cause::InvalidFormat);
        }
        Ok(magnitude.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }
}

/// One byte below 128, or 0x80 + n and n bytes.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=3).contains(&count) {
        return None;
    }
    let (length, rest) = rest.split_at_checked(count)?;
    Some((length.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_in_order_and_whole() {
        let mut der = Der::document(b"\x30\x08\x02\x01\x05\x02\x03\x00\xff\x01").unwrap();
        assert_eq!(der.small().unwrap(), 5);
        assert!(matches!(der.optional(tag::OCTET_STRING), Ok(None)));
        assert_eq!(der.integer().unwrap(), b"\x00\xff\x01");
        assert!(der.integer().is_err());
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        for bytes in [
            &b""[..],
            b"\x30",
            b"\x30\x01",
            b"\x30\x00\x00",
            b"\x30\x80\x00\x00",
            b"\x30\x81",
            b"\x30\x84\x00\x00\x00\x00",
            b"\x30\x83\xff\xff\xff\x00",
            b"\x31\x00",
        ] {
            assert!(Der::document(bytes).is_err(), "{bytes:x?}");
        }
        assert!(Der::document(b"\x30\x81\x01\x00").is_ok());
    }

    #[test]
    fn negative_empty_and_large_numbers_are_refused() {
        for bytes in [&b"\x02\x01\x80"[..], b"\x02\x00", b"\x02\x05\x00\xff\xff\xff\xff"] {
            assert!(Der::content(bytes).small().is_err(), "{bytes:x?}");
        }
        assert_eq!(Der::content(b"\x02\x04\x7f\xff\xff\xff").small().unwrap(), 0x7fff_ffff);
    }
}

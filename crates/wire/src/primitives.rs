//! The data types of RFC 4251 §5: byte, boolean, uint32, uint64, string, mpint.
//! Touches: byte slices.   Never: allocation while decoding.
//! Invariants: a `Reader` never reads past its slice; a length field is checked before it is used.
//! Errors: `DecodeError`.   Allocates: the caller's `Vec` only.
//! Proved by: `tests` below, fuzz `wire_messages`.

use alloc::vec::Vec;
use core::fmt;

/// Why bytes are not the message they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message ends before the field does.
    Truncated,
    /// Bytes follow the last field.
    TrailingBytes,
    /// A name or a text that must be UTF-8 is not.
    InvalidUtf8,
    /// A name-list holds an empty name or a byte outside printable US-ASCII (RFC 4251 §5).
    InvalidNameList,
    /// An mpint is negative or carries needless leading zeros (RFC 4251 §5).
    InvalidMpint,
    /// The first byte is not the number of the message expected.
    WrongNumber(u8),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("message ends too early"),
            Self::TrailingBytes => f.write_str("bytes after the end of the message"),
            Self::InvalidUtf8 => f.write_str("name is not UTF-8"),
            Self::InvalidNameList => f.write_str("malformed name-list"),
            Self::InvalidMpint => f.write_str("malformed mpint"),
            Self::WrongNumber(number) => write!(f, "unexpected message number {number}"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// A cursor over a received message.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes the next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// Takes one field of whatever type the caller wants.
    pub fn field<F: Field<'a>>(&mut self) -> Result<F, DecodeError> {
        F::decode(self)
    }

    /// Takes a `string`: `uint32 length · bytes`.
    pub fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let length: u32 = self.field()?;
        self.take(length as usize)
    }

    /// Takes everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Ends the message: an error if bytes are left over.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}

/// A data type of RFC 4251 §5, or one made of them, as it stands inside a message.
pub trait Field<'a>: Sized {
    /// Appends the wire form to `out`.
    fn encode(&self, out: &mut Vec<u8>);
    /// Takes the wire form from `reader`.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
}

/// `byte`
impl Field<'_> for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.take(1)?.first().copied().ok_or(DecodeError::Truncated)
    }
}

/// `boolean`: all non-zero values are true.
impl Field<'_> for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(reader.field::<u8>()? != 0)
    }
}

/// `uint32`, big-endian
impl Field<'_> for u32 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.field::<[u8; 4]>().map(Self::from_be_bytes)
    }
}

/// `uint64`, big-endian
impl Field<'_> for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.field::<[u8; 8]>().map(Self::from_be_bytes)
    }
}

/// `byte[n]`
impl<const N: usize> Field<'_> for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(reader.take(N)?);
        Ok(bytes)
    }
}

/// `string` of arbitrary bytes
impl<'a> Field<'a> for &'a [u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        // A string longer than u32::MAX cannot stand in any packet (RFC 4253 §6.1).
        (self.len() as u32).encode(out);
        out.extend_from_slice(self);
    }
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.string()
    }
}

/// `string` of UTF-8 text, for names and addresses
impl<'a> Field<'a> for &'a str {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        core::str::from_utf8(reader.string()?).map_err(|_| DecodeError::InvalidUtf8)
    }
}

/// `mpint`: a non-negative integer, kept as its big-endian bytes without leading zeros. RFC 4251 §5.
///
/// `uint32 length · two's complement, most significant byte first`
///
/// SSH sends no negative numbers; one is refused here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mpint<'a>(&'a [u8]);

impl<'a> Mpint<'a> {
    /// Wraps a big-endian magnitude; leading zeros are dropped.
    pub fn new(magnitude: &'a [u8]) -> Self {
        let first = magnitude.iter().position(|byte| *byte != 0);
        Self(first.and_then(|first| magnitude.get(first..)).unwrap_or_default())
    }

    /// The magnitude, big-endian, without leading zeros; zero is empty.
    pub const fn magnitude(&self) -> &'a [u8] {
        self.0
    }
}

/// Only the size: an mpint may be a secret.
impl fmt::Debug for Mpint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mpint({} bytes)", self.0.len())
    }
}

impl<'a> Field<'a> for Mpint<'a> {
    fn encode(&self, out: &mut Vec<u8>) {
        // A set top bit would read as a sign: a zero byte goes before it.
        let sign = self.0.first().is_some_and(|byte| byte & 0x80 != 0);
        (self.0.len() as u32 + u32::from(sign)).encode(out);
        if sign {
            out.push(0);
        }
        out.extend_from_slice(self.0);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match *reader.string()? {
            [] => Ok(Self(&[])),
            [0, ref magnitude @ ..] if magnitude.first().is_some_and(|byte| byte & 0x80 != 0) => {
                Ok(Self(magnitude))
            }
            [0 | 0x80.., ..] => Err(DecodeError::InvalidMpint),
            ref magnitude => Ok(Self(magnitude)),
        }
    }
}

/// What a message carries after the fields its type decides: its shape hangs on a name before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest<'a>(pub &'a [u8]);

impl<'a> Field<'a> for Rest<'a> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self(reader.rest()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<'a>(field: impl Field<'a>) -> Vec<u8> {
        let mut out = Vec::new();
        field.encode(&mut out);
        out
    }

    fn decoded<'a, F: Field<'a>>(bytes: &'a [u8]) -> Result<F, DecodeError> {
        let mut reader = Reader::new(bytes);
        let field = reader.field()?;
        reader.finish().map(|()| field)
    }

    /// The examples printed in RFC 4251 §5.
    #[test]
    fn mpint_examples_of_rfc_4251() {
        let cases: [(&[u8], &[u8]); 3] = [
            (&[], &[0, 0, 0, 0]),
            (
                &[0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7],
                &[0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7],
            ),
            (&[0x80], &[0, 0, 0, 2, 0, 0x80]),
        ];
        for (magnitude, wire) in cases {
            assert_eq!(encoded(Mpint::new(magnitude)), wire);
            assert_eq!(decoded::<Mpint>(wire).unwrap().magnitude(), magnitude);
        }
    }

    #[test]
    fn mpint_that_is_negative_or_padded_is_refused() {
        for wire in [&[0, 0, 0, 1, 0x80][..], &[0, 0, 0, 2, 0, 1], &[0, 0, 0, 1, 0]] {
            assert_eq!(decoded::<Mpint>(wire), Err(DecodeError::InvalidMpint));
        }
    }

    #[test]
    fn mpint_drops_leading_zeros() {
        assert_eq!(encoded(Mpint::new(&[0, 0, 0x7f])), [0, 0, 0, 1, 0x7f]);
    }

    #[test]
    fn string_longer_than_the_message_is_truncated() {
        for wire in [&[0, 0, 0, 5, 1][..], &[0xff; 4], &[0x7f, 0xff, 0xff, 0xff, 0], &[0, 0]] {
            assert_eq!(decoded::<&[u8]>(wire), Err(DecodeError::Truncated));
        }
    }

    #[test]
    fn any_non_zero_boolean_is_true() {
        assert_eq!(decoded::<bool>(&[0]), Ok(false));
        assert_eq!(decoded::<bool>(&[1]), Ok(true));
        assert_eq!(decoded::<bool>(&[0xff]), Ok(true));
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        assert_eq!(decoded::<&str>(&[0, 0, 0, 1, 0xff]), Err(DecodeError::InvalidUtf8));
    }

    #[test]
    fn leftover_bytes_are_refused() {
        assert_eq!(decoded::<u8>(&[1, 2]), Err(DecodeError::TrailingBytes));
    }
}

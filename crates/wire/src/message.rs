//! What every message has: a number, fields in order, nothing after them.
//! Touches: the traits and the macro that all message rooms use.   Never: any one message.
//! Invariants: `decode` accounts for every byte; fields are encoded in the order they are declared.
//! Errors: `DecodeError`.   Allocates: the caller's `Vec` only.
//! Proved by: the round trips in each message room.

use crate::primitives::{DecodeError, Reader};
use alloc::vec::Vec;

/// A whole message: `byte number · fields`.
pub trait Message<'a>: Sized {
    /// The message number, RFC 4250 §4.1.
    const NUMBER: u8;

    /// Appends number and fields to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads a payload that starts with this message's number.
    ///
    /// # Errors
    /// [`DecodeError`] when the number is another, a field does not fit or bytes are left over.
    fn decode(payload: &'a [u8]) -> Result<Self, DecodeError>;
}

/// What stands in a [`Rest`](crate::Rest): fields in order, without a number of their own.
pub trait Body<'a>: Sized {
    /// Appends the fields to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads the fields and nothing after them.
    ///
    /// # Errors
    /// [`DecodeError`] when a field does not fit or bytes are left over.
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError>;
}

/// Takes the number off a payload and gives the reader of what follows.
pub(crate) fn open<'a>(payload: &'a [u8], number: u8) -> Result<Reader<'a>, DecodeError> {
    let mut reader = Reader::new(payload);
    match reader.field::<u8>()? {
        found if found == number => Ok(reader),
        found => Err(DecodeError::WrongNumber(found)),
    }
}

/// Takes the fields and makes sure that nothing follows them.
pub(crate) fn whole<'a, F: Fields<'a>>(mut reader: Reader<'a>) -> Result<F, DecodeError> {
    let fields = F::decode_fields(&mut reader)?;
    reader.finish().map(|()| fields)
}

/// Defines messages: struct, wire form in field order, and nothing to forget.
///
/// `NUMBER Name<'a> { field: Type, … }` implements [`Message`], `Name { … }` implements [`Body`].
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $($number:literal)? $name:ident $(<$life:lifetime>)? { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name $(<$life>)? { $($(#[$field_doc])* pub $field: $type),* }

        $crate::message::messages!(@impl [$($number)?] $name [$($life)?] [$($field)*]);
    )*};
    (@impl [$number:literal] $name:ident [$($life:lifetime)?] [$($field:ident)*]) => {
        $crate::message::messages!(@fields $name [$($life)?] [$($field)*]);
        $crate::message::messages!(@message $number $name [$($life)?]);
    };
    (@impl [] $name:ident [$($life:lifetime)?] [$($field:ident)*]) => {
        $crate::message::messages!(@fields $name [$($life)?] [$($field)*]);
        $crate::message::messages!(@body $name [$($life)?]);
    };
    (@message $number:literal $name:ident [$life:lifetime]) => {
        impl<$life> $crate::Message<$life> for $name<$life> {
            $crate::message::messages!(@message_items $number $life);
        }
    };
    (@message $number:literal $name:ident []) => {
        impl<'m> $crate::Message<'m> for $name {
            $crate::message::messages!(@message_items $number 'm);
        }
    };
    (@message_items $number:literal $life:lifetime) => {
        const NUMBER: u8 = $number;
        fn encode(&self, out: &mut alloc::vec::Vec<u8>) {
            out.push($number);
            $crate::message::Fields::encode_fields(self, out);
        }
        fn decode(payload: &$life [u8]) -> Result<Self, $crate::DecodeError> {
            $crate::message::whole($crate::message::open(payload, $number)?)
        }
    };
    (@body $name:ident [$life:lifetime]) => {
        impl<$life> $crate::Body<$life> for $name<$life> {
            $crate::message::messages!(@body_items $life);
        }
    };
    (@body $name:ident []) => {
        impl<'m> $crate::Body<'m> for $name {
            $crate::message::messages!(@body_items 'm);
        }
    };
    (@body_items $life:lifetime) => {
        fn encode(&self, out: &mut alloc::vec::Vec<u8>) {
            $crate::message::Fields::encode_fields(self, out);
        }
        fn decode(bytes: &$life [u8]) -> Result<Self, $crate::DecodeError> {
            $crate::message::whole($crate::Reader::new(bytes))
        }
    };
    (@fields $name:ident [$life:lifetime] [$($field:ident)*]) => {
        impl<$life> $crate::message::Fields<$life> for $name<$life> {
            fn encode_fields(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::Field::encode(&self.$field, out);)*
            }
            fn decode_fields(reader: &mut $crate::Reader<$life>) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: reader.field()?),* })
            }
        }
    };
    (@fields $name:ident [] [$($field:ident)*]) => {
        impl $crate::message::Fields<'_> for $name {
            #[allow(unused_variables, reason = "a message may have no fields")]
            fn encode_fields(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::Field::encode(&self.$field, out);)*
            }
            #[allow(unused_variables, reason = "a message may have no fields")]
            fn decode_fields(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: reader.field()?),* })
            }
        }
    };
}
pub(crate) use messages;

/// The fields of a message in declaration order; what [`messages!`] writes for each struct.
pub(crate) trait Fields<'a>: Sized {
    /// Appends the fields.
    fn encode_fields(&self, out: &mut Vec<u8>);
    /// Takes the fields.
    fn decode_fields(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use core::fmt::Debug;

    /// Encodes, decodes, then refuses one byte more and every cut.
    pub(crate) fn round_trip<'a, M: Message<'a> + PartialEq + Debug>(message: M) {
        let wire = encoded(&|out| message.encode(out));
        assert_eq!(wire[0], M::NUMBER);
        assert_eq!(M::decode(wire), Ok(message));
        assert_eq!(M::decode(&[]), Err(DecodeError::Truncated));
        let other = encoded(&|out| out.extend([&[M::NUMBER ^ 1], &wire[1..]].concat()));
        assert_eq!(M::decode(other), Err(DecodeError::WrongNumber(M::NUMBER ^ 1)));
    }

    /// The same for what has no number.
    pub(crate) fn body_round_trip<'a, B: Body<'a> + PartialEq + Debug>(body: B) {
        let wire = encoded(&|out| body.encode(out));
        assert_eq!(B::decode(wire).as_ref(), Ok(&body));
        let longer = encoded(&|out| out.extend([wire, &[0]].concat()));
        assert_eq!(B::decode(longer), Err(DecodeError::TrailingBytes));
        for cut in 0..wire.len() {
            assert!(B::decode(&wire[..cut]).is_err(), "cut at {cut}");
        }
    }

    /// Leaked, so that messages of any lifetime can be compared; tests are short.
    fn encoded(write: &dyn Fn(&mut Vec<u8>)) -> &'static [u8] {
        let mut wire = Vec::new();
        write(&mut wire);
        wire.leak()
    }
}

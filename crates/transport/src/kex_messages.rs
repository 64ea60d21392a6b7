//! Where the public values of a key exchange travel, by the method's shape. RFC 4253 §8, RFC 5656 §4, RFC 4419 §3.
//! Touches: payloads of messages 30 to 33.   Never: what the values mean, whose turn it is.
//! Invariants: a value is a string with elliptic curves and hybrids, an mpint in finite fields.
//! Errors: `InvalidMessage`.   Allocates: the encoded message.
//! Proved by: `tests` below, `tests::pair` (every method).

use alloc::vec::Vec;

use adit_crypto::KexShape;
use adit_wire::kex::{
    KexDhGexInit, KexDhGexReply, KexEcdhInit, KexEcdhReply, KexdhInit, KexdhReply,
};
use adit_wire::{Message, Mpint};

use crate::error::Error;

/// The number of the client's value: 30, or 32 once a group was chosen.
pub(crate) const fn init_number(shape: KexShape) -> u8 {
    match shape {
        KexShape::Ecdh => KexEcdhInit::NUMBER,
        KexShape::Dh => KexdhInit::NUMBER,
        KexShape::GroupExchange => KexDhGexInit::NUMBER,
    }
}

/// The number of the server's answer: 31, or 33.
pub(crate) const fn reply_number(shape: KexShape) -> u8 {
    init_number(shape) + 1
}

/// The client's value as a message.
pub(crate) fn encode_init(shape: KexShape, public: &[u8]) -> Vec<u8> {
    let (mut out, number) = (Vec::new(), Mpint::new(public));
    match shape {
        KexShape::Ecdh => KexEcdhInit { q_c: public }.encode(&mut out),
        KexShape::Dh => KexdhInit { e: number }.encode(&mut out),
        KexShape::GroupExchange => KexDhGexInit { e: number }.encode(&mut out),
    }
    out
}

/// Q_C, or the magnitude of e.
pub(crate) fn decode_init(shape: KexShape, payload: &[u8]) -> Result<&[u8], Error> {
    match shape {
        KexShape::Ecdh => KexEcdhInit::decode(payload).map(|init| init.q_c),
        KexShape::Dh => KexdhInit::decode(payload).map(|init| init.e.magnitude()),
        KexShape::GroupExchange => KexDhGexInit::decode(payload).map(|init| init.e.magnitude()),
    }
    .map_err(|error| Error::decode(payload, error))
}

/// The server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    /// K_S
    pub(crate) host_key: &'a [u8],
    /// Q_S, or the magnitude of f.
    pub(crate) public: &'a [u8],
    /// Of H, by K_S.
    pub(crate) signature: &'a [u8],
}

impl<'a> Reply<'a> {
    pub(crate) fn encode(&self, shape: KexShape) -> Vec<u8> {
        let (mut out, number) = (Vec::new(), Mpint::new(self.public));
        let Self { host_key: k_s, public: q_s, signature } = *self;
        match shape {
            KexShape::Ecdh => KexEcdhReply { k_s, q_s, signature }.encode(&mut out),
            KexShape::Dh => KexdhReply { k_s, f: number, signature }.encode(&mut out),
            KexShape::GroupExchange => {
                KexDhGexReply { k_s, f: number, signature }.encode(&mut out);
            }
        }
        out
    }

    pub(crate) fn decode(shape: KexShape, payload: &'a [u8]) -> Result<Self, Error> {
        let reply = |k_s, public, signature| Self { host_key: k_s, public, signature };
        match shape {
            KexShape::Ecdh => {
                KexEcdhReply::decode(payload).map(|m| reply(m.k_s, m.q_s, m.signature))
            }
            KexShape::Dh => {
                KexdhReply::decode(payload).map(|m| reply(m.k_s, m.f.magnitude(), m.signature))
            }
            KexShape::GroupExchange => {
                KexDhGexReply::decode(payload).map(|m| reply(m.k_s, m.f.magnitude(), m.signature))
            }
        }
        .map_err(|error| Error::decode(payload, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [KexShape; 3] = [KexShape::Ecdh, KexShape::Dh, KexShape::GroupExchange];

    #[test]
    fn values_come_back_from_every_shape() {
        for shape in SHAPES {
            let init = encode_init(shape, &[0x80, 1]);
            assert_eq!(init[0], init_number(shape));
            assert_eq!(decode_init(shape, &init), Ok(&[0x80, 1][..]));
            let reply = Reply { host_key: b"key", public: &[0xff], signature: b"sig" };
            let payload = reply.encode(shape);
            assert_eq!(payload[0], reply_number(shape));
            assert_eq!(Reply::decode(shape, &payload), Ok(reply));
        }
    }

    #[test]
    fn one_byte_too_many_is_refused() {
        for shape in SHAPES {
            let init = [encode_init(shape, b"value"), alloc::vec![0]].concat();
            assert!(decode_init(shape, &init).is_err());
            let reply = Reply { host_key: b"key", public: b"value", signature: b"sig" };
            let payload = [reply.encode(shape), alloc::vec![0]].concat();
            assert!(Reply::decode(shape, &payload).is_err());
        }
    }
}

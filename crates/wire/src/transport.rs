//! Messages of the transport layer that no key exchange method owns. RFC 4253 §7, §10, §11; RFC 8308 §2.3.
//! Touches: borrowed payloads.   Never: what the messages mean.
//! Invariants: those of `message`.
//! Errors: `DecodeError`.   Allocates: the caller's `Vec` only.
//! Proved by: `tests` below, fuzz `wire_messages`.

use crate::message::{messages, open};
use crate::{DecodeError, Field, Message, NameList, Reader};
use alloc::vec::Vec;

messages! {
    /// SSH_MSG_DISCONNECT (1): the sender ends the connection. RFC 4253 §11.1.
    ///
    /// `byte 1 · uint32 reason code · string description · string language tag`
    1 Disconnect<'a> {
        /// Why, see [`reason`].
        reason_code: u32,
        /// Text for a human; may hold anything, so it is kept as bytes.
        description: &'a [u8],
        /// RFC 3066 tag.
        language_tag: &'a [u8],
    }

    /// SSH_MSG_IGNORE (2): no meaning at all. RFC 4253 §11.2.
    ///
    /// `byte 2 · string data`
    2 Ignore<'a> {
        /// Anything.
        data: &'a [u8],
    }

    /// SSH_MSG_UNIMPLEMENTED (3): the receiver does not know a message. RFC 4253 §11.4.
    ///
    /// `byte 3 · uint32 packet sequence number of rejected message`
    3 Unimplemented {
        /// Sequence number of the packet that was not understood.
        packet_sequence_number: u32,
    }

    /// SSH_MSG_DEBUG (4): text for debugging. RFC 4253 §11.3.
    ///
    /// `byte 4 · boolean always_display · string message · string language tag`
    4 Debug<'a> {
        /// Show it even when not asked for debugging output.
        always_display: bool,
        /// The text.
        message: &'a [u8],
        /// RFC 3066 tag.
        language_tag: &'a [u8],
    }

    /// SSH_MSG_SERVICE_REQUEST (5). RFC 4253 §10.
    ///
    /// `byte 5 · string service name`
    5 ServiceRequest<'a> {
        /// `ssh-userauth` or `ssh-connection`.
        service_name: &'a str,
    }

    /// SSH_MSG_SERVICE_ACCEPT (6). RFC 4253 §10.
    ///
    /// `byte 6 · string service name`
    6 ServiceAccept<'a> {
        /// The service that was asked for.
        service_name: &'a str,
    }

    /// SSH_MSG_KEXINIT (20): what the sender can do, most wanted first. RFC 4253 §7.1.
    ///
    /// `byte 20 · byte[16] cookie · name-list x 10 · boolean first_kex_packet_follows · uint32 0`
    20 KexInit<'a> {
        /// Random; makes the exchange hash unpredictable to either side alone.
        cookie: [u8; 16],
        /// Key exchange methods, and the markers `ext-info-c`, `kex-strict-c-v00@openssh.com` and their like.
        kex_algorithms: NameList<'a>,
        /// Host key algorithms.
        server_host_key_algorithms: NameList<'a>,
        /// Ciphers, client to server.
        encryption_algorithms_client_to_server: NameList<'a>,
        /// Ciphers, server to client.
        encryption_algorithms_server_to_client: NameList<'a>,
        /// MACs, client to server.
        mac_algorithms_client_to_server: NameList<'a>,
        /// MACs, server to client.
        mac_algorithms_server_to_client: NameList<'a>,
        /// Compression, client to server.
        compression_algorithms_client_to_server: NameList<'a>,
        /// Compression, server to client.
        compression_algorithms_server_to_client: NameList<'a>,
        /// Languages, client to server; empty in practice.
        languages_client_to_server: NameList<'a>,
        /// Languages, server to client; empty in practice.
        languages_server_to_client: NameList<'a>,
        /// A guessed first key exchange packet comes right behind.
        first_kex_packet_follows: bool,
        /// Zero; reserved for extensions.
        reserved: u32,
    }

    /// SSH_MSG_NEWKEYS (21): what follows is under the new keys. RFC 4253 §7.3.
    ///
    /// `byte 21`
    21 NewKeys {}

    /// SSH2_MSG_PING (192): asks for a [`Pong`]. OpenSSH PROTOCOL §1.8 (`ping@openssh.com`).
    ///
    /// `byte 192 · string data`
    192 Ping<'a> {
        /// Comes back unchanged.
        data: &'a [u8],
    }

    /// SSH2_MSG_PONG (193): the answer to a [`Ping`].
    ///
    /// `byte 193 · string data`
    193 Pong<'a> {
        /// What the ping carried.
        data: &'a [u8],
    }
}

/// Disconnect reason codes. RFC 4253 §11.1.
pub mod reason {
    /// SSH_DISCONNECT_HOST_NOT_ALLOWED_TO_CONNECT
    pub const HOST_NOT_ALLOWED_TO_CONNECT: u32 = 1;
    /// SSH_DISCONNECT_PROTOCOL_ERROR
    pub const PROTOCOL_ERROR: u32 = 2;
    /// SSH_DISCONNECT_KEY_EXCHANGE_FAILED
    pub const KEY_EXCHANGE_FAILED: u32 = 3;
    /// SSH_DISCONNECT_MAC_ERROR
    pub const MAC_ERROR: u32 = 5;
    /// SSH_DISCONNECT_SERVICE_NOT_AVAILABLE
    pub const SERVICE_NOT_AVAILABLE: u32 = 7;
    /// SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED
    pub const PROTOCOL_VERSION_NOT_SUPPORTED: u32 = 8;
    /// SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE
    pub const HOST_KEY_NOT_VERIFIABLE: u32 = 9;
    /// SSH_DISCONNECT_CONNECTION_LOST
    pub const CONNECTION_LOST: u32 = 10;
    /// SSH_DISCONNECT_BY_APPLICATION
    pub const BY_APPLICATION: u32 = 11;
    /// SSH_DISCONNECT_TOO_MANY_CONNECTIONS
    pub const TOO_MANY_CONNECTIONS: u32 = 12;
    /// SSH_DISCONNECT_AUTH_CANCELLED_BY_USER
    pub const AUTH_CANCELLED_BY_USER: u32 = 13;
    /// SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE
    pub const NO_MORE_AUTH_METHODS_AVAILABLE: u32 = 14;
    /// SSH_DISCONNECT_ILLEGAL_USER_NAME
    pub const ILLEGAL_USER_NAME: u32 = 15;
}

/// SSH_MSG_EXT_INFO (7): names and values of extensions the sender has. RFC 8308 §2.3.
///
/// `byte 7 · uint32 nr-extensions · (string name · string value) x nr-extensions`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtInfo<'a> {
    count: u32,
    pairs: &'a [u8],
}

impl<'a> ExtInfo<'a> {
    /// Extension names and their values, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.pairs);
        // `decode` has walked them all, so the walk here ends where the pairs do.
        (0..self.count).map_while(move |_| pair(&mut reader).ok())
    }

    /// Writes a whole EXT_INFO message of these pairs.
    pub fn encode_pairs(pairs: &[(&str, &[u8])], out: &mut Vec<u8>) {
        out.push(Self::NUMBER);
        (pairs.len() as u32).encode(out);
        for (name, value) in pairs {
            name.encode(out);
            value.encode(out);
        }
    }
}

fn pair<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, &'a [u8]), DecodeError> {
    Ok((reader.field()?, reader.field()?))
}

impl<'a> Message<'a> for ExtInfo<'a> {
    const NUMBER: u8 = 7;

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::NUMBER);
        self.count.encode(out);
        out.extend_from_slice(self.pairs);
    }

    fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = open(payload, Self::NUMBER)?;
        let count = reader.field()?;
        let pairs = reader.rest();
        let mut walk = Reader::new(pairs);
        for _ in 0..count {
            pair(&mut walk)?;
        }
        walk.finish().map(|()| Self { count, pairs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::round_trip;
    use alloc::vec;

    #[test]
    fn every_message_round_trips() {
        round_trip(Disconnect { reason_code: 11, description: b"bye", language_tag: b"" });
        round_trip(Ignore { data: b"\0\xff" });
        round_trip(Unimplemented { packet_sequence_number: u32::MAX });
        round_trip(Debug { always_display: true, message: b"hi", language_tag: b"en" });
        round_trip(ServiceRequest { service_name: "ssh-userauth" });
        round_trip(ServiceAccept { service_name: "ssh-userauth" });
        round_trip(KexInit {
            cookie: [7; 16],
            kex_algorithms: NameList::new("curve25519-sha256,ext-info-c"),
            server_host_key_algorithms: NameList::new("ssh-ed25519"),
            encryption_algorithms_client_to_server: NameList::new("aes128-ctr"),
            encryption_algorithms_server_to_client: NameList::new("aes256-ctr"),
            mac_algorithms_client_to_server: NameList::new("hmac-sha2-256"),
            mac_algorithms_server_to_client: NameList::new("hmac-sha2-512"),
            compression_algorithms_client_to_server: NameList::new("none"),
            compression_algorithms_server_to_client: NameList::new("none"),
            languages_client_to_server: NameList::new(""),
            languages_server_to_client: NameList::new(""),
            first_kex_packet_follows: true,
            reserved: 0,
        });
        round_trip(NewKeys {});
        round_trip(Ping { data: b"x" });
        round_trip(Pong { data: b"x" });
    }

    #[test]
    fn ext_info_gives_its_pairs_in_order() {
        let pairs: [(&str, &[u8]); 2] =
            [("server-sig-algs", b"ssh-ed25519"), ("no-flow-control", b"p")];
        let mut wire = vec![];
        ExtInfo::encode_pairs(&pairs, &mut wire);
        let message = ExtInfo::decode(&wire).unwrap();
        assert!(message.iter().eq(pairs));
        round_trip(message);
    }

    #[test]
    fn ext_info_that_counts_more_pairs_than_it_holds_is_refused() {
        let wire = [7, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(ExtInfo::decode(&wire), Err(DecodeError::Truncated));
    }
}

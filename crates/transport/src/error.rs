//! What ends a connection, and whose fault it was. RFC 4253 §11.1.
//! Touches: names, numbers, bounded texts.   Never: peer text that may hold control characters.
//! Invariants: every error has one line of text and, unless the connection is gone, one disconnect reason.
//! Errors: this is them.   Allocates: the peer's offer, when nothing in it suits us.
//! Proved by: `tests` below and one test per violation in `tests::violations`.

use alloc::boxed::Box;
use core::fmt;

use adit_wire::DecodeError;
use adit_wire::number;
use adit_wire::transport::reason;

use crate::gate::Phase;

/// Why the connection cannot go on. Once one has happened, every later call repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that are no SSH.
    InvalidMessage(InvalidMessage),
    /// The peer did what the RFCs forbid.
    PeerMisbehaved(Violation),
    /// The peer is well behaved, and we have nothing in common.
    PeerIncompatible(Incompatible),
    /// The key exchange failed.
    KexFailed(KexFailure),
    /// The driver did not accept the host key.
    HostKeyRejected,
    /// A packet's authentication failed: it was damaged, or forged.
    Decrypt,
    /// The peer ended the connection with SSH_MSG_DISCONNECT.
    Disconnected {
        /// Reason code of RFC 4253 §11.1, as the peer gave it.
        reason_code: u32,
    },
    /// We ended the connection.
    Closed,
}

/// Bytes that cannot be read as what they must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// The first line is no SSH identification. RFC 4253 §4.2.
    NotSsh,
    /// The identification is longer than 255 bytes. RFC 4253 §4.2.
    IdentificationTooLong,
    /// A line before the keys holds a NUL. RFC 4253 §4.2.
    NulInIdentification,
    /// More lines before the identification than anybody needs. RFC 4253 §4.2.
    TooManyLines,
    /// A packet's length is too small, too large, or no multiple of the block. RFC 4253 §6.
    PacketLength {
        /// What stood in the packet.
        length: u32,
        /// It came through the cipher: then it is damage rather than a mistake.
        encrypted: bool,
    },
    /// A packet's padding is shorter than 4 bytes or longer than the packet. RFC 4253 §6.
    Padding,
    /// A packet without even a message number. RFC 4253 §6.
    EmptyPacket,
    /// A message whose fields do not add up.
    Message {
        /// Its number.
        number: u8,
        /// What is wrong with it.
        error: DecodeError,
    },
}

/// What a peer must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A message that may not be sent at this point. RFC 4253 §7.1, RFC 4252 §5, OpenSSH PROTOCOL §1.10.
    MessageNotAllowed {
        /// Its number.
        number: u8,
        /// Where we stood.
        phase: Phase,
    },
    /// A key exchange message the running method does not expect now. RFC 4253 §7, §8.
    UnexpectedKexMessage(u8),
    /// Strict key exchange was agreed, and KEXINIT was not the first packet. OpenSSH PROTOCOL §1.10.
    KexInitNotFirst,
    /// 2^32 packets before the first keys. OpenSSH PROTOCOL §1.10.
    SequenceNumberWrapped,
    /// 2^32 packets under one key. RFC 4344 §3.1.
    KeyWornOut,
    /// Our KEXINIT was not answered, or the exchange it began was not finished, in time. RFC 4253 §9.
    KexTimeout,
    /// Another host key at a later key exchange. RFC 4253 §9.
    HostKeyChanged,
    /// More pings while keys were being exchanged than we are ready to remember. OpenSSH PROTOCOL §1.8.
    TooManyPings,
}

/// Which negotiated list had nothing in common. RFC 4253 §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// kex_algorithms
    Kex,
    /// server_host_key_algorithms
    HostKey,
    /// encryption_algorithms_client_to_server and its twin
    Cipher,
    /// mac_algorithms_client_to_server and its twin
    Mac,
    /// compression_algorithms_client_to_server and its twin
    Compression,
}

/// Why two sides cannot talk, though neither is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incompatible {
    /// The peer speaks a version of SSH other than 2. RFC 4253 §4.2, §5.
    ProtocolVersion,
    /// No algorithm in common. RFC 4253 §7.1.
    NoMatch {
        /// In which list.
        list: List,
        /// The peer's names joined by commas.
        offer: Box<str>,
    },
}

/// Why no keys came out of a key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KexFailure {
    /// The peer's public value cannot be used. RFC 4253 §8, RFC 5656 §4, RFC 8731 §3.
    PublicValue,
    /// The group is too small, too large or no group we trust. RFC 4419 §3, RFC 8270.
    Group,
    /// The host key cannot be read, is too weak, or is not of the negotiated algorithm. RFC 4253 §6.6.
    HostKey,
    /// The signature of the exchange hash does not verify. RFC 4253 §8.
    Signature,
    /// Our own side could not make its half.
    Internal,
}

impl Error {
    /// The reason code to disconnect with, or none when there is nobody to tell. RFC 4253 §11.1.
    pub const fn reason(&self) -> Option<u32> {
        Some(match self {
            Self::Disconnected { .. } | Self::Closed => return None,
            Self::Decrypt
            | Self::InvalidMessage(InvalidMessage::PacketLength { encrypted: true, .. }) => {
                reason::MAC_ERROR
            }
            Self::InvalidMessage(_) => reason::PROTOCOL_ERROR,
            Self::PeerMisbehaved(Violation::HostKeyChanged) | Self::HostKeyRejected => {
                reason::HOST_KEY_NOT_VERIFIABLE
            }
            Self::PeerMisbehaved(_) => reason::PROTOCOL_ERROR,
            Self::PeerIncompatible(Incompatible::ProtocolVersion) => {
                reason::PROTOCOL_VERSION_NOT_SUPPORTED
            }
            Self::PeerIncompatible(Incompatible::NoMatch { .. }) | Self::KexFailed(_) => {
                reason::KEY_EXCHANGE_FAILED
            }
        })
    }

    /// A message that could not be decoded; `payload` starts with its number.
    pub(crate) fn decode(payload: &[u8], error: DecodeError) -> Self {
        let number = payload.first().copied().unwrap_or_default();
        Self::InvalidMessage(InvalidMessage::Message { number, error })
    }
}

impl From<InvalidMessage> for Error {
    fn from(error: InvalidMessage) -> Self {
        Self::InvalidMessage(error)
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::PeerMisbehaved(violation)
    }
}

impl From<Incompatible> for Error {
    fn from(incompatible: Incompatible) -> Self {
        Self::PeerIncompatible(incompatible)
    }
}

impl From<KexFailure> for Error {
    fn from(failure: KexFailure) -> Self {
        Self::KexFailed(failure)
    }
}

impl core::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidMessage(error) => error.fmt(f),
            Self::PeerMisbehaved(violation) => violation.fmt(f),
            Self::PeerIncompatible(incompatible) => incompatible.fmt(f),
            Self::KexFailed(failure) => failure.fmt(f),
            Self::HostKeyRejected => f.write_str("host key not accepted"),
            Self::Decrypt => f.write_str("message authentication code incorrect"),
            Self::Disconnected { reason_code } => {
                write!(f, "peer disconnected, reason {reason_code}")
            }
            Self::Closed => f.write_str("connection closed by us"),
        }
    }
}

impl fmt::Display for InvalidMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSsh => f.write_str("invalid SSH identification string"),
            Self::IdentificationTooLong => f.write_str("SSH identification string too long"),
            Self::NulInIdentification => f.write_str("NUL in SSH identification string"),
            Self::TooManyLines => f.write_str("no SSH identification string received"),
            Self::PacketLength { length, .. } => write!(f, "bad packet length {length}"),
            Self::Padding => f.write_str("bad packet padding"),
            Self::EmptyPacket => f.write_str("packet without a message"),
            Self::Message { number, error } => {
                write!(f, "bad {} message ({number}): {error}", number::name(*number))
            }
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MessageNotAllowed { number, phase } => {
                write!(f, "{} message ({number}) not allowed {phase}", number::name(*number))
            }
            Self::UnexpectedKexMessage(number) => {
                write!(f, "unexpected key exchange message {number}")
            }
            Self::KexInitNotFirst => {
                f.write_str("strict key exchange violation: KEXINIT was not the first packet")
            }
            Self::SequenceNumberWrapped => {
                f.write_str("sequence number wrapped during the first key exchange")
            }
            Self::KeyWornOut => f.write_str("too many packets under one key"),
            Self::KexTimeout => f.write_str("key exchange timed out"),
            Self::HostKeyChanged => f.write_str("host key changed during the connection"),
            Self::TooManyPings => f.write_str("too many pings during a key exchange"),
        }
    }
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProtocolVersion => f.write_str("Protocol major versions differ"),
            Self::NoMatch { list, offer } => {
                write!(f, "no matching {list} found. Their offer: {offer}")
            }
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kex => "key exchange method",
            Self::HostKey => "host key type",
            Self::Cipher => "cipher",
            Self::Mac => "MAC",
            Self::Compression => "compression method",
        })
    }
}

impl fmt::Display for KexFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PublicValue => "key exchange failed: invalid public value",
            Self::Group => "key exchange failed: unacceptable group",
            Self::HostKey => "key exchange failed: unacceptable host key",
            Self::Signature => "key exchange failed: incorrect signature",
            Self::Internal => "key exchange failed: could not make our half",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_failed_negotiation_reads_like_the_words_users_know() {
        let offer = Box::from("diffie-hellman-group1-sha1");
        let error = Error::from(Incompatible::NoMatch { list: List::Kex, offer });
        assert_eq!(
            error.to_string(),
            "no matching key exchange method found. Their offer: diffie-hellman-group1-sha1"
        );
        assert_eq!(error.reason(), Some(3));
    }

    #[test]
    fn reasons_follow_the_kind_of_fault() {
        let length =
            |encrypted| Error::from(InvalidMessage::PacketLength { length: 1, encrypted }).reason();
        assert_eq!(length(false), Some(2));
        assert_eq!(length(true), Some(5));
        assert_eq!(Error::Decrypt.reason(), Some(5));
        assert_eq!(Error::HostKeyRejected.reason(), Some(9));
        assert_eq!(Error::from(Incompatible::ProtocolVersion).reason(), Some(8));
        assert_eq!(Error::from(KexFailure::Signature).reason(), Some(3));
        assert_eq!(Error::from(Violation::KexTimeout).reason(), Some(2));
        assert_eq!(Error::Closed.reason(), None);
    }

    #[test]
    fn an_error_is_cheap_to_carry() {
        assert!(size_of::<Error>() <= 32);
    }
}

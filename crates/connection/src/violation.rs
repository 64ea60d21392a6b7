//! What a peer may not do, by name. RFC 4254, RFC 4253 §11.1.
//! Touches: numbers to report.   Never: text from the peer.
//! Invariants: every violation ends the connection with one disconnect reason.
//! Errors: this is one.   Allocates: never.
//! Proved by: a test per variant beside the code that returns it; `every_violation_disconnects` below.

use crate::id::LocalChannel;
use adit_wire::DecodeError;
use core::fmt;

/// The peer broke the connection protocol: disconnect with [`reason`](Self::reason).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A message or the body its type asks for does not decode. RFC 4251 §5.
    Malformed {
        /// The message's number, or 0 for an empty payload.
        number: u8,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A number between 80 and 127 that no message has. RFC 4250 §4.1.2.
    UnknownMessage(u8),
    /// A message for a channel that is not open. RFC 4254 §5.
    UnknownChannel(LocalChannel),
    /// A message for a channel whose open is not answered yet. RFC 4254 §5.1.
    NotYetOpen(LocalChannel),
    /// A confirmation or failure of an open that was answered before. RFC 4254 §5.1.
    AnsweredTwice(LocalChannel),
    /// An open or a confirmation names a number that the peer uses for a live channel. RFC 4254 §5.1.
    ChannelReused(u32),
    /// A confirmation whose maximum packet size lets no byte through. RFC 4254 §5.1.
    MaximumPacketZero(LocalChannel),
    /// Data beyond the window. RFC 4254 §5.2.
    WindowOverrun {
        /// The channel.
        channel: LocalChannel,
        /// Bytes too many.
        by: u32,
    },
    /// More data in one message than the maximum packet size we named. RFC 4254 §5.2.
    PacketTooLarge {
        /// The channel.
        channel: LocalChannel,
        /// Bytes of data.
        len: u32,
    },
    /// The window would pass 2^32 - 1. RFC 4254 §5.2.
    AdjustOverflow(LocalChannel),
    /// Data after EOF. RFC 4254 §5.3.
    DataAfterEof(LocalChannel),
    /// A message after CLOSE. RFC 4254 §5.3.
    AfterClose(LocalChannel),
    /// A reply to a global request that was not made. RFC 4254 §4.
    UnsolicitedReply,
    /// The reply to a forward of port 0 names no port one could listen on. RFC 4254 §7.1.
    PortImpossible(u32),
    /// A reply to a channel request that was not made. RFC 4254 §5.4.
    UnsolicitedChannelReply(LocalChannel),
    /// More requests than anybody waits to have answered. RFC 4254 §4, §5.4.
    TooManyRequests,
    /// The peer asks for answers and does not read them.
    AnswersUnread,
}

impl Violation {
    /// The reason code for the disconnect message: SSH_DISCONNECT_PROTOCOL_ERROR. RFC 4253 §11.1.
    pub const fn reason(&self) -> u32 {
        2
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { number, error } => write!(f, "malformed message {number}: {error}"),
            Self::UnknownMessage(number) => write!(f, "unknown message {number}"),
            Self::UnknownChannel(id) => {
                write!(f, "message for channel {}, which is not open", id.0)
            }
            Self::NotYetOpen(id) => {
                write!(f, "message for channel {} before its open was answered", id.0)
            }
            Self::AnsweredTwice(id) => write!(f, "open of channel {} answered twice", id.0),
            Self::ChannelReused(id) => write!(f, "channel {id} opened while it is open"),
            Self::MaximumPacketZero(id) => {
                write!(f, "channel {} confirmed with maximum packet size 0", id.0)
            }
            Self::WindowOverrun { channel, by } => {
                write!(f, "{by} bytes beyond the window of channel {}", channel.0)
            }
            Self::PacketTooLarge { channel, len } => {
                write!(f, "{len} bytes in one message for channel {}", channel.0)
            }
            Self::AdjustOverflow(id) => {
                write!(f, "window of channel {} adjusted past 2^32 - 1", id.0)
            }
            Self::DataAfterEof(id) => write!(f, "data after EOF on channel {}", id.0),
            Self::AfterClose(id) => write!(f, "message after CLOSE on channel {}", id.0),
            Self::UnsolicitedReply => f.write_str("reply to a request that was not made"),
            Self::PortImpossible(port) => write!(f, "allocated port {port}"),
            Self::UnsolicitedChannelReply(id) => {
                write!(f, "reply to a request that was not made on channel {}", id.0)
            }
            Self::TooManyRequests => f.write_str("too many requests at once"),
            Self::AnswersUnread => f.write_str("requests sent but their answers not read"),
        }
    }
}

impl core::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn every_violation_disconnects_with_a_protocol_error() {
        let violation = Violation::WindowOverrun { channel: LocalChannel(3), by: 1 };
        assert_eq!(violation.reason(), 2);
        assert_eq!(violation.to_string(), "1 bytes beyond the window of channel 3");
        assert!(size_of::<Violation>() <= 12, "every result on the data path pays for it");
    }
}

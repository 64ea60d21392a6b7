//! What a received message means to the application. RFC 4254.
//! Touches: handles, owned request bodies, ranges inside the payload.   Never: a copy of payload data.
//! Invariants: an event fits a few words; each channel ends with one `OpenFailed`, one `Closed` or our `refuse`.
//! Errors: none.   Allocates: boxes for opens and requests.
//! Proved by: `events_stay_small` below, and the tests of each handler.

use crate::{Channel, ChannelRequestId, Forward, Open, ReplyToken, Request, RequestId};
use alloc::boxed::Box;

/// What happened. `offset` and `len` name bytes inside the payload given to `handle`.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Data. Tell [`delivered`](crate::Connection::delivered) as it leaves memory. RFC 4254 §5.2.
    Data {
        /// Where it came.
        channel: Channel,
        /// Start of the data in the payload.
        offset: usize,
        /// Its bytes.
        len: usize,
    },
    /// Data of another type than plain; it counts as `Data` does. RFC 4254 §5.2.
    ExtendedData {
        /// Where it came.
        channel: Channel,
        /// `EXTENDED_DATA_STDERR`, or a code nobody has defined.
        data_type_code: u32,
        /// Start of the data in the payload.
        offset: usize,
        /// Its bytes.
        len: usize,
    },
    /// The peer takes more: [`sendable`](crate::Connection::sendable) may answer otherwise now. RFC 4254 §5.2.
    WindowAdjusted {
        /// Which channel.
        channel: Channel,
    },
    /// The peer will send no more data; our direction stays open. RFC 4254 §5.3.
    Eof {
        /// Which channel.
        channel: Channel,
    },
    /// The peer closed the channel. Once what it sent is dealt with, `close` it too. RFC 4254 §5.3.
    Closed {
        /// Which channel.
        channel: Channel,
        /// False when no EOF came before: what was received may be cut off.
        eof_seen: bool,
    },
    /// The peer asks for a channel: `accept` or `refuse`. RFC 4254 §5.1.
    Open {
        /// The channel it would be.
        channel: Channel,
        /// What is asked for.
        open: Box<Open<'static>>,
        /// The request whose forward this connection came in by, for forwarded channels.
        forward: Option<RequestId>,
    },
    /// A forwarded channel for a forward nobody asked for; it has been refused. RFC 4254 §7.2.
    ForwardUnknown {
        /// What the peer wanted to open.
        open: Box<Open<'static>>,
    },
    /// Our open was confirmed. RFC 4254 §5.1.
    Opened {
        /// Which channel.
        channel: Channel,
    },
    /// Our open was refused; the channel is gone. RFC 4254 §5.1.
    OpenFailed {
        /// Which channel.
        channel: Channel,
        /// Why.
        failure: Box<OpenFailure>,
    },
    /// A request on a channel. If `want_reply`, answer with `answer_request`, in order. RFC 4254 §5.4.
    ChannelRequest {
        /// Which channel.
        channel: Channel,
        /// Whether the peer waits for an answer.
        want_reply: bool,
        /// What is asked for.
        request: Box<Request<'static>>,
    },
    /// The answer to a channel request of ours. RFC 4254 §5.4.
    ChannelReply {
        /// Which channel.
        channel: Channel,
        /// What [`request`](crate::Connection::request) returned.
        request: ChannelRequestId,
        /// CHANNEL_SUCCESS or CHANNEL_FAILURE.
        success: bool,
    },
    /// The answer to a global request of ours. RFC 4254 §4.
    Reply {
        /// What the request's method returned.
        request: RequestId,
        /// The answer.
        outcome: Outcome,
    },
    /// The peer asks us to listen: `reply`. RFC 4254 §7.1.
    ForwardRequested {
        /// For the reply.
        token: ReplyToken,
        /// Where to listen.
        forward: Box<Forward<'static>>,
    },
    /// The peer asks us to stop listening: `reply`. RFC 4254 §7.1.
    CancelForwardRequested {
        /// For the reply.
        token: ReplyToken,
        /// Where, as it was asked for; with the allocated port.
        forward: Box<Forward<'static>>,
    },
    /// The server's host keys, to be read with [`host_keys`](crate::host_keys). OpenSSH PROTOCOL §2.5.
    HostKeys {
        /// Start of the list in the payload.
        offset: usize,
        /// Its bytes.
        len: usize,
    },
    /// The client asks for proof of these host keys: `reply` with signatures. OpenSSH PROTOCOL §2.5.
    HostKeysProve {
        /// For the reply.
        token: ReplyToken,
        /// Start of the list in the payload.
        offset: usize,
        /// Its bytes.
        len: usize,
    },
}

/// Why an open was refused. RFC 4254 §5.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFailure {
    /// See `adit_wire::channel::open_failure`.
    pub reason: u32,
    /// The peer's words, unchecked: not for a terminal or a log as they are.
    pub description: Box<[u8]>,
}

/// The answer to a global request. RFC 4254 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// REQUEST_FAILURE. For a keepalive as good as success.
    Refused,
    /// REQUEST_SUCCESS for a forward on this port, or 0 for a path.
    Listening {
        /// The port asked for, or the one allocated.
        port: u32,
    },
    /// REQUEST_SUCCESS with what the request's answer carries.
    Done {
        /// Start of the answer in the payload.
        offset: usize,
        /// Its bytes.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stay_small() {
        assert!(size_of::<Event>() <= 40, "{}", size_of::<Event>());
    }
}

//! What an engine tells its driver.
//! Touches: owned texts, and spans of the receive buffer for payload.   Never: a copy of payload.
//! Invariants: a span is good until the driver reads into the receive buffer again.
//! Errors: none.   Allocates: for rare events only.
//! Proved by: `events_stay_small` below.

use adit_buf::Span;
use adit_connection::{
    Channel, ChannelRequestId, Forward, Open, OpenFailure, ReplyToken, Request, RequestId,
};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// What became of a global request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// REQUEST_FAILURE. For a keepalive as good as success.
    Refused,
    /// The peer listens on this port, the one asked for or the one allocated; 0 for a path.
    Listening {
        /// The port.
        port: u32,
    },
    /// REQUEST_SUCCESS with what the request's answer carries.
    Done(Vec<u8>),
}

impl Outcome {
    /// Takes the answer out of the receive buffer; answers that carry anything are rare and small.
    pub(crate) fn read<'rx>(
        outcome: adit_connection::Outcome,
        bytes: impl FnOnce(usize, usize) -> &'rx [u8],
    ) -> Self {
        match outcome {
            adit_connection::Outcome::Refused => Self::Refused,
            adit_connection::Outcome::Listening { port } => Self::Listening { port },
            adit_connection::Outcome::Done { offset, len } => {
                Self::Done(bytes(offset, len).to_vec())
            }
        }
    }
}

/// Something happened, or the driver is asked something.
#[derive(Debug)]
pub enum Event {
    /// A line the server sent before its identification. RFC 4253 §4.2.
    Preface(Vec<u8>),
    /// The peer identified itself: [`Engine::peer_identification`](crate::Engine::peer_identification). RFC 4253 §4.2.
    Identified,
    /// The server proved to hold [`Engine::host_key`](crate::Engine::host_key): nothing goes on before
    /// [`Engine::accept_host_key`](crate::Engine::accept_host_key) or
    /// [`Engine::reject_host_key`](crate::Engine::reject_host_key).
    HostKey,
    /// Keys are in use; the first time, the login starts.
    KeysExchanged {
        /// Not a rekey.
        first: bool,
    },
    /// SSH_MSG_EXT_INFO came. RFC 8308.
    ExtInfo(Vec<(String, Vec<u8>)>),
    /// SSH_MSG_DEBUG came. RFC 4253 §11.3.
    Debug {
        /// The peer wants it shown.
        always_display: bool,
        /// The peer's words, unchecked.
        message: Vec<u8>,
    },
    /// The peer does not know the message in our packet of this number. RFC 4253 §11.4.
    Unimplemented {
        /// Sequence number of that packet.
        sequence_number: u32,
    },
    /// The peer ends the connection; the next call gives the error. RFC 4253 §11.1.
    Disconnected {
        /// Why.
        reason_code: u32,
        /// The peer's words, unchecked.
        description: Vec<u8>,
    },
    /// The client's login asks or tells something: answer through [`Engine::login`](crate::Engine::login).
    Login(adit_auth::client::Ask),
    /// The server's login asks or tells something: answer through
    /// [`Engine::server_login`](crate::Engine::server_login).
    ServerLogin(adit_auth::server::Ask),
    /// The user is in; channels can be opened.
    Established,

    /// Payload. Tell [`Engine::delivered`](crate::Engine::delivered) as it leaves memory.
    Data {
        /// Where it came.
        channel: Channel,
        /// Which bytes of the receive buffer.
        span: Span,
    },
    /// Payload of another type than plain; it counts as `Data` does. RFC 4254 §5.2.
    ExtendedData {
        /// Where it came.
        channel: Channel,
        /// `EXTENDED_DATA_STDERR`, or a code nobody has defined.
        data_type_code: u32,
        /// Which bytes of the receive buffer.
        span: Span,
    },
    /// The peer takes more.
    WindowAdjusted {
        /// Which channel.
        channel: Channel,
    },
    /// The peer will send no more data; our direction stays open.
    Eof {
        /// Which channel.
        channel: Channel,
    },
    /// The peer closed the channel; once what it sent is dealt with, close it too.
    Closed {
        /// Which channel.
        channel: Channel,
        /// False when no EOF came before: what was received may be cut off.
        eof_seen: bool,
    },
    /// The peer asks for a channel: accept or refuse.
    Open {
        /// The channel it would be.
        channel: Channel,
        /// What is asked for.
        open: Box<Open<'static>>,
        /// The request whose forward this connection came in by.
        forward: Option<RequestId>,
    },
    /// A forwarded channel for a forward nobody asked for; it has been refused.
    ForwardUnknown {
        /// What the peer wanted to open.
        open: Box<Open<'static>>,
    },
    /// Our open was confirmed.
    Opened {
        /// Which channel.
        channel: Channel,
    },
    /// Our open was refused; the channel is gone.
    OpenFailed {
        /// Which channel.
        channel: Channel,
        /// Why.
        failure: Box<OpenFailure>,
    },
    /// A request on a channel.
    ChannelRequest {
        /// Which channel.
        channel: Channel,
        /// Whether the peer waits for an answer.
        want_reply: bool,
        /// What is asked for.
        request: Box<Request<'static>>,
    },
    /// The answer to a channel request of ours.
    ChannelReply {
        /// Which channel.
        channel: Channel,
        /// Which request.
        request: ChannelRequestId,
        /// Whether it was granted.
        success: bool,
    },
    /// The answer to a global request of ours.
    Reply {
        /// Which request.
        request: RequestId,
        /// The answer.
        outcome: Outcome,
    },
    /// The peer asks us to listen: reply.
    ForwardRequested {
        /// For the reply.
        token: ReplyToken,
        /// Where to listen.
        forward: Box<Forward<'static>>,
    },
    /// The peer asks us to stop listening: reply.
    CancelForwardRequested {
        /// For the reply.
        token: ReplyToken,
        /// Where, as it was asked for.
        forward: Box<Forward<'static>>,
    },
    /// The server names its host keys. OpenSSH PROTOCOL §2.5.
    HostKeys(Vec<u8>),
    /// The client asks for proof of host keys: reply with signatures.
    HostKeysProve {
        /// For the reply.
        token: ReplyToken,
        /// The keys, as they came.
        keys: Vec<u8>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is returned for every packet.
    #[test]
    fn events_stay_small() {
        assert!(size_of::<Event>() <= 128, "{}", size_of::<Event>());
    }
}

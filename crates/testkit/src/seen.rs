//! What an end was told, kept: events that can be compared.
//! Touches: copies of what events carry.   Never: spans, which do not last.
//! Invariants: an event has one form here, whatever buffer it came in.
//! Errors: none.   Allocates: freely.
//! Proved by: the tests that compare them.

use adit_auth::{client, server};
use adit_buf::RxBuf;
use adit_engine::{
    Channel, ChannelRequestId, Error, Event, Forward, Open, OpenFailure, Outcome, ReplyToken,
    Request, RequestId,
};

/// One [`Event`] with its bytes, an error, or the end of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the event of its name")]
pub enum Seen {
    Preface(Vec<u8>),
    Identified,
    HostKey,
    KeysExchanged { first: bool },
    ExtInfo(Vec<(String, Vec<u8>)>),
    Debug { always_display: bool, message: Vec<u8> },
    Unimplemented(u32),
    Disconnected(u32, Vec<u8>),
    Login(client::Ask),
    ServerLogin(server::Ask),
    Established,
    Data { channel: Channel, bytes: Vec<u8> },
    ExtendedData { channel: Channel, data_type_code: u32, bytes: Vec<u8> },
    WindowAdjusted(Channel),
    Eof(Channel),
    Closed { channel: Channel, eof_seen: bool },
    Open { channel: Channel, open: Open<'static>, forward: Option<RequestId> },
    ForwardUnknown(Open<'static>),
    Opened(Channel),
    OpenFailed { channel: Channel, failure: OpenFailure },
    ChannelRequest { channel: Channel, want_reply: bool, request: Request<'static> },
    ChannelReply { channel: Channel, request: ChannelRequestId, success: bool },
    Reply { request: RequestId, outcome: Outcome },
    ForwardRequested(Forward<'static>),
    CancelForwardRequested(Forward<'static>),
    HostKeys(Vec<u8>),
    HostKeysProve(Vec<u8>),
    Failed(Error),
    LinkCut,
}

impl Seen {
    /// What `event` says, and the token if it wants a reply.
    pub(crate) fn new(event: Event, rx: &RxBuf) -> (Self, Option<ReplyToken>) {
        let mut reply = None;
        let seen = match event {
            Event::Preface(line) => Self::Preface(line),
            Event::Identified => Self::Identified,
            Event::HostKey => Self::HostKey,
            Event::KeysExchanged { first } => Self::KeysExchanged { first },
            Event::ExtInfo(pairs) => Self::ExtInfo(pairs),
            Event::Debug { always_display, message } => Self::Debug { always_display, message },
            Event::Unimplemented { sequence_number } => Self::Unimplemented(sequence_number),
            Event::Disconnected { reason_code, description } => {
                Self::Disconnected(reason_code, description)
            }
            Event::Login(ask) => Self::Login(ask),
            Event::ServerLogin(ask) => Self::ServerLogin(ask),
            Event::Established => Self::Established,
            Event::Data { channel, span } => Self::Data { channel, bytes: rx.bytes(span).into() },
            Event::ExtendedData { channel, data_type_code, span } => {
                Self::ExtendedData { channel, data_type_code, bytes: rx.bytes(span).into() }
            }
            Event::WindowAdjusted { channel } => Self::WindowAdjusted(channel),
            Event::Eof { channel } => Self::Eof(channel),
            Event::Closed { channel, eof_seen } => Self::Closed { channel, eof_seen },
            Event::Open { channel, open, forward } => Self::Open { channel, open: *open, forward },
            Event::ForwardUnknown { open } => Self::ForwardUnknown(*open),
            Event::Opened { channel } => Self::Opened(channel),
            Event::OpenFailed { channel, failure } => {
                Self::OpenFailed { channel, failure: *failure }
            }
            Event::ChannelRequest { channel, want_reply, request } => {
                Self::ChannelRequest { channel, want_reply, request: *request }
            }
            Event::ChannelReply { channel, request, success } => {
                Self::ChannelReply { channel, request, success }
            }
            Event::Reply { request, outcome } => Self::Reply { request, outcome },
            Event::ForwardRequested { token, forward } => {
                reply = Some(token);
                Self::ForwardRequested(*forward)
            }
            Event::CancelForwardRequested { token, forward } => {
                reply = Some(token);
                Self::CancelForwardRequested(*forward)
            }
            Event::HostKeys(keys) => Self::HostKeys(keys),
            Event::HostKeysProve { token, keys } => {
                reply = Some(token);
                Self::HostKeysProve(keys)
            }
        };
        (seen, reply)
    }
}

//! Channel requests, both ways, and replies that have nothing but their order. RFC 4254 §5.4, §6.
//! Touches: counters of a channel, request bodies.   Never: terminals, processes.
//! Invariants: a reply belongs to the oldest request without one; requests of a session reach sessions only.
//! Errors: `Blocked`; `UnsolicitedChannelReply`, `TooManyRequests`.   Allocates: a box and texts per request that comes.
//! Proved by: `tests` below.

use crate::channel::{Entry, Live, step};
use crate::connection::{Connection, Out, Side, decode};
use crate::data::Blocked;
use crate::event::Event;
use crate::id::Channel;
use crate::recv_half::RecvStep;
use crate::send_half::SendHalf;
use crate::violation::Violation;
use adit_wire::channel::{
    ChannelFailure, ChannelRequest, ChannelSuccess, Env, Exec, ExitSignal, ExitStatus, PtyReq,
    Signal, Subsystem, WindowChange,
};
use adit_wire::{Body, DecodeError, Message, Rest};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What is asked of a session. RFC 4254 §6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// The user's shell. §6.5.
    Shell,
    /// A command. §6.5.
    Exec {
        /// Command line for the user's shell.
        command: Cow<'a, [u8]>,
    },
    /// A subsystem. §6.5.
    Subsystem {
        /// Its name.
        name: Cow<'a, str>,
    },
    /// An environment variable. §6.4.
    Env {
        /// Its name.
        name: Cow<'a, [u8]>,
        /// Its value.
        value: Cow<'a, [u8]>,
    },
    /// A pseudo-terminal. §6.2.
    Pty {
        /// Value of TERM.
        term: Cow<'a, str>,
        /// Its size.
        size: WindowChange,
        /// §8.
        modes: Cow<'a, [u8]>,
    },
    /// The terminal has another size. §6.7.
    WindowChange(WindowChange),
    /// A signal for the command. §6.9.
    Signal {
        /// `TERM`, `INT`, …
        name: Cow<'a, str>,
    },
    /// The command has ended, says the server. §6.10.
    ExitStatus(u32),
    /// The command was ended by a signal, says the server. §6.10.
    ExitSignal {
        /// `TERM`, `KILL`, …
        name: Cow<'a, str>,
        /// A core image was left.
        core_dumped: bool,
        /// Text for a human, unchecked.
        message: Cow<'a, [u8]>,
    },
}

impl Request<'_> {
    /// The request type's name.
    pub const fn request_type(&self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Exec { .. } => "exec",
            Self::Subsystem { .. } => "subsystem",
            Self::Env { .. } => "env",
            Self::Pty { .. } => "pty-req",
            Self::WindowChange(_) => "window-change",
            Self::Signal { .. } => "signal",
            Self::ExitStatus(_) => "exit-status",
            Self::ExitSignal { .. } => "exit-signal",
        }
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Shell => {}
            Self::Exec { command } => Exec { command }.encode(out),
            Self::Subsystem { name } => Subsystem { subsystem_name: name }.encode(out),
            Self::Env { name, value } => {
                Env { variable_name: name, variable_value: value }.encode(out);
            }
            Self::Pty { term, size, modes } => pty_req(term, *size, modes).encode(out),
            Self::WindowChange(size) => size.encode(out),
            Self::Signal { name } => Signal { signal_name: name }.encode(out),
            Self::ExitStatus(exit_status) => ExitStatus { exit_status: *exit_status }.encode(out),
            Self::ExitSignal { name, core_dumped, message } => ExitSignal {
                signal_name: name,
                core_dumped: *core_dumped,
                error_message: message,
                language_tag: b"",
            }
            .encode(out),
        }
    }
}

fn pty_req<'a>(term: &'a str, size: WindowChange, modes: &'a [u8]) -> PtyReq<'a> {
    PtyReq {
        term,
        width_characters: size.width_characters,
        height_rows: size.height_rows,
        width_pixels: size.width_pixels,
        height_pixels: size.height_pixels,
        encoded_terminal_modes: modes,
    }
}

type DecodeBody = fn(&[u8]) -> Result<Request<'static>, DecodeError>;

/// Request types, who serves them, and their bodies.
const KINDS: &[(&str, Side, DecodeBody)] = &[
    ("shell", Side::Server, |body| match body {
        [] => Ok(Request::Shell),
        _ => Err(DecodeError::TrailingBytes),
    }),
    ("exec", Side::Server, |body| {
        Exec::decode(body).map(|body| Request::Exec { command: bytes(body.command) })
    }),
    ("subsystem", Side::Server, |body| {
        Subsystem::decode(body).map(|body| Request::Subsystem { name: text(body.subsystem_name) })
    }),
    ("env", Side::Server, |body| {
        let body = Env::decode(body)?;
        Ok(Request::Env { name: bytes(body.variable_name), value: bytes(body.variable_value) })
    }),
    ("pty-req", Side::Server, pty),
    ("window-change", Side::Server, |body| WindowChange::decode(body).map(Request::WindowChange)),
    ("signal", Side::Server, |body| {
        Signal::decode(body).map(|body| Request::Signal { name: text(body.signal_name) })
    }),
    ("exit-status", Side::Client, |body| {
        ExitStatus::decode(body).map(|body| Request::ExitStatus(body.exit_status))
    }),
    ("exit-signal", Side::Client, |body| {
        let body = ExitSignal::decode(body)?;
        Ok(Request::ExitSignal {
            name: text(body.signal_name),
            core_dumped: body.core_dumped,
            message: bytes(body.error_message),
        })
    }),
];

fn pty(body: &[u8]) -> Result<Request<'static>, DecodeError> {
    let body = PtyReq::decode(body)?;
    let size = WindowChange {
        width_characters: body.width_characters,
        height_rows: body.height_rows,
        width_pixels: body.width_pixels,
        height_pixels: body.height_pixels,
    };
    Ok(Request::Pty { term: text(body.term), size, modes: bytes(body.encoded_terminal_modes) })
}

fn bytes(field: &[u8]) -> Cow<'static, [u8]> {
    Cow::Owned(field.into())
}

fn text(field: &str) -> Cow<'static, str> {
    Cow::Owned(field.into())
}

/// A request of ours on a channel: the first that wants a reply is 0, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelRequestId(u32);

/// Requests of ours on a channel that want a reply, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    asked: u32,
    answered: u32,
}

impl Asked {
    pub(crate) const fn new() -> Self {
        Self { asked: 0, answered: 0 }
    }

    fn ask(&mut self) -> ChannelRequestId {
        let id = ChannelRequestId(self.asked);
        self.asked = self.asked.wrapping_add(1);
        id
    }

    fn answer(&mut self) -> Option<ChannelRequestId> {
        if self.answered == self.asked {
            return None;
        }
        let id = ChannelRequestId(self.answered);
        self.answered = self.answered.wrapping_add(1);
        Some(id)
    }
}

/// Requests of the peer's on a channel that want a reply and have none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owed {
    /// How many; at most the bits of `refused`.
    count: u32,
    /// Bit n is set if the n-th oldest is refused by us: it only waits for its turn.
    refused: u64,
}

impl Owed {
    pub(crate) const fn new() -> Self {
        Self { count: 0, refused: 0 }
    }

    /// One more; false if there are too many.
    fn enter(&mut self) -> bool {
        let fits = self.count < u64::BITS;
        self.count += u32::from(fits);
        fits
    }

    /// Refuses the youngest.
    fn refuse_last(&mut self) {
        self.refused |= 1 << (self.count - 1);
    }

    /// The answer to the oldest leaves.
    fn leave(&mut self) {
        self.count -= 1;
        self.refused >>= 1;
    }

    const fn front_is_refused(self) -> bool {
        self.refused & 1 == 1
    }
}

impl Connection {
    /// Asks something of a session. The id comes back in [`Event::ChannelReply`] if a reply is wanted.
    ///
    /// # Errors
    /// [`Blocked::Opening`] or [`Blocked::Closed`]. EOF and the window are no hindrance.
    pub fn request(
        &mut self,
        channel: Channel,
        request: &Request<'_>,
        want_reply: bool,
    ) -> Result<Option<ChannelRequestId>, Blocked> {
        let live = match self.table.get_mut(channel) {
            Some(Entry::Live(live)) if live.is_open() => live,
            Some(Entry::Opening(_) | Entry::Offered(_)) => return Err(Blocked::Opening),
            Some(Entry::Live(_)) | None => return Err(Blocked::Closed),
        };
        let message = ChannelRequest {
            recipient_channel: live.peer.0,
            request_type: request.request_type(),
            want_reply,
            data: Rest(&[]),
        };
        self.out.say_with(|out| {
            message.encode(out);
            request.encode_body(out);
        });
        Ok(want_reply.then(|| live.asked.ask()))
    }

    /// Answers the oldest request on `channel` that wants a reply and has none.
    pub fn answer_request(&mut self, channel: Channel, success: bool) {
        let Some(Entry::Live(live)) = self.table.get_mut(channel) else { return };
        if live.owed.count == 0 {
            return;
        }
        live.owed.leave();
        answer(live, success, &mut self.out);
        send_refusals(live, &mut self.out);
    }

    pub(crate) fn handle_channel_request(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        let message = decode::<ChannelRequest<'_>>(payload)?;
        let number = message.recipient_channel;
        let (channel, live, _) = step(&mut self.table, number, RecvStep::Other)?;
        if live.send == SendHalf::Closed {
            return Ok(None);
        }
        if message.want_reply && !live.owed.enter() {
            return Err(Violation::TooManyRequests);
        }
        let kind = KINDS.iter().find(|(name, ..)| *name == message.request_type);
        let Some((_, _, decode_body)) =
            kind.filter(|(_, side, _)| live.session && *side == self.config.side)
        else {
            if message.want_reply {
                live.owed.refuse_last();
                send_refusals(live, &mut self.out);
            }
            return Ok(None);
        };
        let malformed = |error| Violation::Malformed { number: ChannelRequest::NUMBER, error };
        let request = Box::new(decode_body(message.data.0).map_err(malformed)?);
        Ok(Some(Event::ChannelRequest { channel, want_reply: message.want_reply, request }))
    }

    pub(crate) fn handle_channel_success(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        let message = decode::<ChannelSuccess>(payload)?;
        self.channel_reply(message.recipient_channel, true)
    }

    pub(crate) fn handle_channel_failure(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        let message = decode::<ChannelFailure>(payload)?;
        self.channel_reply(message.recipient_channel, false)
    }

    fn channel_reply(&mut self, number: u32, success: bool) -> Result<Option<Event>, Violation> {
        let (channel, live, _) = step(&mut self.table, number, RecvStep::Other)?;
        let unsolicited = Violation::UnsolicitedChannelReply(channel.number);
        let request = live.asked.answer().ok_or(unsolicited)?;
        let listening = live.send != SendHalf::Closed;
        Ok(listening.then_some(Event::ChannelReply { channel, request, success }))
    }
}

/// Sends the refusals whose turn has come.
fn send_refusals(live: &mut Live, out: &mut Out) {
    while live.owed.front_is_refused() {
        live.owed.leave();
        answer(live, false, out);
    }
}

/// Sends one reply, unless nobody listens to it.
fn answer(live: &Live, success: bool, out: &mut Out) {
    let recipient_channel = live.peer.0;
    match success {
        _ if !live.is_open() => {}
        true => out.answer(&ChannelSuccess { recipient_channel }),
        false => out.answer(&ChannelFailure { recipient_channel }),
    }
}

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
            // After their CLOSE nothing is answered any more, but how a command ended may still be told.
            Some(Entry::Live(live))
                if live.is_open() || (!want_reply && live.send != SendHalf::Closed) =>
            {
                live
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::Open;
    use crate::script::{Script, THEIRS};
    use adit_wire::channel::{ChannelClose, ChannelEof};

    const SUCCESS: ChannelSuccess = ChannelSuccess { recipient_channel: THEIRS };
    const FAILURE: ChannelFailure = ChannelFailure { recipient_channel: THEIRS };

    fn asks<'a>(channel: Channel, request_type: &'a str, body: &'a [u8]) -> ChannelRequest<'a> {
        let recipient_channel = channel.number().0;
        ChannelRequest { recipient_channel, request_type, want_reply: true, data: Rest(body) }
    }

    fn our_session(script: &mut Script) -> Channel {
        script.opened(&Open::Session, 1 << 20, 32 << 10)
    }

    #[test]
    fn every_request_reaches_the_side_that_serves_it() {
        let size = WindowChange {
            width_characters: 80,
            height_rows: 24,
            width_pixels: 1,
            height_pixels: 2,
        };
        let requests = [
            (Side::Server, Request::Shell),
            (Side::Server, Request::Exec { command: b"true"[..].into() }),
            (Side::Server, Request::Subsystem { name: "sftp".into() }),
            (Side::Server, Request::Env { name: b"LANG"[..].into(), value: b"C"[..].into() }),
            (Side::Server, Request::Pty { term: "xterm".into(), size, modes: b"\0"[..].into() }),
            (Side::Server, Request::WindowChange(size)),
            (Side::Server, Request::Signal { name: "TERM".into() }),
            (Side::Client, Request::ExitStatus(7)),
            (
                Side::Client,
                Request::ExitSignal {
                    name: "KILL".into(),
                    core_dumped: true,
                    message: b"killed"[..].into(),
                },
            ),
        ];
        for (side, request) in requests {
            let (mut client, mut server) = (Script::client(), Script::server());
            let asked = client.us.open(&Open::Session).unwrap();
            let Ok(Some(Event::Open { channel: served, .. })) = server.us.handle(&client.said())
            else {
                panic!()
            };
            server.us.accept(served);
            client.us.handle(&server.said()).unwrap();
            let (from, to, at, comes) = match side {
                Side::Server => (&mut client, &mut server, asked, served),
                Side::Client => (&mut server, &mut client, served, asked),
            };
            from.us.request(at, &request, true).unwrap();
            let said = from.said();
            let heard = Event::ChannelRequest {
                channel: comes,
                want_reply: true,
                request: Box::new(request),
            };
            assert_eq!(to.us.handle(&said), Ok(Some(heard)));
            // The other side does not serve it.
            let mut misled = Script::client();
            if side == Side::Server {
                let channel = our_session(&mut misled);
                let mut said = said;
                said[1..5].copy_from_slice(&channel.number().0.to_be_bytes());
                assert_eq!(misled.us.handle(&said), Ok(None));
                let theirs = THEIRS;
                misled.expect(&ChannelFailure { recipient_channel: theirs });
            }
        }
    }

    #[test]
    fn replies_belong_to_requests_in_order() {
        let mut script = Script::client();
        let channel = our_session(&mut script);
        let env = Request::Env { name: b"A"[..].into(), value: b"B"[..].into() };
        let first = script.us.request(channel, &env, true).unwrap().unwrap();
        let silent = script.us.request(channel, &env, false).unwrap();
        let second = script.us.request(channel, &Request::Shell, true).unwrap().unwrap();
        assert_eq!(silent, None);
        let recipient_channel = channel.number().0;
        let event = script.hear(&ChannelFailure { recipient_channel });
        let expected = Event::ChannelReply { channel, request: first, success: false };
        assert_eq!(event, Some(expected));
        let event = script.hear(&ChannelSuccess { recipient_channel });
        let expected = Event::ChannelReply { channel, request: second, success: true };
        assert_eq!(event, Some(expected));
        let violation = script.hear_badly(&ChannelSuccess { recipient_channel });
        assert_eq!(violation, Violation::UnsolicitedChannelReply(channel.number()));
    }

    #[test]
    fn an_unsolicited_reply_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        let failure = ChannelFailure { recipient_channel: channel.number().0 };
        let violation = script.hear_badly(&failure);
        assert_eq!(violation, Violation::UnsolicitedChannelReply(channel.number()));
    }

    #[test]
    fn unknown_requests_are_refused_if_a_reply_is_wanted() {
        let mut script = Script::server();
        let channel = script.served_session();
        assert_eq!(script.hear(&asks(channel, "keepalive@openssh.com", b"")), None);
        script.expect(&FAILURE);
        let mut silent = asks(channel, "eow@openssh.com", b"");
        silent.want_reply = false;
        assert_eq!(script.hear(&silent), None);
        script.expect_silence();
    }

    #[test]
    fn a_forwarded_connection_takes_no_requests() {
        let mut script = Script::client();
        let channel = script.tcp();
        let status = 7_u32.to_be_bytes();
        assert_eq!(script.hear(&asks(channel, "exit-status", &status)), None);
        script.expect(&FAILURE);
    }

    #[test]
    fn a_refusal_waits_for_the_older_answers() {
        let mut script = Script::server();
        let channel = script.served_session();
        assert!(script.hear(&asks(channel, "shell", b"")).is_some());
        script.hear(&asks(channel, "unknown", b""));
        script.hear(&asks(channel, "unknown", b""));
        assert!(script.hear(&asks(channel, "shell", b"")).is_some());
        script.hear(&asks(channel, "unknown", b""));
        script.expect_silence();
        script.us.answer_request(channel, true);
        script.expect(&SUCCESS);
        script.expect(&FAILURE);
        script.expect(&FAILURE);
        script.expect_silence();
        script.us.answer_request(channel, false);
        script.expect(&FAILURE);
        script.expect(&FAILURE);
        script.us.answer_request(channel, true);
        script.expect_silence();
    }

    #[test]
    fn requests_nobody_answers_are_bounded() {
        let mut script = Script::server();
        let channel = script.served_session();
        for _ in 0..64 {
            assert!(script.hear(&asks(channel, "shell", b"")).is_some());
        }
        let violation = script.hear_badly(&asks(channel, "shell", b""));
        assert_eq!(violation, Violation::TooManyRequests);
    }

    #[test]
    fn the_last_of_the_most_requests_may_be_a_refused_one() {
        let mut script = Script::server();
        let channel = script.served_session();
        for _ in 0..63 {
            script.hear(&asks(channel, "shell", b""));
        }
        script.hear(&asks(channel, "unknown", b""));
        for _ in 0..63 {
            script.us.answer_request(channel, true);
            script.expect(&SUCCESS);
        }
        script.expect(&FAILURE);
    }

    #[test]
    fn a_body_that_does_not_decode_is_malformed() {
        for (request_type, body) in
            [("shell", &b"x"[..]), ("exec", b""), ("env", b"\0\0\0\0"), ("pty-req", b"\0\0")]
        {
            let mut script = Script::server();
            let channel = script.served_session();
            let violation = script.hear_badly(&asks(channel, request_type, body));
            assert!(matches!(violation, Violation::Malformed { number: 98, .. }), "{request_type}");
        }
    }

    #[test]
    fn the_exit_status_may_follow_eof_but_nothing_follows_close() {
        let mut script = Script::client();
        let channel = our_session(&mut script);
        script.hear(&ChannelEof { recipient_channel: channel.number().0 });
        let status = 7_u32.to_be_bytes();
        let mut exit = asks(channel, "exit-status", &status);
        exit.want_reply = false;
        let event = Event::ChannelRequest {
            channel,
            want_reply: false,
            request: Box::new(Request::ExitStatus(7)),
        };
        assert_eq!(script.hear(&exit), Some(event));
        script.hear(&ChannelClose { recipient_channel: channel.number().0 });
        assert_eq!(script.hear_badly(&exit), Violation::AfterClose(channel.number()));
    }

    #[test]
    fn no_answer_leaves_after_close() {
        let mut script = Script::server();
        let channel = script.served_session();
        script.hear(&asks(channel, "shell", b""));
        script.us.close(channel);
        script.said();
        script.us.answer_request(channel, true);
        assert_eq!(script.hear(&asks(channel, "shell", b"")), None);
        assert_eq!(script.hear(&asks(channel, "unknown", b"")), None);
        script.expect_silence();
        assert_eq!(script.us.request(channel, &Request::Shell, true), Err(Blocked::Closed));
    }

    #[test]
    fn how_a_command_ended_may_be_told_after_their_close() {
        let mut script = Script::server();
        let channel = script.served_session();
        script.hear(&ChannelClose { recipient_channel: channel.number().0 });
        assert_eq!(script.us.request(channel, &Request::Shell, true), Err(Blocked::Closed));
        script.expect_silence();
        assert_eq!(script.us.request(channel, &Request::ExitStatus(7), false), Ok(None));
        assert!(!script.said().is_empty());
        script.us.close(channel);
        let late = script.us.request(channel, &Request::ExitStatus(7), false);
        assert_eq!(late, Err(Blocked::Closed));
    }

    #[test]
    fn a_reply_after_our_close_is_let_pass() {
        let mut script = Script::client();
        let channel = our_session(&mut script);
        script.us.request(channel, &Request::Shell, true).unwrap();
        script.us.close(channel);
        assert_eq!(script.hear(&ChannelSuccess { recipient_channel: channel.number().0 }), None);
    }

    #[test]
    fn no_request_leaves_before_the_open_is_answered() {
        let mut script = Script::client();
        let channel = script.us.open(&Open::Session).unwrap();
        assert_eq!(script.us.request(channel, &Request::Shell, true), Err(Blocked::Opening));
    }
}

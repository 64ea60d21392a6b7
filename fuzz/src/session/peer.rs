//! A peer that knows what it may say, and what it must hear: plain books of its channels, kept from the messages alone.
//! Touches: `adit_testkit`'s script, both ends of it.   Never: rules broken on purpose.
//! Invariants: the end under test never leaves; it sends within its windows and nothing after an end; what it is given
//! comes out as it was sent, and what the peer sends is what the application gets.
//! Errors: a panic where the end does something else.   Allocates: freely.
//! Proved by: the target that drives it.

use adit_engine::{Answer, Channel, Forward, Open, Request};
use adit_testkit::Script;
use adit_transport::Role;
use adit_wire::channel::{
    ChannelClose, ChannelData, ChannelEof, ChannelExtendedData, ChannelFailure, ChannelOpen,
    ChannelOpenConfirmation, ChannelOpenFailure, ChannelRequest, ChannelSuccess,
    ChannelWindowAdjust, DirectStreamlocal, DirectTcpip, ForwardedTcpip,
};
use adit_wire::global_request::{
    BoundPort, GlobalRequest, RequestFailure, RequestSuccess, TcpipForward,
};
use adit_wire::transport::{Debug, Disconnect, Ignore, Ping};
use adit_wire::{Body, Message, Rest};

/// What a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Session,
    Tcpip,
    Streamlocal,
}

impl Kind {
    pub(crate) const fn pick(choice: u8) -> Self {
        match choice % 3 {
            0 => Self::Session,
            1 => Self::Tcpip,
            _ => Self::Streamlocal,
        }
    }
}

/// How far a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// The peer has asked.
    Asked,
    /// The end under test has asked.
    Offered,
    Live,
}

/// What one side may do with a channel.
#[derive(Clone, Copy, Debug, Default)]
struct Half {
    /// Bytes it may send.
    window: u64,
    /// Most in a message.
    largest: u64,
    eof: bool,
    closed: bool,
    /// Its requests that wait for an answer.
    asking: u32,
    /// What it has sent.
    sent: u64,
}

/// A channel as the peer knows it.
#[derive(Debug)]
struct Line {
    /// The peer's number.
    number: u32,
    /// The number of the end under test.
    ours: u32,
    life: Life,
    session: bool,
    peer: Half,
    us: Half,
    /// What the end under test was given to send.
    given: u64,
}

impl Line {
    fn new(number: u32, life: Life, session: bool) -> Self {
        let (peer, us) = (Half::default(), Half::default());
        Self { number, ours: u32::MAX, life, session, peer, us, given: 0 }
    }

    fn is_live(&self) -> bool {
        self.life == Life::Live
    }

    fn is_open(&self) -> bool {
        self.is_live() && !self.peer.closed && !self.us.closed
    }
}

/// Fewer than the end under test takes.
const MOST_CHANNELS: usize = 40;
/// As many requests as may wait on a channel.
const MOST_ASKED: u32 = 60;

/// A message number of local extensions that nobody has taken.
const NOBODYS: u8 = 200;

/// The peer, and the end under test.
#[derive(Debug)]
pub(crate) struct Peer {
    script: Script,
    lines: Vec<Line>,
    numbers: u32,
    /// Global requests of the end under test without an answer: whether a port must be in it.
    asked: Vec<bool>,
    /// Our own.
    asking: usize,
    now: u64,
}

fn byte(line: u32, from_peer: bool, position: u64) -> u8 {
    (position.wrapping_mul(31) ^ (position >> 8) ^ u64::from(line * 2 + u32::from(from_peer))) as u8
}

fn stream(line: u32, from_peer: bool, from: u64, len: usize) -> Vec<u8> {
    (from..from + len as u64).map(|position| byte(line, from_peer, position)).collect()
}

impl Peer {
    pub(crate) fn new(script: Script) -> Self {
        Self { script, lines: vec![], numbers: 0, asked: vec![], asking: 0, now: 0 }
    }

    fn is_client(&self) -> bool {
        self.script.us.role == Role::Server
    }

    /// Picks among lines that a test holds for.
    fn pick(&self, nth: usize, of: impl Fn(&Line) -> bool) -> Option<usize> {
        let fitting: Vec<_> = (0..self.lines.len()).filter(|at| of(&self.lines[*at])).collect();
        nth.checked_rem(fitting.len()).map(|nth| fitting[nth])
    }

    /// The handle under which the end has a channel.
    fn channel(&self, at: usize) -> Channel {
        let number = self.lines[at].ours;
        let mut channels = self.script.us.flows.keys();
        // The last to have the number.
        *channels.rfind(|channel| channel.number().0 == number).expect("the end knows its channel")
    }

    fn says<'m>(&mut self, message: &impl Message<'m>) {
        self.script.sends(message);
        self.hear();
    }
}

/// What the peer does.
impl Peer {
    pub(crate) fn open(&mut self, kind: Kind, window: u16, largest: u16) {
        // A server opens what it was asked to forward; nothing was.
        let kind = if self.is_client() { kind } else { Kind::Tcpip };
        if self.lines.len() >= MOST_CHANNELS {
            return;
        }
        self.numbers += 1;
        let (mut body, number) = (Vec::new(), self.numbers);
        let channel_type = match (kind, self.is_client()) {
            (Kind::Session, _) => "session",
            (Kind::Streamlocal, _) => {
                DirectStreamlocal { socket_path: "/s", reserved: b"", reserved_number: 0 }
                    .encode(&mut body);
                "direct-streamlocal@openssh.com"
            }
            (Kind::Tcpip, true) => {
                let (originator_address, originator_port) = ("192.0.2.1", 4000);
                let (host_to_connect, port_to_connect) = ("db", 5432);
                DirectTcpip {
                    host_to_connect,
                    port_to_connect,
                    originator_address,
                    originator_port,
                }
                .encode(&mut body);
                "direct-tcpip"
            }
            (Kind::Tcpip, false) => {
                let (originator_address, originator_port) = ("192.0.2.1", 4000);
                let (connected_address, connected_port) = ("listen", 2000);
                ForwardedTcpip {
                    connected_address,
                    connected_port,
                    originator_address,
                    originator_port,
                }
                .encode(&mut body);
                "forwarded-tcpip"
            }
        };
        let mut line = Line::new(number, Life::Asked, kind == Kind::Session);
        line.us = Half { window: window.into(), largest: u64::from(largest.max(1)), ..line.us };
        self.lines.push(line);
        self.says(&ChannelOpen {
            channel_type,
            sender_channel: number,
            initial_window_size: window.into(),
            maximum_packet_size: largest.max(1).into(),
            data: Rest(&body),
        });
    }

    pub(crate) fn answer_open(&mut self, nth: usize, accept: bool, window: u16, largest: u16) {
        let Some(at) = self.pick(nth, |line| line.life == Life::Offered) else { return };
        let line = &mut self.lines[at];
        let (recipient_channel, sender_channel) = (line.ours, line.number);
        if accept {
            line.life = Life::Live;
            line.us.window = window.into();
            line.us.largest = largest.max(1).into();
            self.says(&ChannelOpenConfirmation {
                recipient_channel,
                sender_channel,
                initial_window_size: window.into(),
                maximum_packet_size: largest.max(1).into(),
                data: Rest(b""),
            });
        } else {
            self.lines.swap_remove(at);
            self.says(&ChannelOpenFailure {
                recipient_channel,
                reason_code: 2,
                description: b"no",
                language_tag: b"",
            });
        }
    }

    pub(crate) fn data(&mut self, nth: usize, len: usize, stderr: bool) {
        let open = |line: &Line| line.is_live() && !line.peer.eof && !line.peer.closed;
        let Some(at) = self.pick(nth, open) else { return };
        let line = &mut self.lines[at];
        let most = line.peer.window.min(line.peer.largest);
        let data = stream(line.number, true, line.peer.sent, len.min(most as usize));
        line.peer.window -= data.len() as u64;
        line.peer.sent += data.len() as u64;
        let (recipient_channel, data) = (line.ours, &data[..]);
        match stderr {
            true => {
                self.says(&ChannelExtendedData { recipient_channel, data_type_code: 1, data });
            }
            false => self.says(&ChannelData { recipient_channel, data }),
        }
    }

    pub(crate) fn adjust(&mut self, nth: usize, bytes_to_add: u32) {
        let Some(at) = self.pick(nth, |line| line.is_live() && !line.peer.closed) else { return };
        let line = &mut self.lines[at];
        if line.us.window + u64::from(bytes_to_add) > u64::from(u32::MAX) {
            return;
        }
        line.us.window += u64::from(bytes_to_add);
        let recipient_channel = line.ours;
        self.says(&ChannelWindowAdjust { recipient_channel, bytes_to_add });
    }

    pub(crate) fn eof(&mut self, nth: usize) {
        let open = |line: &Line| line.is_live() && !line.peer.eof && !line.peer.closed;
        let Some(at) = self.pick(nth, open) else { return };
        self.lines[at].peer.eof = true;
        let recipient_channel = self.lines[at].ours;
        self.says(&ChannelEof { recipient_channel });
    }

    pub(crate) fn close(&mut self, nth: usize) {
        let Some(at) = self.pick(nth, |line| line.is_live() && !line.peer.closed) else { return };
        self.lines[at].peer.closed = true;
        let recipient_channel = self.lines[at].ours;
        self.says(&ChannelClose { recipient_channel });
        self.forget();
    }

    pub(crate) fn request(&mut self, nth: usize, kind: u8, want_reply: bool) {
        let open = |line: &Line| line.is_open() && line.us.asking < MOST_ASKED;
        let Some(at) = self.pick(nth, open) else { return };
        let bodies: [(&str, &[u8]); 6] = [
            ("shell", b""),
            ("exec", b"\0\0\0\x02ls"),
            ("env", b"\0\0\0\x04LANG\0\0\0\x01C"),
            ("window-change", &[0; 16]),
            ("exit-status", &[0; 4]),
            ("nobody@example.com", b"knows"),
        ];
        let (request_type, data) = bodies[usize::from(kind) % bodies.len()];
        let line = &mut self.lines[at];
        line.peer.asking += u32::from(want_reply);
        if line.peer.asking >= MOST_ASKED {
            line.peer.asking -= u32::from(want_reply);
            return;
        }
        let recipient_channel = line.ours;
        self.says(&ChannelRequest {
            recipient_channel,
            request_type,
            want_reply,
            data: Rest(data),
        });
    }

    pub(crate) fn answer_request(&mut self, nth: usize, success: bool) {
        let open = |line: &Line| line.is_live() && !line.peer.closed && line.us.asking > 0;
        let Some(at) = self.pick(nth, open) else { return };
        self.lines[at].us.asking -= 1;
        let recipient_channel = self.lines[at].ours;
        match success {
            true => self.says(&ChannelSuccess { recipient_channel }),
            false => self.says(&ChannelFailure { recipient_channel }),
        }
    }

    pub(crate) fn global(&mut self, kind: u8, port: u8, want_reply: bool) {
        let mut body = Vec::new();
        let request_name = match kind % 5 {
            0 => "keepalive@openssh.com",
            1 if self.is_client() => "tcpip-forward",
            2 if self.is_client() => "cancel-tcpip-forward",
            3 if self.is_client() => "hostkeys-prove-00@openssh.com",
            4 if !self.is_client() => "hostkeys-00@openssh.com",
            _ => "nobody@example.com",
        };
        if request_name.ends_with("forward") {
            TcpipForward { address_to_bind: "listen", port_number_to_bind: port.into() }
                .encode(&mut body);
        }
        self.asking += usize::from(want_reply);
        self.says(&GlobalRequest { request_name, want_reply, data: Rest(&body) });
    }

    pub(crate) fn answer_global(&mut self, success: bool) {
        if self.asked.is_empty() {
            return;
        }
        let wants_port = self.asked.remove(0);
        let mut port = Vec::new();
        BoundPort { port: 2000 }.encode(&mut port);
        let data = Rest(if wants_port { &port } else { b"" });
        match success {
            true => self.says(&RequestSuccess { data }),
            false => self.says(&RequestFailure {}),
        }
    }

    /// What means nothing to anybody.
    pub(crate) fn chatter(&mut self, kind: u8, len: usize) {
        let bytes = vec![0; len];
        match kind % 4 {
            0 => self.says(&Ignore { data: &bytes }),
            1 => self.says(&Debug { always_display: false, message: &bytes, language_tag: b"" }),
            2 => self.says(&Ping { data: &bytes }),
            _ => {
                self.script.sends_payload(&[NOBODYS]);
                self.hear();
            }
        }
    }

    pub(crate) fn rekey(&mut self, ours: bool) {
        if ours {
            self.script.us.rekey();
        }
        self.script.rekeys();
        self.hear();
        assert!(self.script.us.error().is_none(), "{:#?}", self.script.us);
    }
}

/// What the end under test is made to do.
impl Peer {
    fn settled(&mut self) {
        self.script.us.settle();
        self.hear();
    }

    pub(crate) fn we_open(&mut self, kind: Kind) {
        // Only a client's opens are for anything without a forward.
        if self.lines.len() >= MOST_CHANNELS {
            return;
        }
        let open = match (kind, self.is_client()) {
            (_, true) => Open::forwarded_tcpip("listen", 2000, "192.0.2.1", 4000),
            (Kind::Session, _) => Open::Session,
            (Kind::Tcpip, _) => Open::direct_tcpip("db", 5432, "127.0.0.1", 4000),
            (Kind::Streamlocal, _) => Open::DirectStreamlocal { path: "/s".into() },
        };
        self.script.us.open(&open);
        self.settled();
    }

    pub(crate) fn we_answer_open(&mut self, nth: usize, accept: bool) {
        let Some(at) = self.pick(nth, |line| line.life == Life::Asked && line.ours != u32::MAX)
        else {
            return;
        };
        let channel = self.channel(at);
        match accept {
            true => self.script.us.accept(channel),
            false => self.script.us.refuse(channel, 2, "no"),
        }
        self.settled();
    }

    pub(crate) fn we_send(&mut self, nth: usize, len: usize) {
        let open = |line: &Line| line.is_open() && !line.us.eof;
        let Some(at) = self.pick(nth, open) else { return };
        let channel = self.channel(at);
        if self.script.us.flow(channel).eof_wanted {
            return;
        }
        let line = &mut self.lines[at];
        let data = stream(line.number, false, line.given, len);
        line.given += len as u64;
        self.script.us.send(channel, &data);
        self.settled();
    }

    pub(crate) fn we_deliver(&mut self, nth: usize, len: usize) {
        let Some(at) = self.pick(nth, |line| line.is_live() && !line.us.closed) else { return };
        let channel = self.channel(at);
        self.script.us.deliver(channel, len);
        self.settled();
    }

    pub(crate) fn we_send_eof(&mut self, nth: usize) {
        let Some(at) = self.pick(nth, Line::is_open) else { return };
        let channel = self.channel(at);
        self.script.us.send_eof(channel);
        self.settled();
    }

    pub(crate) fn we_close(&mut self, nth: usize) {
        let Some(at) = self.pick(nth, |line| line.is_live() && !line.us.closed) else { return };
        let channel = self.channel(at);
        self.script.us.close(channel);
        self.settled();
    }

    pub(crate) fn we_request(&mut self, nth: usize, want_reply: bool) {
        let open = |line: &Line| line.is_open() && line.session && line.us.asking < MOST_ASKED;
        let Some(at) = self.pick(nth, open) else { return };
        let channel = self.channel(at);
        let asked = self.script.us.engine.request(channel, &Request::Shell, want_reply);
        assert!(asked.is_ok(), "{asked:?}");
        self.settled();
    }

    pub(crate) fn we_answer_request(&mut self, nth: usize, success: bool) {
        let Some(at) = self.pick(nth, Line::is_open) else { return };
        let channel = self.channel(at);
        self.script.us.engine.answer_request(channel, success);
        self.settled();
    }

    pub(crate) fn we_ask(&mut self, kind: u8, port: u8) {
        let engine = &mut self.script.us.engine;
        let asked = match kind % 3 {
            0 => engine.keepalive(),
            _ if self.script.us.role == Role::Server => return,
            _ => engine.request_forward(Forward::tcpip("listen", u32::from(port % 2) * 2000)),
        };
        assert!(asked.is_ok(), "{asked:?}");
        self.settled();
    }

    pub(crate) fn we_reply(&mut self, success: bool) {
        let Some(token) = self.script.us.tokens.pop_front() else { return };
        let answer = if success { Answer::Success } else { Answer::Failure };
        self.script.us.engine.reply(token, answer);
        self.settled();
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += seconds * 1000;
        self.script.us.tick(self.now);
        self.settled();
    }
}

/// What the peer hears.
impl Peer {
    fn hear(&mut self) {
        while let Some(message) = self.script.hears() {
            self.heard(&message);
        }
        self.forget();
        assert!(self.script.us.error().is_none(), "{:#?}", self.script.us);
    }

    fn heard(&mut self, message: &[u8]) {
        match message[0] {
            ChannelOpen::NUMBER => self.is_asked(&decoded(message)),
            ChannelOpenConfirmation::NUMBER => {
                let it: ChannelOpenConfirmation<'_> = decoded(message);
                let line = self.line(it.recipient_channel);
                assert_eq!(line.life, Life::Asked);
                (line.life, line.ours) = (Life::Live, it.sender_channel);
                line.peer.window = it.initial_window_size.into();
                line.peer.largest = it.maximum_packet_size.into();
            }
            ChannelOpenFailure::NUMBER => {
                let it: ChannelOpenFailure<'_> = decoded(message);
                assert_eq!(self.line(it.recipient_channel).life, Life::Asked);
                self.lines.retain(|line| line.number != it.recipient_channel);
            }
            ChannelWindowAdjust::NUMBER => {
                let it: ChannelWindowAdjust = decoded(message);
                let line = self.line(it.recipient_channel);
                assert!(line.is_live() && !line.us.closed);
                line.peer.window += u64::from(it.bytes_to_add);
                assert!(line.peer.window <= u64::from(u32::MAX));
            }
            ChannelData::NUMBER => {
                let it: ChannelData<'_> = decoded(message);
                let line = self.line(it.recipient_channel);
                let len = it.data.len() as u64;
                assert!(len > 0 && line.is_live() && !line.us.eof && !line.us.closed);
                assert!(len <= line.us.window.min(line.us.largest), "{len} bytes on {line:?}");
                assert_eq!(it.data, stream(line.number, false, line.us.sent, it.data.len()));
                line.us.window -= len;
                line.us.sent += len;
            }
            ChannelEof::NUMBER => {
                let it: ChannelEof = decoded(message);
                let line = self.line(it.recipient_channel);
                assert!(line.is_live() && !line.us.eof && !line.us.closed);
                assert_eq!(line.us.sent, line.given, "EOF behind everything");
                line.us.eof = true;
            }
            ChannelClose::NUMBER => {
                let it: ChannelClose = decoded(message);
                let line = self.line(it.recipient_channel);
                assert!(line.is_live() && !line.us.closed);
                line.us.closed = true;
            }
            ChannelRequest::NUMBER => {
                let it: ChannelRequest<'_> = decoded(message);
                let line = self.line(it.recipient_channel);
                assert!(line.is_live() && !line.us.closed);
                line.us.asking += u32::from(it.want_reply);
            }
            ChannelSuccess::NUMBER | ChannelFailure::NUMBER => {
                let number = u32::from_be_bytes([message[1], message[2], message[3], message[4]]);
                let line = self.line(number);
                assert!(line.is_live() && !line.us.closed && line.peer.asking > 0);
                line.peer.asking -= 1;
            }
            GlobalRequest::NUMBER => {
                let it: GlobalRequest<'_> = decoded(message);
                assert!(it.want_reply);
                self.asked.push(it.request_name == "tcpip-forward" && it.data.0.ends_with(&[0; 4]));
            }
            RequestSuccess::NUMBER | RequestFailure::NUMBER => {
                assert!(self.asking > 0, "a reply to nothing");
                self.asking -= 1;
            }
            Disconnect::NUMBER => panic!("thrown out: {:#?}", self.script.us),
            // Unimplemented, explanations, pongs, pings.
            _ => {}
        }
    }

    fn is_asked(&mut self, open: &ChannelOpen<'_>) {
        self.numbers += 1;
        let mut line = Line::new(self.numbers, Life::Offered, open.channel_type == "session");
        line.ours = open.sender_channel;
        line.peer.window = open.initial_window_size.into();
        line.peer.largest = open.maximum_packet_size.into();
        self.lines.push(line);
    }

    fn line(&mut self, number: u32) -> &mut Line {
        let line = self.lines.iter_mut().find(|line| line.number == number);
        line.unwrap_or_else(|| panic!("there is no channel {number}"))
    }

    /// A line that both have closed is no more.
    fn forget(&mut self) {
        self.lines.retain(|line| !(line.peer.closed && line.us.closed));
    }
}

/// What holds.
impl Peer {
    /// After every operation.
    pub(crate) fn check(&mut self) {
        self.learn_numbers();
        assert_eq!(self.script.us.engine.channels() as usize, self.lines.len());
        for at in 0..self.lines.len() {
            if !self.lines[at].is_live() || self.lines[at].us.closed {
                continue;
            }
            let channel = self.channel(at);
            let (flow, line) = (&self.script.us.flows[&channel], &self.lines[at]);
            assert_eq!(flow.received.len() as u64, line.peer.sent);
            assert_eq!((flow.eof_seen, flow.closed_seen), (line.peer.eof, line.peer.closed));
            assert!(line.peer.window <= 64 << 20, "{line:?}");
        }
    }

    /// An offer has no number before it is answered, but the application has a handle.
    fn learn_numbers(&mut self) {
        for at in 0..self.lines.len() {
            if self.lines[at].life == Life::Asked && self.lines[at].ours == u32::MAX {
                let known = |number: u32| self.lines.iter().any(|line| line.ours == number);
                let offered = self.script.us.flows.iter().rev().find(|(channel, flow)| {
                    !flow.open && !flow.closed_seen && !known(channel.number().0)
                });
                let number = offered.map(|(channel, _)| channel.number().0);
                self.lines[at].ours = number.expect("what was asked for is before the application");
            }
        }
    }

    /// Everything that was given to send comes; then everything is closed.
    pub(crate) fn finish(mut self) {
        while self.pick(0, |line| line.life == Life::Offered).is_some() {
            self.answer_open(0, true, 1000, 1000);
        }
        while self.pick(0, |line| line.life == Life::Asked).is_some() {
            self.we_answer_open(0, true);
        }
        while !self.script.us.tokens.is_empty() {
            self.we_reply(true);
        }
        while !self.asked.is_empty() {
            self.answer_global(true);
        }
        assert_eq!(self.asking, 0, "every request is answered");
        for nth in 0..self.lines.len() {
            let missing = self.lines[nth].given - self.lines[nth].us.sent;
            if self.lines[nth].is_open() && missing > 0 {
                let number = self.lines[nth].number;
                let left = missing.saturating_sub(self.lines[nth].us.window);
                let at = self.lines.iter().filter(|line| line.is_live() && !line.peer.closed);
                let at = at.take_while(|line| line.number != number).count();
                self.adjust(at, left as u32);
                assert_eq!(self.lines[nth].us.sent, self.lines[nth].given, "all of it comes");
            }
            self.check_received(nth);
        }
        while self.pick(0, |line| !line.peer.closed).is_some() {
            self.close(0);
        }
        while self.pick(0, |line| !line.us.closed).is_some() {
            self.we_close(0);
        }
        self.check();
        assert!(self.lines.is_empty());
    }

    fn check_received(&self, at: usize) {
        let line = &self.lines[at];
        if !line.us.closed {
            let received = &self.script.us.flows[&self.channel(at)].received;
            assert_eq!(*received, stream(line.number, true, 0, received.len()));
        }
    }
}

fn decoded<'a, M: Message<'a>>(message: &'a [u8]) -> M {
    M::decode(message).unwrap_or_else(|error| panic!("{error}: {message:?}"))
}

//! Opening channels: asked by us, asked by the peer. RFC 4254 §5.1, §6.1, §7.2, OpenSSH PROTOCOL §2.4.
//! Touches: the channel table, the peer's numbers, the first windows.   Never: whether a destination is allowed.
//! Invariants: each open is answered once; a peer's number names one live channel.
//! Errors: `OpenError`; `ChannelReused`, `AnsweredTwice`, `MaximumPacketZero`.   Allocates: a box and names per open.
//! Proved by: `tests` below, `pair`.

use crate::channel::{Entry, Live, Offered, Opening};
use crate::connection::{Connection, Side, decode};
use crate::event::{Event, OpenFailure};
use crate::id::{Channel, LocalChannel, PeerChannel};
use crate::send_half::SendStep;
use crate::violation::Violation;
use crate::window::{RecvWindow, SendWindow};
use adit_wire::channel::{
    ChannelClose, ChannelOpen, ChannelOpenConfirmation, ChannelOpenFailure, DirectStreamlocal,
    DirectTcpip, ForwardedStreamlocal, ForwardedTcpip, channel_type, open_failure,
};
use adit_wire::{Body, DecodeError, Message, Rest};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// What a channel is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open<'a> {
    /// A command, a shell or a subsystem. RFC 4254 §6.1.
    Session,
    /// A connection to be made by the server. RFC 4254 §7.2.
    DirectTcpip {
        /// Name or address to connect to.
        host: Cow<'a, str>,
        /// Port to connect to.
        port: u32,
        /// Who asks for it.
        originator_address: Cow<'a, str>,
        /// And from which port.
        originator_port: u32,
    },
    /// A connection made to a port the server listens on for the client. RFC 4254 §7.2.
    ForwardedTcpip {
        /// The address of the `tcpip-forward` request, letter for letter.
        address: Cow<'a, str>,
        /// The port listened on.
        port: u32,
        /// Who connected.
        originator_address: Cow<'a, str>,
        /// And from which port.
        originator_port: u32,
    },
    /// A connection to a socket of the server's file system. OpenSSH PROTOCOL §2.4.
    DirectStreamlocal {
        /// Path of the socket.
        path: Cow<'a, str>,
    },
    /// A connection made to a socket the server listens on for the client. OpenSSH PROTOCOL §2.4.
    ForwardedStreamlocal {
        /// The path of the `streamlocal-forward@openssh.com` request.
        path: Cow<'a, str>,
    },
}

impl<'a> Open<'a> {
    /// A connection to be made by the server.
    pub const fn direct_tcpip(
        host: &'a str,
        port: u32,
        originator_address: &'a str,
        originator_port: u32,
    ) -> Self {
        let (host, originator_address) = (Cow::Borrowed(host), Cow::Borrowed(originator_address));
        Self::DirectTcpip { host, port, originator_address, originator_port }
    }

    /// A connection made to a port the server listens on for the client.
    pub const fn forwarded_tcpip(
        address: &'a str,
        port: u32,
        originator_address: &'a str,
        originator_port: u32,
    ) -> Self {
        let (address, originator_address) =
            (Cow::Borrowed(address), Cow::Borrowed(originator_address));
        Self::ForwardedTcpip { address, port, originator_address, originator_port }
    }

    /// The channel type's name.
    pub const fn channel_type(&self) -> &'static str {
        match self {
            Self::Session => channel_type::SESSION,
            Self::DirectTcpip { .. } => channel_type::DIRECT_TCPIP,
            Self::ForwardedTcpip { .. } => channel_type::FORWARDED_TCPIP,
            Self::DirectStreamlocal { .. } => channel_type::DIRECT_STREAMLOCAL,
            Self::ForwardedStreamlocal { .. } => channel_type::FORWARDED_STREAMLOCAL,
        }
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Session => {}
            Self::DirectTcpip { host, port, originator_address, originator_port } => DirectTcpip {
                host_to_connect: host,
                port_to_connect: *port,
                originator_address,
                originator_port: *originator_port,
            }
            .encode(out),
            Self::ForwardedTcpip { address, port, originator_address, originator_port } => {
                ForwardedTcpip {
                    connected_address: address,
                    connected_port: *port,
                    originator_address,
                    originator_port: *originator_port,
                }
                .encode(out);
            }
            Self::DirectStreamlocal { path } => {
                DirectStreamlocal { socket_path: path, reserved: b"", reserved_number: 0 }
                    .encode(out);
            }
            Self::ForwardedStreamlocal { path } => {
                ForwardedStreamlocal { socket_path: path, reserved: b"" }.encode(out);
            }
        }
    }

    fn names_are_short(&self) -> bool {
        let short = |name: &str| name.len() <= LONGEST_NAME;
        match self {
            Self::Session => true,
            Self::DirectTcpip { host: name, originator_address, .. }
            | Self::ForwardedTcpip { address: name, originator_address, .. } => {
                short(name) && short(originator_address)
            }
            Self::DirectStreamlocal { path } | Self::ForwardedStreamlocal { path } => short(path),
        }
    }
}

impl Open<'_> {
    /// Whether TCP has the port that is to be connected to.
    const fn port_is_possible(&self) -> bool {
        !matches!(self, Self::DirectTcpip { port: 0x1_0000.., .. })
    }
}

/// No host name, address or socket path is longer; what a peer can make us keep is.
pub(crate) const LONGEST_NAME: usize = 1024;

type DecodeBody = fn(&[u8]) -> Result<Open<'static>, DecodeError>;

/// Channel types, who serves them, and their bodies.
const KINDS: &[(&str, Side, DecodeBody)] = &[
    (channel_type::SESSION, Side::Server, session),
    (channel_type::DIRECT_TCPIP, Side::Server, direct_tcpip),
    (channel_type::DIRECT_STREAMLOCAL, Side::Server, direct_streamlocal),
    (channel_type::FORWARDED_TCPIP, Side::Client, forwarded_tcpip),
    (channel_type::FORWARDED_STREAMLOCAL, Side::Client, forwarded_streamlocal),
];

fn session(body: &[u8]) -> Result<Open<'static>, DecodeError> {
    if body.is_empty() { Ok(Open::Session) } else { Err(DecodeError::TrailingBytes) }
}

fn direct_tcpip(body: &[u8]) -> Result<Open<'static>, DecodeError> {
    let body = DirectTcpip::decode(body)?;
    Ok(Open::DirectTcpip {
        host: owned(body.host_to_connect),
        port: body.port_to_connect,
        originator_address: owned(body.originator_address),
        originator_port: body.originator_port,
    })
}

fn forwarded_tcpip(body: &[u8]) -> Result<Open<'static>, DecodeError> {
    let body = ForwardedTcpip::decode(body)?;
    Ok(Open::ForwardedTcpip {
        address: owned(body.connected_address),
        port: body.connected_port,
        originator_address: owned(body.originator_address),
        originator_port: body.originator_port,
    })
}

fn direct_streamlocal(body: &[u8]) -> Result<Open<'static>, DecodeError> {
    DirectStreamlocal::decode(body)
        .map(|body| Open::DirectStreamlocal { path: owned(body.socket_path) })
}

fn forwarded_streamlocal(body: &[u8]) -> Result<Open<'static>, DecodeError> {
    ForwardedStreamlocal::decode(body)
        .map(|body| Open::ForwardedStreamlocal { path: owned(body.socket_path) })
}

fn owned(name: &str) -> Cow<'static, str> {
    Cow::Owned(name.into())
}

/// Why we cannot ask for a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// As many channels as the configuration allows are there already.
    TooManyChannels,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many channels")
    }
}

impl core::error::Error for OpenError {}

/// Why a peer's open is refused without asking the application.
struct Refusal(u32, &'static str);

impl Connection {
    /// Asks the peer for a channel: [`Event::Opened`] or [`Event::OpenFailed`] answers.
    ///
    /// # Errors
    /// [`OpenError::TooManyChannels`].
    pub fn open(&mut self, open: &Open<'_>) -> Result<Channel, OpenError> {
        if self.is_full() {
            return Err(OpenError::TooManyChannels);
        }
        let window = self.first_window(self.table.len() + 1);
        let session = matches!(open, Open::Session);
        let entry = Opening { window, session, abandoned: false };
        let channel = self.table.insert(Entry::Opening(entry));
        let message = ChannelOpen {
            channel_type: open.channel_type(),
            sender_channel: channel.number.0,
            initial_window_size: window.granted(),
            maximum_packet_size: self.config.max_packet,
            data: Rest(&[]),
        };
        self.out.say_with(|out| {
            message.encode(out);
            open.encode_body(out);
        });
        Ok(channel)
    }

    /// Confirms the channel of an [`Event::Open`].
    pub fn accept(&mut self, channel: Channel) {
        let Some(Entry::Offered(_)) = self.table.get(channel) else { return };
        let window = self.first_window(self.table.len());
        let Some(entry) = self.table.get_mut(channel) else { return };
        let Entry::Offered(offered) = entry else { return };
        self.out.answer(&ChannelOpenConfirmation {
            recipient_channel: offered.peer.0,
            sender_channel: channel.number.0,
            initial_window_size: window.granted(),
            maximum_packet_size: self.config.max_packet,
            data: Rest(&[]),
        });
        *entry = Entry::Live(Live::new(offered, window));
    }

    /// Refuses the channel of an [`Event::Open`] with a reason of RFC 4254 §5.1 and words for a human.
    pub fn refuse(&mut self, channel: Channel, reason: u32, description: &str) {
        let Some(Entry::Offered(offered)) = self.table.get(channel) else { return };
        let peer = offered.peer;
        self.peers.remove(&peer.0);
        self.table.remove(channel);
        self.answer_refusal(peer, &Refusal(reason, ""), description);
    }

    fn answer_refusal(&mut self, peer: PeerChannel, refusal: &Refusal, description: &str) {
        self.out.answer(&ChannelOpenFailure {
            recipient_channel: peer.0,
            reason_code: refusal.0,
            description: description.as_bytes(),
            language_tag: b"",
        });
    }

    fn is_full(&self) -> bool {
        self.table.len() >= self.config.max_channels
    }

    /// What the `nth` channel starts with, out of the budget.
    fn first_window(&mut self, nth: u32) -> RecvWindow {
        let wish = self.budget.start(nth, self.config.initial_window);
        RecvWindow::new(self.budget.draw(0, wish))
    }

    pub(crate) fn handle_open(&mut self, payload: &[u8]) -> Result<Option<Event>, Violation> {
        let message = decode::<ChannelOpen<'_>>(payload)?;
        // An answer could not be told from one for the live channel.
        if self.peers.contains(&message.sender_channel) {
            return Err(Violation::ChannelReused(message.sender_channel));
        }
        let peer = PeerChannel(message.sender_channel);
        match self.admit(&message)? {
            Ok(open) => Ok(Some(self.offer(peer, &message, open))),
            Err(refusal) => {
                self.answer_refusal(peer, &refusal, refusal.1);
                Ok(None)
            }
        }
    }

    /// What this layer can tell of an open: known, ours to serve, possible.
    fn admit(&self, open: &ChannelOpen<'_>) -> Result<Result<Open<'static>, Refusal>, Violation> {
        let kind = KINDS.iter().find(|(name, ..)| *name == open.channel_type);
        let Some((_, side, decode_body)) = kind else {
            return Ok(Err(Refusal(open_failure::UNKNOWN_CHANNEL_TYPE, "unknown channel type")));
        };
        let prohibited = |why| Ok(Err(Refusal(open_failure::ADMINISTRATIVELY_PROHIBITED, why)));
        if *side != self.config.side {
            return prohibited("not served by this side");
        }
        let body = decode_body(open.data.0).map_err(|error| Violation::Malformed {
            number: <ChannelOpen<'_> as Message<'_>>::NUMBER,
            error,
        })?;
        if open.maximum_packet_size == 0 {
            return prohibited("maximum packet size 0");
        }
        if !body.names_are_short() {
            return prohibited("name too long");
        }
        if !body.port_is_possible() {
            return Ok(Err(Refusal(open_failure::CONNECT_FAILED, "no such port")));
        }
        if body == Open::Session && self.no_more_sessions {
            return prohibited("no more sessions");
        }
        if self.is_full() {
            return Ok(Err(Refusal(open_failure::RESOURCE_SHORTAGE, "too many channels")));
        }
        Ok(Ok(body))
    }

    /// Puts an open before the application, unless it is for a forward nobody asked for.
    fn offer(
        &mut self,
        peer: PeerChannel,
        message: &ChannelOpen<'_>,
        open: Open<'static>,
    ) -> Event {
        let forward = self.forwards.asked_for(&open);
        let open = Box::new(open);
        if forward.is_none() && self.config.side == Side::Client {
            let reason = Refusal(open_failure::ADMINISTRATIVELY_PROHIBITED, "");
            self.answer_refusal(peer, &reason, "forward not asked for");
            return Event::ForwardUnknown { open };
        }
        self.peers.insert(peer.0);
        let channel = self.table.insert(Entry::Offered(Offered {
            peer,
            send_window: SendWindow::new(message.initial_window_size),
            peer_max_packet: message.maximum_packet_size,
            session: matches!(*open, Open::Session),
        }));
        Event::Open { channel, open, forward }
    }

    pub(crate) fn handle_open_confirmation(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        let message = decode::<ChannelOpenConfirmation<'_>>(payload)?;
        let (channel, opening) = self.opening(message.recipient_channel)?;
        let (window, session, abandoned) = (opening.window, opening.session, opening.abandoned);
        if message.maximum_packet_size == 0 {
            return Err(Violation::MaximumPacketZero(channel.number));
        }
        if !self.peers.insert(message.sender_channel) {
            return Err(Violation::ChannelReused(message.sender_channel));
        }
        let agreed = Offered {
            peer: PeerChannel(message.sender_channel),
            send_window: SendWindow::new(message.initial_window_size),
            peer_max_packet: message.maximum_packet_size,
            session,
        };
        let mut live = Live::new(&agreed, window);
        if abandoned {
            live.send.take(SendStep::Close);
            self.out.say(&ChannelClose { recipient_channel: agreed.peer.0 });
        }
        if let Some(entry) = self.table.get_mut(channel) {
            *entry = Entry::Live(live);
        }
        Ok((!abandoned).then_some(Event::Opened { channel }))
    }

    pub(crate) fn handle_open_failure(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        let message = decode::<ChannelOpenFailure<'_>>(payload)?;
        let (channel, opening) = self.opening(message.recipient_channel)?;
        let held = opening.window.held();
        self.budget.release(held, 0);
        self.table.remove(channel);
        let failure =
            OpenFailure { reason: message.reason_code, description: message.description.into() };
        Ok(Some(Event::OpenFailed { channel, failure: Box::new(failure) }))
    }

    /// The open an answer is for.
    fn opening(&self, number: u32) -> Result<(Channel, &Opening), Violation> {
        let number = LocalChannel(number);
        let channel = self.table.named(number).ok_or(Violation::UnknownChannel(number))?;
        match self.table.get(channel) {
            Some(Entry::Opening(opening)) => Ok((channel, opening)),
            Some(Entry::Live(_)) => Err(Violation::AnsweredTwice(number)),
            Some(Entry::Offered(_)) | None => Err(Violation::UnknownChannel(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Config;
    use crate::forward::Forward;
    use crate::script::{Script, THEIRS, body, confirmation, direct};
    use adit_wire::channel::ChannelData;

    fn asks<'a>(channel_type: &'a str, sender_channel: u32, body: &'a [u8]) -> ChannelOpen<'a> {
        ChannelOpen {
            channel_type,
            sender_channel,
            initial_window_size: 1000,
            maximum_packet_size: 100,
            data: Rest(body),
        }
    }

    fn direct_body() -> Vec<u8> {
        body(&DirectTcpip {
            host_to_connect: "db",
            port_to_connect: 5432,
            originator_address: "::1",
            originator_port: 9,
        })
    }

    /// Hears an open that is refused with `reason`, and nothing is left of it.
    #[track_caller]
    fn refused(script: &mut Script, open: &ChannelOpen<'_>, reason: u32) {
        let before = script.us.channels();
        let event = script.hear(open);
        assert!(matches!(event, None | Some(Event::ForwardUnknown { .. })), "{event:?}");
        let said = script.said();
        let failure = ChannelOpenFailure::decode(&said).unwrap();
        assert_eq!(failure.reason_code, reason);
        assert_eq!(failure.recipient_channel, open.sender_channel);
        assert_eq!(script.us.channels(), before);
        assert!(!script.us.peers.contains(&open.sender_channel));
    }

    #[test]
    fn every_kind_of_open_reaches_the_side_that_serves_it() {
        let forward = Forward::tcpip("localhost", 8080);
        let path = Forward::streamlocal("/run/f");
        let opens = [
            (Side::Server, Open::Session),
            (Side::Server, direct()),
            (Side::Server, Open::DirectStreamlocal { path: "/run/d".into() }),
            (Side::Client, Open::forwarded_tcpip("localhost", 8080, "192.0.2.1", 1)),
            (Side::Client, Open::ForwardedStreamlocal { path: "/run/f".into() }),
        ];
        for (serves, open) in opens {
            let (mut asking, mut serving) = match serves {
                Side::Server => (Script::client(), Script::server()),
                Side::Client => (Script::server(), Script::client()),
            };
            if serves == Side::Client {
                serving.us.request_forward(forward.clone()).unwrap();
                serving.us.request_forward(path.clone()).unwrap();
                serving.said();
                serving.said();
            }
            asking.us.open(&open).unwrap();
            let event = serving.us.handle(&asking.said()).unwrap();
            let Some(Event::Open { channel, open: offered, forward }) = event else {
                panic!("{open:?}: {event:?}")
            };
            assert_eq!(*offered, open);
            assert_eq!(forward.is_some(), serves == Side::Client);
            serving.us.accept(channel);
            let answer = serving.said();
            assert!(matches!(asking.us.handle(&answer), Ok(Some(Event::Opened { .. }))));
        }
    }

    #[test]
    fn an_open_names_our_window_and_packet_size() {
        let mut script = Script::client();
        let channel = script.us.open(&direct()).unwrap();
        let said = script.said();
        let open = ChannelOpen::decode(&said).unwrap();
        assert_eq!(open.sender_channel, channel.number().0);
        assert_eq!((open.initial_window_size, open.maximum_packet_size), (256 << 10, 32 << 10));
        let body = DirectTcpip::decode(open.data.0).unwrap();
        assert_eq!((body.host_to_connect, body.originator_port), ("db", 40000));
    }

    #[test]
    fn a_refused_open_tells_why_and_is_gone() {
        let mut script = Script::client();
        let channel = script.us.open(&direct()).unwrap();
        let event = script.hear(&ChannelOpenFailure {
            recipient_channel: channel.number().0,
            reason_code: open_failure::CONNECT_FAILED,
            description: b"Connection refused",
            language_tag: b"",
        });
        let failure = OpenFailure { reason: 2, description: (*b"Connection refused").into() };
        assert_eq!(event, Some(Event::OpenFailed { channel, failure: Box::new(failure) }));
        assert_eq!((script.us.channels(), script.us.budget.used()), (0, 0));
    }

    #[test]
    fn the_application_may_refuse() {
        let mut script = Script::server();
        let body = direct_body();
        let open = asks("direct-tcpip", THEIRS, &body);
        let Some(Event::Open { channel, .. }) = script.hear(&open) else { panic!() };
        script.us.refuse(channel, open_failure::CONNECT_FAILED, "Connection refused");
        script.expect(&ChannelOpenFailure {
            recipient_channel: THEIRS,
            reason_code: 2,
            description: b"Connection refused",
            language_tag: b"",
        });
        script.us.refuse(channel, 2, "twice");
        script.us.accept(channel);
        script.expect_silence();
        let Some(Event::Open { channel, .. }) = script.hear(&open) else { panic!("free again") };
        script.us.close(channel);
        assert_eq!(ChannelOpenFailure::decode(&script.said()).unwrap().reason_code, 2);
        assert_eq!(script.us.channels(), 0);
    }

    #[test]
    fn what_is_unknown_or_not_ours_to_serve_is_refused() {
        let direct = direct_body();
        let mut server = Script::server();
        refused(&mut server, &asks("x11", 1, b"?"), open_failure::UNKNOWN_CHANNEL_TYPE);
        let prohibited = open_failure::ADMINISTRATIVELY_PROHIBITED;
        refused(&mut server, &asks("forwarded-tcpip", 2, &direct), prohibited);
        let mut client = Script::client();
        refused(&mut client, &asks("direct-tcpip", 3, &direct), prohibited);
        refused(&mut client, &asks("session", 4, b""), prohibited);
        client.us.open(&Open::Session).unwrap();
    }

    #[test]
    fn a_forward_nobody_asked_for_is_refused_and_told() {
        let mut script = Script::client();
        script.us.request_forward(Forward::tcpip("localhost", 8080)).unwrap();
        script.said();
        for (address, port) in [("localhost", 8081), ("127.0.0.1", 8080), ("", 8080)] {
            let body = body(&ForwardedTcpip {
                connected_address: address,
                connected_port: port,
                originator_address: "192.0.2.1",
                originator_port: 1,
            });
            let open = asks("forwarded-tcpip", 5, &body);
            refused(&mut script, &open, open_failure::ADMINISTRATIVELY_PROHIBITED);
            let Some(Event::ForwardUnknown { open }) = script.hear(&open) else { panic!() };
            assert_eq!(*open, Open::forwarded_tcpip(address, port, "192.0.2.1", 1));
            script.said();
        }
    }

    #[test]
    fn a_maximum_packet_size_of_zero_is_refused() {
        let mut server = Script::server();
        let mut open = asks("session", 1, b"");
        open.maximum_packet_size = 0;
        refused(&mut server, &open, open_failure::ADMINISTRATIVELY_PROHIBITED);
        let mut client = Script::client();
        let channel = client.us.open(&direct()).unwrap();
        let violation = client.hear_badly(&confirmation(channel, THEIRS, 1, 0));
        assert_eq!(violation, Violation::MaximumPacketZero(channel.number()));
    }

    #[test]
    fn a_port_that_tcp_does_not_have_is_refused() {
        let mut script = Script::server();
        let body = body(&DirectTcpip {
            host_to_connect: "db",
            port_to_connect: 0x1_0000,
            originator_address: "127.0.0.1",
            originator_port: 1,
        });
        assert_eq!(script.hear(&asks("direct-tcpip", 5, &body)), None);
        script.expect(&ChannelOpenFailure {
            recipient_channel: 5,
            reason_code: open_failure::CONNECT_FAILED,
            description: b"no such port",
            language_tag: b"",
        });
    }

    #[test]
    fn an_endless_name_is_refused() {
        let name = alloc::string::String::from_utf8(alloc::vec![b'a'; LONGEST_NAME + 1]).unwrap();
        let mut server = Script::server();
        let body =
            body(&DirectStreamlocal { socket_path: &name, reserved: b"", reserved_number: 0 });
        let open = asks(channel_type::DIRECT_STREAMLOCAL, 1, &body);
        refused(&mut server, &open, open_failure::ADMINISTRATIVELY_PROHIBITED);
    }

    #[test]
    fn more_channels_than_allowed_are_refused_and_not_asked_for() {
        let mut config = Config::new(Side::Server);
        config.max_channels = 3;
        let mut script = Script { us: Connection::new(config) };
        script.us.open(&Open::forwarded_tcpip("", 1, "", 1)).unwrap();
        script.said();
        for sender in 0..2 {
            assert!(script.hear(&asks("session", sender, b"")).is_some());
        }
        refused(&mut script, &asks("session", 2, b""), open_failure::RESOURCE_SHORTAGE);
        assert_eq!(script.us.open(&Open::Session), Err(OpenError::TooManyChannels));
    }

    #[test]
    fn a_live_number_opened_again_is_a_violation() {
        let mut script = Script::server();
        let Some(Event::Open { channel, .. }) = script.hear(&asks("session", 4, b"")) else {
            panic!()
        };
        script.us.accept(channel);
        let violation = script.hear_badly(&asks("session", 4, b""));
        assert_eq!(violation, Violation::ChannelReused(4));
    }

    #[test]
    fn a_number_offered_and_not_answered_is_live_too() {
        let mut script = Script::server();
        script.hear(&asks("session", 4, b""));
        assert_eq!(script.hear_badly(&asks("x11", 4, b"")), Violation::ChannelReused(4));
    }

    #[test]
    fn a_confirmation_with_a_live_number_is_a_violation() {
        let mut script = Script::client();
        let first = script.tcp();
        let second = script.us.open(&direct()).unwrap();
        assert_ne!(first, second);
        let violation = script.hear_badly(&confirmation(second, THEIRS, 1, 1));
        assert_eq!(violation, Violation::ChannelReused(THEIRS));
    }

    #[test]
    fn a_confirmation_for_a_channel_not_asked_for_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        let mut other = confirmation(channel, 1, 1, 1);
        other.recipient_channel = 55;
        let violation = script.hear_badly(&other);
        assert_eq!(violation, Violation::UnknownChannel(LocalChannel(55)));
    }

    #[test]
    fn a_second_confirmation_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        let violation = script.hear_badly(&confirmation(channel, 99, 1, 1));
        assert_eq!(violation, Violation::AnsweredTwice(channel.number()));
    }

    #[test]
    fn a_failure_after_the_confirmation_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        let violation = script.hear_badly(&ChannelOpenFailure {
            recipient_channel: channel.number().0,
            reason_code: 1,
            description: b"",
            language_tag: b"",
        });
        assert_eq!(violation, Violation::AnsweredTwice(channel.number()));
    }

    #[test]
    fn the_peer_cannot_confirm_its_own_open() {
        let mut script = Script::server();
        let Some(Event::Open { channel, .. }) = script.hear(&asks("session", 4, b"")) else {
            panic!()
        };
        let violation = script.hear_badly(&confirmation(channel, 4, 1, 1));
        assert_eq!(violation, Violation::UnknownChannel(channel.number()));
    }

    #[test]
    fn a_body_that_does_not_decode_is_malformed() {
        let mut body = direct_body();
        body.push(0);
        let violation = Script::server().hear_badly(&asks("direct-tcpip", 1, &body));
        let error = DecodeError::TrailingBytes;
        assert_eq!(violation, Violation::Malformed { number: 90, error });
        let violation = Script::server().hear_badly(&asks("session", 1, b"x"));
        assert_eq!(violation, Violation::Malformed { number: 90, error });
    }

    #[test]
    fn ten_thousand_channels_stay_within_the_budget_and_new_ones_still_move() {
        let mut script = Script::client();
        let channels: Vec<_> = (0..10_000).map(|_| script.tcp()).collect();
        let granted: u64 = script
            .us
            .table
            .entries()
            .map(|entry| match entry {
                Entry::Live(live) => u64::from(live.recv_window.granted()),
                _ => 0,
            })
            .sum();
        assert!(granted <= 64 << 20, "{granted}");
        let last = channels[9_999];
        let payload = [5; 512];
        let data = ChannelData { recipient_channel: last.number().0, data: &payload };
        assert!(script.hear(&data).is_some());
        script.us.delivered(last, 512, 5);
        assert_eq!(script.said()[0], 93, "an adjust");
    }
}

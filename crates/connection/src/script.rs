//! A scripted peer for tests: it says what a test wants, and expects what it must hear.
//! Touches: one `Connection`.   Never: a second one (that is `pair`).
//! Invariants: nothing we say goes unnoticed: `expect_silence`.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: its users.

use crate::channel::Entry;
use crate::connection::{Config, Connection, Side};
use crate::event::Event;
use crate::id::Channel;
use crate::open::Open;
use crate::violation::Violation;
use adit_wire::channel::{ChannelData, ChannelOpen, ChannelOpenConfirmation};
use adit_wire::{Body, Message, Rest};
use alloc::vec::Vec;

pub(crate) struct Script {
    pub(crate) us: Connection,
}

/// The peer's number of the first channel it confirms or opens here.
pub(crate) const THEIRS: u32 = 70;

impl Script {
    pub(crate) fn client() -> Self {
        Self { us: Connection::new(Config::new(Side::Client)) }
    }

    pub(crate) fn server() -> Self {
        Self { us: Connection::new(Config::new(Side::Server)) }
    }

    /// The peer says `message`, which is in order.
    #[track_caller]
    pub(crate) fn hear<'a>(&mut self, message: &impl Message<'a>) -> Option<Event> {
        self.us.handle(&encoded(message)).expect("in order")
    }

    /// The peer says `message`, which is a violation; and so is everything after it.
    #[track_caller]
    pub(crate) fn hear_badly<'a>(&mut self, message: &impl Message<'a>) -> Violation {
        let violation = self.us.handle(&encoded(message)).expect_err("a violation");
        assert_eq!(self.us.handle(&[]), Err(violation), "the connection is over");
        violation
    }

    /// What we say next is `message`.
    #[track_caller]
    pub(crate) fn expect<'a>(&mut self, message: &impl Message<'a>) {
        assert_eq!(self.said(), encoded(message));
    }

    #[track_caller]
    pub(crate) fn expect_silence(&mut self) {
        assert_eq!(self.us.outbox().front(), None);
    }

    /// What we say next.
    #[track_caller]
    pub(crate) fn said(&mut self) -> Vec<u8> {
        let said = self.us.outbox().front().expect("something to say").to_vec();
        self.us.outbox().pop();
        said
    }

    /// Opens a channel for us and hears its confirmation by `THEIRS`, `THEIRS + 1`, ...
    pub(crate) fn opened(&mut self, open: &Open<'_>, window: u32, max_packet: u32) -> Channel {
        let theirs = THEIRS + self.us.channels();
        let channel = self.us.open(open).expect("room");
        self.said();
        let event = self.hear(&confirmation(channel, theirs, window, max_packet));
        assert_eq!(event, Some(Event::Opened { channel }));
        channel
    }

    /// A direct-tcpip channel of ours with a window of 1 MiB.
    pub(crate) fn tcp(&mut self) -> Channel {
        self.opened(&direct(), 1 << 20, 32 << 10)
    }

    /// A session of the peer's, accepted.
    pub(crate) fn served_session(&mut self) -> Channel {
        let open = ChannelOpen {
            channel_type: "session",
            sender_channel: THEIRS,
            initial_window_size: 1 << 20,
            maximum_packet_size: 32 << 10,
            data: Rest(b""),
        };
        let Some(Event::Open { channel, .. }) = self.hear(&open) else { panic!("an open") };
        self.us.accept(channel);
        self.said();
        channel
    }

    /// Hears `len` bytes on `channel`.
    /// What the peer may send.
    pub(crate) fn granted(&self, channel: Channel) -> usize {
        match self.us.table.get(channel) {
            Some(Entry::Live(live)) => live.recv_window.granted() as usize,
            _ => 0,
        }
    }

    pub(crate) fn hear_data(&mut self, channel: Channel, len: usize) -> Option<Event> {
        self.hear(&data(channel, &alloc::vec![7; len]))
    }
}

pub(crate) fn direct() -> Open<'static> {
    Open::direct_tcpip("db", 5432, "127.0.0.1", 40000)
}

pub(crate) fn data(channel: Channel, data: &[u8]) -> ChannelData<'_> {
    ChannelData { recipient_channel: channel.number().0, data }
}

pub(crate) fn confirmation(
    channel: Channel,
    theirs: u32,
    window: u32,
    max_packet: u32,
) -> ChannelOpenConfirmation<'static> {
    ChannelOpenConfirmation {
        recipient_channel: channel.number().0,
        sender_channel: theirs,
        initial_window_size: window,
        maximum_packet_size: max_packet,
        data: Rest(b""),
    }
}

pub(crate) fn encoded<'a>(message: &impl Message<'a>) -> Vec<u8> {
    let mut payload = Vec::new();
    message.encode(&mut payload);
    payload
}

pub(crate) fn body<'a>(body: &impl Body<'a>) -> Vec<u8> {
    let mut bytes = Vec::new();
    body.encode(&mut bytes);
    bytes
}

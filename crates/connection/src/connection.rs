//! The connection protocol of one side: every message has its handler here. RFC 4254.
//! Touches: payloads of messages 80 to 127, an `Outbox`.   Never: transport, auth, sockets, clocks.
//! Invariants: after a violation every message is answered by the same violation.
//! Errors: `Violation`.   Allocates: see the handlers.
//! Proved by: `tests` below, those of each handler, `pair`.

use crate::budget::{Budget, Busy, RoundTrip};
use crate::channel::Entry;
use crate::event::Event;
use crate::forward::Forwards;
use crate::global::{Pending, Unanswered};
use crate::purse::Purse;
use crate::table::Table;
use crate::violation::Violation;
use adit_buf::Outbox;
use adit_wire::Message;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Which side we are: it decides what the peer may ask for. RFC 4254 §6.1, §7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We ask for sessions and forwards; the peer opens forwarded channels only.
    Client,
    /// We serve sessions and forwards.
    Server,
}

/// What a connection may use.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which side we are.
    pub side: Side,
    /// Bytes a channel starts with, while the budget is not short.
    pub initial_window: u32,
    /// Most bytes of data in one message, either way.
    pub max_packet: u32,
    /// Bytes all channels together may make us hold.
    pub memory_budget: u64,
    /// Most channels at a time, ours and the peer's.
    pub max_channels: u32,
}

impl Config {
    /// The usual: 256 KiB to start with, 32 KiB packets, 64 MiB of memory, 16384 channels.
    pub const fn new(side: Side) -> Self {
        Self {
            side,
            initial_window: 256 << 10,
            max_packet: 32 << 10,
            memory_budget: 64 << 20,
            max_channels: 16 << 10,
        }
    }
}

/// The channels and requests of one connection.
///
/// Four families: messages in ([`handle`](Self::handle)), messages out ([`outbox`](Self::outbox)), the data path
/// ([`sendable`](Self::sendable), [`sent`](Self::sent), [`delivered`](Self::delivered)), and commands (the rest).
/// One rule: what waits in the outbox is sent before any data that `sendable` allowed since, or the data would
/// overtake the confirmation or the reply it belongs behind.
#[derive(Debug)]
pub struct Connection {
    pub(crate) config: Config,
    pub(crate) table: Table<Entry>,
    /// The peer's numbers of offered and live channels.
    pub(crate) peers: BTreeSet<u32>,
    pub(crate) budget: Budget,
    pub(crate) busy: Busy,
    pub(crate) round_trip: RoundTrip,
    /// See [`peer_reads_ahead`](Self::peer_reads_ahead).
    pub(crate) reads_ahead: bool,
    pub(crate) out: Out,
    /// Global requests of ours.
    pub(crate) pending: Pending,
    /// Global requests of the peer's.
    pub(crate) unanswered: Unanswered,
    pub(crate) forwards: Forwards,
    /// The client has said that it opens no more sessions.
    pub(crate) no_more_sessions: bool,
    broken: Option<Violation>,
}

impl Connection {
    /// A connection just authenticated, without channels.
    pub fn new(mut config: Config) -> Self {
        config.max_packet = config.max_packet.max(1);
        // Grants follow what was delivered: a channel that begins with nothing would stay so.
        config.initial_window = config.initial_window.max(1);
        let budget = Budget::new(config.memory_budget, config.max_channels, config.max_packet);
        Self {
            config,
            table: Table::new(),
            peers: BTreeSet::new(),
            budget,
            busy: Busy::new(),
            round_trip: RoundTrip::new(),
            reads_ahead: false,
            out: Out::default(),
            pending: Pending::new(),
            unanswered: Unanswered::new(),
            forwards: Forwards::new(),
            no_more_sessions: false,
            broken: None,
        }
    }

    /// Takes one message of the connection layer, numbers 80 to 127.
    ///
    /// # Errors
    /// [`Violation`]: disconnect with its reason. Every later call returns it again.
    pub fn handle(&mut self, payload: &[u8]) -> Result<Option<Event>, Violation> {
        let result = match self.broken {
            Some(violation) => Err(violation),
            None => self.dispatch(payload),
        };
        self.broken = result.as_ref().err().copied();
        result
    }

    fn dispatch(&mut self, payload: &[u8]) -> Result<Option<Event>, Violation> {
        self.out.check()?;
        match payload.first().copied().unwrap_or(0) {
            94 => self.handle_data(payload),
            95 => self.handle_extended_data(payload),
            93 => self.handle_window_adjust(payload),
            90 => self.handle_open(payload),
            91 => self.handle_open_confirmation(payload),
            92 => self.handle_open_failure(payload),
            96 => self.handle_eof(payload),
            97 => self.handle_close(payload),
            98 => self.handle_channel_request(payload),
            99 => self.handle_channel_success(payload),
            100 => self.handle_channel_failure(payload),
            80 => self.handle_global_request(payload),
            81 => self.handle_request_success(payload),
            82 => self.handle_request_failure(payload),
            number => Err(Violation::UnknownMessage(number)),
        }
    }

    /// Messages to send, in order, before any data.
    pub const fn outbox(&mut self) -> &mut Outbox {
        &mut self.out.outbox
    }

    /// A measured round trip in milliseconds: windows follow the least of the last few.
    pub fn note_rtt(&mut self, rtt_ms: u32) {
        self.round_trip.note(rtt_ms);
    }

    /// The peer reads all that a window lets it, whether it can send it or not, as OpenSSH does: on a short path its
    /// windows stay so small that what it read is still in its processor's cache when it is sent.
    pub fn peer_reads_ahead(&mut self) {
        self.reads_ahead = true;
    }

    /// Changes the memory budget, in bytes. What is granted already stays granted.
    pub fn set_memory_budget(&mut self, bytes: u64) {
        self.budget.set_limit(bytes);
    }

    /// Shares memory with other connections from now on: what channels hold beyond their floors is drawn from `purse`
    /// as well.
    pub fn set_purse(&mut self, purse: Arc<Purse>) {
        self.budget.set_purse(purse);
    }

    /// Nothing is going on: gives back the memory kept for the next messages.
    pub fn rest(&mut self) {
        self.out.outbox.rest();
        self.pending.rest();
        self.unanswered.rest();
    }

    /// Channels asked for, offered or live.
    pub const fn channels(&self) -> u32 {
        self.table.len()
    }
}

/// The outbox, and what the peer has made us put into it.
#[derive(Debug, Default)]
pub(crate) struct Out {
    outbox: Outbox,
    /// Bytes of answers and adjusts since the outbox was last empty.
    answers: usize,
}

/// A peer that does not read what it asked for is not listened to beyond this.
const MOST_UNREAD: usize = 256 << 10;

impl Out {
    /// Says something of our own accord.
    pub(crate) fn say<'a>(&mut self, message: &impl Message<'a>) {
        self.say_with(|out| message.encode(out));
    }

    /// Says something of our own accord, longer than one struct.
    pub(crate) fn say_with(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.outbox.push(encode);
    }

    /// Says what the peer has caused.
    pub(crate) fn answer<'a>(&mut self, message: &impl Message<'a>) {
        if self.outbox.is_empty() {
            self.answers = 0;
        }
        let before = self.outbox.len_bytes();
        self.outbox.push(|out| message.encode(out));
        self.answers += self.outbox.len_bytes() - before;
    }

    fn check(&self) -> Result<(), Violation> {
        let unread = !self.outbox.is_empty() && self.answers > MOST_UNREAD;
        if unread { Err(Violation::AnswersUnread) } else { Ok(()) }
    }
}

/// A message, or what is wrong with it.
pub(crate) fn decode<'a, M: Message<'a>>(payload: &'a [u8]) -> Result<M, Violation> {
    M::decode(payload).map_err(|error| Violation::Malformed { number: M::NUMBER, error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;
    use adit_wire::global_request::GlobalRequest;
    use adit_wire::number::{Layer, TABLE};
    use adit_wire::{DecodeError, Rest};

    #[test]
    fn every_message_of_this_layer_has_a_handler_and_no_other_has() {
        for number in 0..=255 {
            let ours =
                TABLE.iter().any(|row| row.number == number && row.layer == Layer::Connection);
            let mut us = Script::client().us;
            let unknown = us.handle(&[number]) == Err(Violation::UnknownMessage(number));
            assert_eq!(unknown, !ours, "{number}");
        }
        assert_eq!(Script::client().us.handle(&[]), Err(Violation::UnknownMessage(0)));
    }

    #[test]
    fn one_byte_more_after_any_message_is_malformed() {
        // Those that end in a body of another shape are looked at where the body is.
        for (number, len) in
            [(92, 16), (93, 8), (94, 8), (95, 12), (96, 4), (97, 4), (99, 4), (100, 4)]
        {
            let mut payload = alloc::vec![0; 1 + len + 1];
            payload[0] = number;
            let malformed = Violation::Malformed { number, error: DecodeError::TrailingBytes };
            assert_eq!(Script::client().us.handle(&payload), Err(malformed));
            let malformed = Violation::Malformed { number, error: DecodeError::Truncated };
            assert_eq!(Script::client().us.handle(&payload[..len]), Err(malformed));
        }
        let malformed = Violation::Malformed { number: 82, error: DecodeError::TrailingBytes };
        assert_eq!(Script::client().us.handle(&[82, 0]), Err(malformed));
    }

    #[test]
    fn a_peer_that_does_not_read_its_answers_is_not_listened_to_for_ever() {
        let mut script = Script::client();
        let ask = GlobalRequest { request_name: "x", want_reply: true, data: Rest(b"") };
        let mut payload = Vec::new();
        ask.encode(&mut payload);
        let heard = (0..MOST_UNREAD).take_while(|_| script.us.handle(&payload).is_ok()).count();
        assert!((10_000..MOST_UNREAD).contains(&heard));
        assert_eq!(script.us.handle(&payload), Err(Violation::AnswersUnread));
        assert!(script.us.outbox().len_bytes() < MOST_UNREAD + 16);
    }

    #[test]
    fn what_we_say_unasked_is_not_held_against_the_peer() {
        let mut script = Script::client();
        for _ in 0..10_000 {
            script.us.open(&crate::script::direct()).unwrap();
        }
        assert!(script.us.outbox().len_bytes() > MOST_UNREAD);
        let ask = GlobalRequest { request_name: "x", want_reply: true, data: Rest(b"") };
        assert_eq!(script.hear(&ask), None);
    }

    #[test]
    fn a_peer_that_reads_no_explanations_is_given_up() {
        let mut script = Script::server();
        for _ in 0..=MOST_UNREAD / 1024 {
            script.us.explain(&"x".repeat(1024));
        }
        let ask = GlobalRequest { request_name: "x", want_reply: false, data: Rest(b"") };
        assert_eq!(script.hear_badly(&ask), Violation::AnswersUnread);
    }

    #[test]
    fn answers_that_are_read_are_not_counted() {
        let mut script = Script::client();
        let ask = GlobalRequest { request_name: "x", want_reply: true, data: Rest(b"") };
        for _ in 0..MOST_UNREAD {
            script.hear(&ask);
            script.said();
        }
        script.hear(&ask);
        assert_eq!(script.hear(&ask), None);
    }
}

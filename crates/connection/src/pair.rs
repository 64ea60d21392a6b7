//! Two connections back to back, driven by random operations: their books must agree and no byte be lost.
//! Touches: both ends and the messages between them.   Never: a transport.
//! Invariants: see `Pair::check`; they hold after every operation, whatever is still on its way.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: this is the proof.

use crate::channel::Entry;
use crate::connection::{Config, Connection, Side};
use crate::data::Blocked;
use crate::event::{Event, Outcome};
use crate::forward::Forward;
use crate::global::{Answer, ReplyToken, RequestId};
use crate::id::Channel;
use crate::open::Open;
use crate::recv_half::RecvHalf;
use crate::send_half::SendHalf;
use adit_wire::Message;
use adit_wire::channel::{ChannelData, ChannelWindowAdjust};
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// One end, and what an application at it knows.
struct End {
    us: Connection,
    /// Messages on their way to us.
    wire: VecDeque<Vec<u8>>,
    channels: Vec<Known>,
    tokens: Vec<ReplyToken>,
    asked: VecDeque<RequestId>,
    forwards: Vec<RequestId>,
}

/// A channel as the application at one end sees it.
struct Known {
    channel: Channel,
    /// The same at both ends: what the bytes are made of.
    tag: u32,
    offered: bool,
    sent: u64,
    received: u64,
    undelivered: usize,
    eof_sent: bool,
    eof_seen: bool,
    we_closed: bool,
    they_closed: bool,
}

impl Known {
    const fn new(channel: Channel, tag: u32, offered: bool) -> Self {
        Self {
            channel,
            tag,
            offered,
            sent: 0,
            received: 0,
            undelivered: 0,
            eof_sent: false,
            eof_seen: false,
            we_closed: false,
            they_closed: false,
        }
    }
}

/// The byte at `position` of what `from` sends on the channel tagged `tag`.
fn byte(tag: u32, from: usize, position: u64) -> u8 {
    (position.wrapping_mul(31) ^ (position >> 8) ^ u64::from(tag * 2 + from as u32)) as u8
}

struct Pair {
    ends: [End; 2],
    limits: [u64; 2],
    now: u64,
    tags: u32,
    /// Totals of channels that are over, by tag and sender, as sent and as received.
    over: Vec<(u32, usize, Total)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Total {
    Sent { bytes: u64, eof: bool },
    Received { bytes: u64, eof: bool },
}

impl Pair {
    fn new(client: Config, server: Config) -> Self {
        let limits = [client.memory_budget, server.memory_budget];
        let end = |config| End {
            us: Connection::new(config),
            wire: VecDeque::new(),
            channels: Vec::new(),
            tokens: Vec::new(),
            asked: VecDeque::new(),
            forwards: Vec::new(),
        };
        let ends = [end(client), end(server)];
        Self { ends, limits, now: 1000, tags: 0, over: Vec::new() }
    }

    /// What an end has to say goes onto the wire, as an engine does before it sends data.
    fn flush(&mut self, side: usize) {
        while let Some(message) = self.ends[side].us.outbox().front().map(<[u8]>::to_vec) {
            self.ends[side].us.outbox().pop();
            self.ends[1 - side].wire.push_back(message);
        }
    }

    fn open(&mut self, side: usize) {
        self.tags += 1;
        let open = match side {
            CLIENT => Open::direct_tcpip("host", 1, "from", self.tags),
            _ => Open::forwarded_tcpip("listen", 2000, "from", self.tags),
        };
        if let Ok(channel) = self.ends[side].us.open(&open) {
            self.ends[side].channels.push(Known::new(channel, self.tags, false));
        }
    }

    fn send(&mut self, side: usize, pick: usize, len: usize) -> Result<usize, Blocked> {
        self.flush(side);
        let [client, server] = &mut self.ends;
        let (end, peer) = if side == CLIENT { (client, server) } else { (server, client) };
        let Some(known) = pick_mut(&mut end.channels, pick) else { return Err(Blocked::Closed) };
        let sendable = end.us.sendable(known.channel)?;
        let len = len.clamp(1, sendable.max);
        let mut message = sendable.header_for(len).to_vec();
        message.extend((0..len as u64).map(|at| byte(known.tag, side, known.sent + at)));
        end.us.sent(known.channel, len);
        known.sent += len as u64;
        peer.wire.push_back(message);
        Ok(len)
    }

    fn deliver(&mut self, side: usize, pick: usize, len: usize) {
        let (end, now) = (&mut self.ends[side], self.now);
        if let Some(known) = pick_mut(&mut end.channels, pick) {
            let len = len.min(known.undelivered);
            known.undelivered -= len;
            end.us.delivered(known.channel, len, now);
        }
    }

    fn eof(&mut self, side: usize, pick: usize) {
        let end = &mut self.ends[side];
        if let Some(known) = pick_mut(&mut end.channels, pick) {
            let open = end.us.sendable(known.channel);
            if !matches!(open, Err(Blocked::Opening | Blocked::Closed)) {
                known.eof_sent = true;
            }
            end.us.send_eof(known.channel);
        }
    }

    fn close(&mut self, side: usize, pick: usize) {
        let end = &mut self.ends[side];
        let Some(at) = pick.checked_rem(end.channels.len()) else { return };
        let known = &mut end.channels[at];
        end.us.close(known.channel);
        known.we_closed = true;
        if known.they_closed || known.offered {
            self.forget(side, at);
        }
    }

    /// The channel is over for this end.
    fn forget(&mut self, side: usize, at: usize) {
        let known = self.ends[side].channels.swap_remove(at);
        let sent = Total::Sent { bytes: known.sent, eof: known.eof_sent };
        let received = Total::Received { bytes: known.received, eof: known.eof_seen };
        self.over.push((known.tag, side, sent));
        self.over.push((known.tag, 1 - side, received));
    }

    fn answer_open(&mut self, side: usize, pick: usize, accept: bool) {
        let end = &mut self.ends[side];
        let offered = end.channels.iter().filter(|known| known.offered).count();
        let Some(nth) = pick.checked_rem(offered) else { return };
        let Some(at) = (0..end.channels.len()).filter(|at| end.channels[*at].offered).nth(nth)
        else {
            return;
        };
        let known = &mut end.channels[at];
        match accept {
            true => {
                known.offered = false;
                end.us.accept(known.channel);
            }
            false => {
                end.us.refuse(known.channel, 2, "no");
                self.forget(side, at);
            }
        }
    }

    fn ask(&mut self, pick: usize) {
        let client = &mut self.ends[CLIENT];
        let asked = match pick % 3 {
            0 => client.us.keepalive(),
            1 => {
                let id = client.us.request_forward(Forward::tcpip("listen", 2000));
                client.forwards.extend(id);
                id
            }
            _ => {
                let Some(at) = pick.checked_rem(client.forwards.len()) else { return };
                let forward = client.forwards.swap_remove(at);
                client.us.cancel_forward(forward)
            }
        };
        client.asked.push_back(asked.expect("known, and not too many"));
    }

    fn reply(&mut self, pick: usize) {
        let server = &mut self.ends[SERVER];
        let Some(at) = pick.checked_rem(server.tokens.len()) else { return };
        let token = server.tokens.swap_remove(at);
        server.us.reply(token, Answer::Success);
    }

    /// Hands the next message to `side`.
    fn pass(&mut self, side: usize) -> bool {
        let Some(payload) = self.ends[side].wire.pop_front() else { return false };
        let event = self.ends[side].us.handle(&payload).expect("both ends keep the rules");
        if let Some(event) = event {
            self.happened(side, event, &payload);
        }
        true
    }

    fn happened(&mut self, side: usize, event: Event, payload: &[u8]) {
        let end = &mut self.ends[side];
        match event {
            Event::Data { channel, offset, len } => {
                let known = find(&mut end.channels, channel);
                assert!(!known.eof_seen && !known.we_closed);
                for (at, found) in payload[offset..offset + len].iter().enumerate() {
                    let expected = byte(known.tag, 1 - side, known.received + at as u64);
                    assert_eq!(*found, expected, "in order, none lost");
                }
                known.received += len as u64;
                known.undelivered += len;
            }
            Event::Eof { channel } => {
                let known = find(&mut end.channels, channel);
                assert!(!known.eof_seen);
                known.eof_seen = true;
            }
            Event::Closed { channel, eof_seen } => {
                let at = end.channels.iter().position(|known| known.channel == channel).unwrap();
                let known = &mut end.channels[at];
                assert!(!known.they_closed, "once");
                assert!(known.we_closed || known.eof_seen == eof_seen);
                known.they_closed = true;
                if known.we_closed {
                    self.forget(side, at);
                }
            }
            Event::Open { channel, open, forward } => {
                let tag = match *open {
                    Open::DirectTcpip { originator_port, .. } => originator_port,
                    Open::ForwardedTcpip { originator_port, .. } => {
                        assert!(end.forwards.contains(&forward.unwrap()));
                        originator_port
                    }
                    _ => panic!("{open:?}"),
                };
                end.channels.push(Known::new(channel, tag, true));
            }
            Event::OpenFailed { channel, .. } => {
                let at = end.channels.iter().position(|known| known.channel == channel).unwrap();
                self.forget(side, at);
            }
            Event::Reply { request, outcome } => {
                assert_eq!(Some(request), end.asked.pop_front());
                if end.forwards.contains(&request) {
                    assert_eq!(outcome, Outcome::Listening { port: 2000 });
                }
            }
            Event::ForwardRequested { token, .. } | Event::CancelForwardRequested { token, .. } => {
                end.tokens.push(token);
            }
            Event::Opened { .. } | Event::WindowAdjusted { .. } | Event::ForwardUnknown { .. } => {}
            event => panic!("{event:?}"),
        }
    }

    fn settle(&mut self) {
        loop {
            self.flush(CLIENT);
            self.flush(SERVER);
            if !self.pass(CLIENT) & !self.pass(SERVER) {
                return;
            }
        }
    }

    fn check(&mut self) {
        self.flush(CLIENT);
        self.flush(SERVER);
        for side in [CLIENT, SERVER] {
            self.check_memory(side);
            self.check_windows(side);
        }
    }

    /// What the channels of one end hold is within the budget, and the budget knows it.
    fn check_memory(&self, side: usize) {
        let us = &self.ends[side].us;
        let (mut held, mut live) = (0, 0);
        for entry in us.table.entries() {
            let window = match entry {
                Entry::Opening(opening) => opening.window,
                Entry::Live(live) => live.recv_window,
                Entry::Offered(_) => continue,
            };
            held += u64::from(window.held());
            live += us.budget.beyond(window.held());
        }
        assert_eq!(us.budget.used(), live);
        assert!(held <= self.limits[side], "{held} of {}", self.limits[side]);
        assert_eq!(us.table.len() as usize, us.table.entries().count());
    }

    /// What `side` grants is what its peer may send, with what is on its way either way.
    fn check_windows(&self, side: usize) {
        let (us, them) = (&self.ends[side], &self.ends[1 - side]);
        for known in &us.channels {
            let Some(Entry::Live(ours)) = us.us.table.get(known.channel) else { continue };
            let number = ours.peer.0;
            let Some(at) = them.us.table.named(crate::LocalChannel(number)) else { continue };
            let Some(Entry::Live(theirs)) = them.us.table.get(at) else { continue };
            if ours.recv != RecvHalf::Open || ours.send == SendHalf::Closed {
                continue;
            }
            let data: u64 = on_the_way(&us.wire, known.channel.number().0, data_bytes);
            let adjusts: u64 = on_the_way(&them.wire, number, adjust_bytes);
            let may_send = u64::from(theirs.send_window.left()) + data + adjusts;
            assert_eq!(u64::from(ours.recv_window.granted()), may_send);
            assert_eq!(ours.recv_window.undelivered() as usize, known.undelivered);
        }
    }

    /// Everything is answered, delivered and closed: nothing is left, and what ended with EOF came whole.
    fn finish(mut self) {
        self.settle();
        for side in [CLIENT, SERVER] {
            while self.ends[side].channels.iter().any(|known| known.offered) {
                self.answer_open(side, 0, true);
            }
        }
        while !self.ends[SERVER].tokens.is_empty() {
            self.reply(0);
        }
        self.settle();
        self.check();
        for side in [CLIENT, SERVER] {
            for pick in 0..self.ends[side].channels.len() {
                self.deliver(side, pick, usize::MAX);
                self.eof(side, pick);
            }
        }
        self.settle();
        self.check();
        for side in [CLIENT, SERVER] {
            while let Some(pick) =
                self.ends[side].channels.iter().position(|known| !known.we_closed)
            {
                self.close(side, pick);
            }
        }
        self.settle();
        for end in &mut self.ends {
            assert_eq!(end.us.channels(), 0);
            assert_eq!((end.us.peers.len(), end.us.budget.used()), (0, 0));
            assert!(end.channels.is_empty() && end.asked.is_empty());
            assert!(end.us.outbox().is_empty());
        }
        self.compare_totals();
    }

    fn compare_totals(&self) {
        for (tag, from, total) in &self.over {
            let Total::Received { bytes, eof } = total else { continue };
            let sent = self.over.iter().find_map(|(t, f, total)| match total {
                Total::Sent { bytes, .. } if (t, f) == (tag, from) => Some(*bytes),
                _ => None,
            });
            // An open refused without asking has one end only.
            let Some(sent) = sent else { continue };
            assert!(*bytes <= sent);
            assert!(!eof || *bytes == sent, "EOF came, so everything did");
        }
    }
}

fn pick_mut(channels: &mut [Known], pick: usize) -> Option<&mut Known> {
    let at = pick.checked_rem(channels.len())?;
    channels.get_mut(at)
}

fn find(channels: &mut [Known], channel: Channel) -> &mut Known {
    channels.iter_mut().find(|known| known.channel == channel).expect("a channel we know")
}

fn data_bytes(payload: &[u8]) -> Option<(u32, u64)> {
    let data = ChannelData::decode(payload).ok()?;
    Some((data.recipient_channel, data.data.len() as u64))
}

fn adjust_bytes(payload: &[u8]) -> Option<(u32, u64)> {
    let adjust = ChannelWindowAdjust::decode(payload).ok()?;
    Some((adjust.recipient_channel, u64::from(adjust.bytes_to_add)))
}

fn on_the_way(
    wire: &VecDeque<Vec<u8>>,
    recipient: u32,
    bytes: fn(&[u8]) -> Option<(u32, u64)>,
) -> u64 {
    let to = |payload: &Vec<u8>| bytes(payload).filter(|(to, _)| *to == recipient);
    wire.iter().filter_map(to).map(|(_, bytes)| bytes).sum()
}

fn small(side: Side, initial_window: u32, max_packet: u32, memory_budget: u64) -> Config {
    Config { side, initial_window, max_packet, memory_budget, max_channels: 8 }
}

/// Sends `len` bytes from the client in messages as large as may be, and delivers them at once.
fn transfer(pair: &mut Pair, len: usize) -> usize {
    pair.ask(1);
    pair.open(CLIENT);
    pair.settle();
    pair.answer_open(SERVER, 0, true);
    pair.settle();
    let (mut left, mut messages) = (len, 0);
    while left > 0 {
        match pair.send(CLIENT, 0, left) {
            Ok(sent) => (left, messages) = (left - sent, messages + 1),
            Err(Blocked::Window) => {
                pair.settle();
                pair.deliver(SERVER, 0, usize::MAX);
                pair.now += 1;
                pair.settle();
                assert!(pair.send(CLIENT, 0, 1).is_ok(), "delivered, so granted");
                left -= 1;
            }
            Err(blocked) => panic!("{blocked:?}"),
        }
        pair.check();
    }
    messages
}

#[test]
fn tiny_maximum_packets_carry_every_byte() {
    for max_packet in 1..=64 {
        let client = small(Side::Client, 1000, 32 << 10, 1 << 20);
        let server = small(Side::Server, 1000, max_packet, 1 << 20);
        let mut pair = Pair::new(client, server);
        assert!(transfer(&mut pair, 3000) >= 2900 / max_packet as usize);
        pair.finish();
    }
}

#[test]
fn a_budget_of_next_to_nothing_still_carries_every_byte() {
    let client = small(Side::Client, 1000, 100, 64);
    let server = small(Side::Server, 1000, 100, 64);
    let mut pair = Pair::new(client, server);
    transfer(&mut pair, 5000);
    pair.finish();
}

#[test]
fn a_lowered_budget_is_reached_and_nothing_stalls() {
    let client = small(Side::Client, 100_000, 1000, 1 << 20);
    let server = small(Side::Server, 100_000, 1000, 1 << 20);
    let mut pair = Pair::new(client, server);
    transfer(&mut pair, 300_000);
    pair.ends[SERVER].us.set_memory_budget(20_000);
    for _ in 0..200 {
        while pair.send(CLIENT, 0, 1000).is_ok() {}
        pair.settle();
        pair.deliver(SERVER, 0, usize::MAX);
        pair.settle();
    }
    pair.limits[SERVER] = 20_000 + u64::from(pair.ends[SERVER].us.budget.room(0, 1));
    pair.check();
    pair.finish();
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Open,
    Accept,
    Refuse,
    Send(usize),
    Deliver(usize),
    Eof,
    Close,
    Ask,
    Reply,
    Pass(usize),
    Wait(u64),
}

fn operation() -> impl Strategy<Value = (Operation, bool, usize)> {
    let operation = prop_oneof![
        2 => Just(Operation::Open),
        3 => Just(Operation::Accept),
        1 => Just(Operation::Refuse),
        12 => (1..3000_usize).prop_map(Operation::Send),
        6 => prop_oneof![1..3000_usize, Just(usize::MAX)].prop_map(Operation::Deliver),
        1 => Just(Operation::Eof),
        1 => Just(Operation::Close),
        1 => Just(Operation::Ask),
        1 => Just(Operation::Reply),
        12 => (1..6_usize).prop_map(Operation::Pass),
        2 => (1..300_u64).prop_map(Operation::Wait),
    ];
    (operation, any::<bool>(), 0..1000_usize)
}

fn config(side: Side) -> impl Strategy<Value = Config> {
    (0..5000_u32, 1..2000_u32, 64..100_000_u64)
        .prop_map(move |(window, packet, budget)| small(side, window, packet, budget))
}

impl Pair {
    fn operate(&mut self, operation: Operation, side: usize, pick: usize) {
        match operation {
            Operation::Open => self.open(side),
            Operation::Accept => self.answer_open(side, pick, true),
            Operation::Refuse => self.answer_open(side, pick, false),
            Operation::Send(len) => drop(self.send(side, pick, len)),
            Operation::Deliver(len) => self.deliver(side, pick, len),
            Operation::Eof => self.eof(side, pick),
            Operation::Close => self.close(side, pick),
            Operation::Ask => self.ask(pick),
            Operation::Reply => self.reply(pick),
            Operation::Pass(count) => (0..count).for_each(|_| _ = self.pass(side)),
            Operation::Wait(ms) => self.now += ms,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_of_both_ends_agree_under_any_operations(
        client in config(Side::Client),
        server in config(Side::Server),
        rtt in 1..300_u32,
        operations in prop::collection::vec(operation(), 0..300),
    ) {
        let mut pair = Pair::new(client, server);
        pair.ends[SERVER].us.note_rtt(rtt);
        pair.ask(1);
        for (operation, at_client, pick) in operations {
            pair.operate(operation, usize::from(!at_client), pick);
            pair.check();
        }
        pair.finish();
    }

    #[test]
    fn any_bytes_are_an_event_or_a_violation_and_bounded(
        payloads in prop::collection::vec((80..=101_u8, prop::collection::vec(any::<u8>(), 0..40)), 0..50),
        side in prop_oneof![Just(Side::Client), Just(Side::Server)],
    ) {
        let mut us = Connection::new(Config::new(side));
        us.open(&Open::direct_tcpip("a", 1, "b", 2)).unwrap();
        for (number, mut payload) in payloads {
            payload.insert(0, number);
            // Small numbers, so that channels are met.
            if payload.len() > 4 {
                payload[1..4].fill(0);
                payload[4] &= 1;
            }
            let _ = us.handle(&payload);
        }
        prop_assert!(us.channels() <= 51);
        prop_assert!(us.outbox().len_bytes() < 10_000);
    }
}

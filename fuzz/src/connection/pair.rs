//! Two connections back to back, the messages on their way between them, and the books of both.
//! Touches: `adit_connection`'s public face.   Never: its inside.
//! Invariants: see `check` and `finish`.
//! Errors: a panic where a connection and its books differ.   Allocates: freely.
//! Proved by: the target that drives it.

use super::books::{Books, Life, Room, byte};
use super::global::Global;
use adit_connection::{
    Channel, Config, Connection, Event, Forward, Open, Purse, Request, RequestId, Violation,
};
use adit_wire::Message;
use adit_wire::channel::{ChannelOpen, ChannelOpenConfirmation, ChannelWindowAdjust};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

/// Requests on a channel that may wait for an answer.
const MOST_OWED: usize = 64;

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) us: Connection,
    /// Messages on their way to us.
    wire: VecDeque<Vec<u8>>,
    channels: Vec<Books>,
    max_packet: u32,
    max_channels: usize,
    /// The most it was ever allowed to hold.
    budget: u64,
}

impl End {
    fn new(config: Config, purse: Option<&Arc<Purse>>) -> Self {
        let (max_packet, budget) = (config.max_packet.max(1), config.memory_budget);
        let max_channels = config.max_channels as usize;
        let mut us = Connection::new(config);
        if let Some(purse) = purse {
            us.set_purse(purse.clone());
        }
        let (wire, channels) = (VecDeque::new(), Vec::new());
        Self { us, wire, channels, max_packet, max_channels, budget }
    }

    fn pick(&mut self, nth: usize) -> Option<(&mut Connection, &mut Books)> {
        let at = nth.checked_rem(self.channels.len())?;
        Some((&mut self.us, &mut self.channels[at]))
    }

    fn at(&self, channel: Channel) -> usize {
        let at = self.channels.iter().position(|books| books.channel == channel);
        at.unwrap_or_else(|| panic!("{channel:?} is in no book"))
    }

    fn books(&mut self, channel: Channel) -> &mut Books {
        let at = self.at(channel);
        &mut self.channels[at]
    }

    /// By our own number.
    fn numbered(&mut self, number: u32) -> Option<&mut Books> {
        self.channels.iter_mut().find(|books| books.channel.number().0 == number)
    }
}

/// Both ends.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) ends: [End; 2],
    pub(crate) now: u64,
    purse: Option<(Arc<Purse>, usize)>,
    tags: u32,
    /// What was sent on a channel from an end, by tag and sender.
    sent: BTreeMap<(u32, usize), u64>,
    /// What the server said to requests on a channel, by tag.
    answers: BTreeMap<u32, VecDeque<bool>>,
    global: Global,
}

impl Pair {
    pub(crate) fn new(client: Config, server: Config, purse: Option<u16>) -> Self {
        let purse = purse.map(|limit| (Arc::new(Purse::new(limit.into())), usize::from(limit)));
        let shared = purse.as_ref().map(|(purse, _)| purse);
        Self {
            ends: [End::new(client, shared), End::new(server, shared)],
            now: 0,
            purse,
            tags: 0,
            sent: BTreeMap::new(),
            answers: BTreeMap::new(),
            global: Global::default(),
        }
    }
}

/// Operations on channels.
impl Pair {
    pub(crate) fn open(&mut self, side: usize, session: bool, port: u8) {
        let session = session && side == CLIENT;
        let open = match side {
            _ if session => Open::Session,
            CLIENT => Open::direct_tcpip("host", 1, "from", 2),
            _ => Open::forwarded_tcpip("listen", Global::port(port), "from", 2),
        };
        let end = &mut self.ends[side];
        let is_full = end.channels.len() >= end.max_channels;
        let channel = end.us.open(&open);
        assert_eq!(channel.is_err(), is_full);
        if let Ok(channel) = channel {
            self.tags += 1;
            end.channels.push(Books::new(channel, self.tags, session, Life::Opening));
        }
    }

    pub(crate) fn answer_open(&mut self, side: usize, nth: usize, accept: bool) {
        let end = &mut self.ends[side];
        let is_offered = |at: &usize| end.channels[*at].life == Life::Offered;
        let offered: Vec<_> = (0..end.channels.len()).filter(is_offered).collect();
        let Some(at) = nth.checked_rem(offered.len()).map(|nth| offered[nth]) else { return };
        let channel = end.channels[at].channel;
        if accept {
            end.us.accept(channel);
            end.channels[at].life = Life::Live;
        } else {
            end.us.refuse(channel, 2, "no");
            end.channels.swap_remove(at);
        }
    }

    pub(crate) fn send(&mut self, side: usize, nth: usize, len: usize, stderr: bool) -> bool {
        // Control messages go first, as an engine has it.
        self.flush(side);
        let Some((us, books)) = self.ends[side].pick(nth) else { return false };
        let Ok(sendable) = us.sendable(books.channel) else { return false };
        let len = len.clamp(1, sendable.max);
        let mut message = match stderr {
            true => sendable.extended_header_for(1, len).to_vec(),
            false => sendable.header_for(len).to_vec(),
        };
        let tag = books.tag;
        message.extend((0..len as u64).map(|at| byte(tag, side, books.sent + at)));
        us.sent(books.channel, len);
        books.sent += len as u64;
        books.ours.window -= len as u64;
        self.sent.insert((tag, side), books.sent);
        self.ends[1 - side].wire.push_back(message);
        true
    }

    pub(crate) fn deliver(&mut self, side: usize, nth: usize, len: usize) {
        let now = self.now;
        let Some((us, books)) = self.ends[side].pick(nth) else { return };
        let len = len.min(books.undelivered);
        books.undelivered -= len;
        us.delivered(books.channel, len, now);
    }

    pub(crate) fn eof(&mut self, side: usize, nth: usize) {
        let Some((us, books)) = self.ends[side].pick(nth) else { return };
        us.send_eof(books.channel);
        books.eof_sent |= books.is_open();
    }

    pub(crate) fn close(&mut self, side: usize, nth: usize) {
        let end = &mut self.ends[side];
        let Some(at) = nth.checked_rem(end.channels.len()) else { return };
        let books = &mut end.channels[at];
        end.us.close(books.channel);
        books.we_closed = true;
        if books.they_closed || books.life == Life::Offered {
            end.channels.swap_remove(at);
        }
    }

    pub(crate) fn request(&mut self, nth: usize, want_reply: bool) {
        let Some((us, books)) = self.ends[CLIENT].pick(nth) else { return };
        if books.asked.len() >= MOST_OWED {
            return;
        }
        let asked = us.request(books.channel, &Request::Exec { command: b"ls".into() }, want_reply);
        let possible =
            books.life == Life::Live && !books.we_closed && (!books.they_closed || !want_reply);
        assert_eq!(asked.is_ok(), possible);
        books.asked.extend(asked.ok().flatten());
    }

    pub(crate) fn answer_request(&mut self, nth: usize, success: bool) {
        let Some((us, books)) = self.ends[SERVER].pick(nth) else { return };
        us.answer_request(books.channel, success);
        if books.owed > 0 {
            books.owed -= 1;
            self.answers.entry(books.tag).or_default().push_back(success);
        }
    }

    pub(crate) fn set_budget(&mut self, side: usize, bytes: u64) {
        let end = &mut self.ends[side];
        end.us.set_memory_budget(bytes);
        end.budget = end.budget.max(bytes);
    }
}

/// Global requests.
impl Pair {
    pub(crate) fn keepalive(&mut self) {
        let id = self.ends[CLIENT].us.keepalive().expect("few are waiting");
        self.global.keepalive(id);
    }

    pub(crate) fn forward(&mut self, port: u8) {
        let port = if port == 0 { 0 } else { Global::port(port) };
        let id = self.ends[CLIENT].us.request_forward(Forward::tcpip("listen", port));
        self.global.forward(id.expect("few are waiting"), port);
    }

    pub(crate) fn cancel(&mut self, nth: usize) {
        let Some(forward) = self.global.nth_forward(nth) else { return };
        let asked = self.ends[CLIENT].us.cancel_forward(forward);
        self.global.cancel(forward, asked);
    }

    pub(crate) fn reply(&mut self, nth: usize, success: bool) {
        if let Some((token, answer)) = self.global.answer(nth, success) {
            self.ends[SERVER].us.reply(token, answer);
        }
    }
}

/// Messages.
impl Pair {
    /// What an end has to say goes onto the wire, and into its books.
    fn flush(&mut self, side: usize) {
        while let Some(message) = self.ends[side].us.outbox().front().map(<[u8]>::to_vec) {
            self.ends[side].us.outbox().pop();
            self.says(side, &message);
            self.ends[1 - side].wire.push_back(message);
        }
    }

    /// Whatever lets the peer send.
    fn says(&mut self, side: usize, message: &[u8]) {
        let end = &mut self.ends[side];
        let grants = match message[0] {
            ChannelOpen::NUMBER => ChannelOpen::decode(message).ok().map(|open| {
                (open.sender_channel, open.initial_window_size, open.maximum_packet_size)
            }),
            ChannelOpenConfirmation::NUMBER => ChannelOpenConfirmation::decode(message)
                .ok()
                .map(|it| (it.sender_channel, it.initial_window_size, it.maximum_packet_size)),
            ChannelWindowAdjust::NUMBER => {
                let adjust = ChannelWindowAdjust::decode(message).expect("our own message");
                let to = |books: &&mut Books| books.peer == Some(adjust.recipient_channel);
                if let Some(books) = end.channels.iter_mut().find(to) {
                    assert!(!books.eof_seen && !books.they_closed, "nothing more will come");
                    books.theirs.window += u64::from(adjust.bytes_to_add);
                }
                return;
            }
            _ => return,
        };
        let (number, window, largest) = grants.expect("our own message");
        assert_eq!(largest, end.max_packet);
        if let Some(books) = end.numbered(number) {
            books.theirs = Room { window: window.into(), largest };
        }
    }

    /// Hands the next message to `side`; whether there was one.
    pub(crate) fn pass(&mut self, side: usize) -> bool {
        let Some(message) = self.ends[side].wire.pop_front() else { return false };
        self.hears(side, &message);
        match self.ends[side].us.handle(&message).expect("both keep the rules") {
            Some(event) => self.happened(side, event, &message),
            None => self.passed_over(side, &message),
        }
        self.flush(side);
        true
    }

    /// Whatever lets us send.
    fn hears(&mut self, side: usize, message: &[u8]) {
        let end = &mut self.ends[side];
        match message[0] {
            ChannelOpenConfirmation::NUMBER => {
                let it = ChannelOpenConfirmation::decode(message).expect("checked by nobody else");
                let books = end.numbered(it.recipient_channel).expect("it was asked for");
                let (window, largest) = (it.initial_window_size.into(), it.maximum_packet_size);
                (books.life, books.peer) = (Life::Live, Some(it.sender_channel));
                books.ours = Room { window, largest };
            }
            ChannelWindowAdjust::NUMBER => {
                let it = ChannelWindowAdjust::decode(message).expect("the same");
                let books = end.numbered(it.recipient_channel);
                books.into_iter().for_each(|books| books.ours.window += u64::from(it.bytes_to_add));
            }
            80 if side == SERVER => self.global.arrives(),
            _ => {}
        }
    }

    /// A message that nobody is told of.
    fn passed_over(&mut self, side: usize, message: &[u8]) {
        match message[0] {
            // An open that cannot be: there are too many.
            ChannelOpen::NUMBER => {
                assert!(self.ends[side].channels.len() >= self.ends[side].max_channels);
            }
            80 => self.global.refused_at_once(),
            // All others: the channel is closed by us, or an end is told what it knows.
            _ => {}
        }
    }

    fn happened(&mut self, side: usize, event: Event, message: &[u8]) {
        match event {
            Event::Data { channel, offset, len }
            | Event::ExtendedData { channel, offset, len, .. } => {
                self.data(side, channel, &message[offset..offset + len]);
            }
            Event::Eof { channel } => {
                let books = self.ends[side].books(channel);
                assert!(!books.eof_seen && !books.we_closed, "once");
                books.eof_seen = true;
                let sent = self.sent.get(&(books.tag, 1 - side)).copied().unwrap_or_default();
                assert_eq!(books.received, sent, "EOF came, so everything did");
            }
            Event::Closed { channel, eof_seen } => {
                let end = &mut self.ends[side];
                let at = end.at(channel);
                let books = &mut end.channels[at];
                assert!(!books.they_closed, "once");
                assert!(books.we_closed || books.eof_seen == eof_seen);
                books.they_closed = true;
                if books.we_closed {
                    end.channels.swap_remove(at);
                }
            }
            Event::Open { channel, open, forward } => {
                self.offered(side, channel, &open, forward, message);
            }
            Event::ForwardUnknown { open } => assert!(!self.global.listens_for(&open)),
            Event::OpenFailed { channel, .. } => {
                let at = self.ends[side].at(channel);
                self.ends[side].channels.swap_remove(at);
            }
            Event::ChannelRequest { channel, want_reply, .. } => {
                let books = self.ends[side].books(channel);
                assert!(books.session && !books.we_closed);
                books.owed += usize::from(want_reply);
            }
            Event::ChannelReply { channel, request, success } => {
                let books = self.ends[side].books(channel);
                assert_eq!(books.asked.pop_front(), Some(request));
                let answers = self.answers.get_mut(&books.tag);
                let answer = answers.and_then(VecDeque::pop_front);
                assert_eq!(answer, books.session.then_some(success), "only sessions have requests");
                assert!(books.session || !success);
            }
            Event::Reply { request, outcome } => self.global.replied(request, outcome),
            Event::ForwardRequested { token, .. } | Event::CancelForwardRequested { token, .. } => {
                self.global.asks(token);
            }
            Event::Opened { channel } => assert!(self.ends[side].books(channel).is_open()),
            Event::WindowAdjusted { channel } => {
                let books = self.ends[side].books(channel);
                assert!(books.is_open() && !books.eof_sent);
            }
            event => panic!("{event:?}"),
        }
    }

    fn data(&mut self, side: usize, channel: Channel, data: &[u8]) {
        let books = self.ends[side].books(channel);
        assert!(!books.eof_seen && !books.we_closed, "nothing comes after the end");
        for (at, found) in data.iter().enumerate() {
            let expected = byte(books.tag, 1 - side, books.received + at as u64);
            assert_eq!(*found, expected, "in order, none lost");
        }
        books.arrived(data.len() as u64);
    }

    fn offered(
        &mut self,
        side: usize,
        channel: Channel,
        open: &Open<'_>,
        forward: Option<RequestId>,
        message: &[u8],
    ) {
        let it = ChannelOpen::decode(message).expect("it was understood");
        if side == CLIENT {
            self.global.is_asked_for(forward, open);
        }
        let theirs = self.ends[1 - side].numbered(it.sender_channel).expect("they asked");
        let mut books = Books::new(channel, theirs.tag, theirs.session, Life::Offered);
        books.peer = Some(it.sender_channel);
        books.ours =
            Room { window: it.initial_window_size.into(), largest: it.maximum_packet_size };
        self.ends[side].channels.push(books);
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
}

/// What holds.
impl Pair {
    /// After every operation, whatever is still on its way.
    pub(crate) fn check(&mut self) {
        for side in [CLIENT, SERVER] {
            self.flush(side);
            let end = &self.ends[side];
            assert_eq!(end.us.channels() as usize, end.channels.len());
            for books in &end.channels {
                let found = end.us.sendable(books.channel).map(|may| (may.max, may.window));
                assert_eq!(found, books.sendable(end.max_packet), "{books:?}");
            }
            let held: u64 = end.channels.iter().map(Books::held).sum();
            assert!(held <= end.budget, "{held} of {}", end.budget);
        }
        if let Some((purse, limit)) = &self.purse {
            assert!(purse.spent() <= *limit);
        }
    }

    /// Everything is answered and delivered: nobody is stuck.
    fn quiesce(&mut self) {
        self.settle();
        for side in [CLIENT, SERVER] {
            while self.ends[side].channels.iter().any(|books| books.life == Life::Offered) {
                self.answer_open(side, 0, true);
            }
        }
        while self.global.is_asked() {
            self.reply(0, true);
        }
        for nth in 0..self.ends[SERVER].channels.len() {
            while self.ends[SERVER].channels[nth].owed > 0 {
                self.answer_request(nth, true);
            }
        }
        self.settle();
        for side in [CLIENT, SERVER] {
            (0..self.ends[side].channels.len()).for_each(|nth| self.deliver(side, nth, usize::MAX));
        }
        self.settle();
        self.check();
        for side in [CLIENT, SERVER] {
            for nth in 0..self.ends[side].channels.len() {
                let books = &self.ends[side].channels[nth];
                if books.is_open() && !books.eof_sent {
                    assert!(self.send(side, nth, 1, false), "all is delivered, so there is room");
                }
            }
        }
        self.settle();
    }

    /// Everything is closed: nothing is left.
    pub(crate) fn finish(mut self) {
        self.quiesce();
        for side in [CLIENT, SERVER] {
            let open = |books: &Books| !books.we_closed;
            while let Some(nth) = self.ends[side].channels.iter().position(open) {
                self.eof(side, nth);
                self.close(side, nth);
            }
        }
        self.settle();
        self.check();
        for end in &mut self.ends {
            assert!(end.channels.is_empty() && end.us.channels() == 0, "{:?}", end.channels);
            assert!(end.us.outbox().is_empty());
        }
        assert!(self.global.is_empty());
        assert_eq!(self.purse.map_or(0, |(purse, _)| purse.spent()), 0);
    }

    /// Somebody sends one byte more than was granted: that is what it is called.
    pub(crate) fn finish_with_one_byte_too_many(mut self, side: usize) {
        self.quiesce();
        let end = &mut self.ends[side];
        let open = |books: &&Books| books.is_open() && !books.eof_seen;
        let Some(books) = end.channels.iter().find(open) else { return };
        let (channel, room) = (books.channel.number(), books.theirs);
        let mut message = vec![94];
        message.extend(channel.0.to_be_bytes());
        let mut send = |len: u64| {
            message.truncate(5);
            message.extend((len as u32).to_be_bytes());
            message.resize(9 + len as usize, 0);
            end.us.handle(&message)
        };
        let largest = u64::from(room.largest);
        let mut left = room.window;
        while left > largest {
            send(largest).expect("granted");
            left -= largest;
        }
        let violation = match left == largest {
            true => Violation::PacketTooLarge { channel, len: room.largest + 1 },
            false => Violation::WindowOverrun { channel, by: 1 },
        };
        assert_eq!(send(left + 1).err(), Some(violation));
        assert_eq!(send(0).err(), Some(violation), "for ever");
    }
}

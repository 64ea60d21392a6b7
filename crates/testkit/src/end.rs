//! One end of a connection: an engine, its buffers, and an application that keeps books.
//! Touches: one engine.   Never: sockets, clocks.
//! Invariants: what it does follows from the events it sees, in their order, and from nothing else: any split of the bytes gives the same.
//! Errors: kept as [`Seen::Failed`].   Allocates: freely.
//! Proved by: the tests that use it.

use crate::FixedRng;
use crate::flow::Flow;
use crate::manners::{Hospitality, Manners};
use crate::seen::Seen;
use adit_buf::{RxBuf, TxRing};
use adit_engine::{
    Answer, Blocked, Channel, ClientConfig, Engine, Error, Open, ReplyToken, ServerConfig,
};
use adit_transport::Role;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// What an application does beyond its manners, event by event.
pub type Reaction = Box<dyn FnMut(&mut End, &Seen)>;

/// One end.
pub struct End {
    /// Which side it is.
    pub role: Role,
    /// The engine.
    pub engine: Engine,
    /// What came.
    pub rx: RxBuf,
    /// What is to be sent.
    pub tx: TxRing,
    /// How it answers.
    pub manners: Manners,
    /// What it was told.
    pub seen: Vec<Seen>,
    /// Its channels' books; they stay when a channel is over.
    pub flows: BTreeMap<Channel, Flow>,
    /// Requests that the test answers, oldest first.
    pub tokens: VecDeque<ReplyToken>,
    /// What it does beyond that.
    pub reaction: Option<Reaction>,
    failed: Option<Error>,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End").field("role", &self.role).field("seen", &self.seen).finish()
    }
}

/// The making of ends.
impl End {
    /// A client that has started.
    pub fn client(config: ClientConfig, manners: Manners, seed: u64) -> Self {
        let engine = Engine::client(config, Box::new(FixedRng::new(seed)), 0);
        Self::new(Role::Client, engine, manners)
    }

    /// A server that has started.
    pub fn server(config: ServerConfig, manners: Manners, seed: u64) -> Self {
        let engine = Engine::server(config, Box::new(FixedRng::new(seed)), 0);
        Self::new(Role::Server, engine, manners)
    }

    fn new(role: Role, engine: Engine, manners: Manners) -> Self {
        let mut end = Self {
            role,
            engine,
            rx: RxBuf::new(),
            tx: TxRing::new(),
            manners,
            seen: Vec::new(),
            flows: BTreeMap::new(),
            tokens: VecDeque::new(),
            reaction: None,
            failed: None,
        };
        end.engine.start(&mut end.tx);
        end
    }
}

/// Its turn.
impl End {
    /// Takes bytes in and does what comes of them.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.rx.extend(bytes);
        self.turn();
    }

    /// Does what comes of the bytes that are in.
    pub fn turn(&mut self) {
        while self.error().is_none() {
            match self.engine.next_event(&mut self.rx, &mut self.tx) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    let (seen, token) = Seen::new(event, &self.rx);
                    self.happened(&seen, token);
                    self.seen.push(seen.clone());
                    self.react(&seen);
                    self.settle();
                }
                Err(error) => {
                    let again = self.engine.next_event(&mut self.rx, &mut self.tx);
                    assert_eq!(again.err().as_ref(), Some(&error), "an error is repeated");
                    self.fail(error);
                }
            }
        }
    }

    /// Tells the time, if there is anything to do by then.
    pub fn tick(&mut self, now: u64) {
        self.engine.set_now(now);
        if self.error().is_none() && self.engine.next_deadline().is_some_and(|due| due <= now) {
            if let Err(error) = self.engine.handle_timeout(now, &mut self.tx) {
                self.fail(error);
            }
            self.settle();
        }
    }

    /// Sends what can be sent.
    pub fn settle(&mut self) {
        for channel in self.flows.keys().copied().collect::<Vec<_>>() {
            self.send_waiting(channel);
        }
        self.engine.pump(&mut self.tx);
    }

    fn send_waiting(&mut self, channel: Channel) {
        let Some(flow) = self.flows.get_mut(&channel) else { return };
        while flow.open && !flow.waiting.is_empty() {
            match self.engine.reserve(channel, flow.waiting.len(), &mut self.tx) {
                Ok(mut batch) => {
                    let mut filled = 0;
                    for body in batch.bodies() {
                        let count = body.len().min(flow.waiting.len());
                        for (to, from) in body.iter_mut().zip(flow.waiting.drain(..count)) {
                            *to = from;
                        }
                        filled += count;
                    }
                    batch.commit(filled);
                    flow.sent += filled;
                }
                Err(Blocked::Closed | Blocked::EofSent) => flow.waiting.clear(),
                Err(_) => return,
            }
        }
        if flow.open && flow.eof_wanted && !flow.eof_sent {
            flow.eof_sent = true;
            self.engine.send_eof(channel);
        }
    }

    fn react(&mut self, seen: &Seen) {
        if let Some(mut reaction) = self.reaction.take() {
            reaction(self, seen);
            self.reaction = Some(reaction);
        }
    }

    fn fail(&mut self, error: Error) {
        self.failed = Some(error.clone());
        self.seen.push(Seen::Failed(error));
    }

    fn happened(&mut self, seen: &Seen, token: Option<ReplyToken>) {
        match seen {
            Seen::HostKey if self.manners.trusts_host => {
                self.engine.accept_host_key(&mut self.tx);
            }
            Seen::HostKey => self.engine.reject_host_key(&mut self.tx),
            Seen::Login(ask) => {
                if let Some(login) = self.engine.login() {
                    self.manners.answer(ask, login);
                }
            }
            Seen::ServerLogin(ask) => {
                let manners = &mut self.manners;
                // What is wrong the next event tells.
                let _ = self.engine.answer_login(&mut self.tx, |login| manners.judge(ask, login));
            }
            Seen::Data { channel, bytes } | Seen::ExtendedData { channel, bytes, .. } => {
                self.received(*channel, bytes);
            }
            Seen::Eof(channel) => {
                let flow = self.flow(*channel);
                assert!(!flow.eof_seen, "EOF comes once");
                flow.eof_seen = true;
                if self.manners.hospitality == Hospitality::Echo {
                    self.send_eof(*channel);
                }
            }
            Seen::Closed { channel, eof_seen } => {
                let flow = self.flow(*channel);
                assert!(!flow.closed_seen, "CLOSE comes once");
                assert!(flow.closed || flow.eof_seen == *eof_seen);
                flow.closed_seen = true;
                flow.open = false;
            }
            Seen::Open { channel, .. } => self.offered(*channel),
            Seen::Opened(channel) => self.flow(*channel).open = true,
            Seen::OpenFailed { channel, .. } => self.flow(*channel).closed_seen = true,
            Seen::ForwardRequested(forward) if forward.port() == 0 => {
                self.answer_request(token, Answer::Port(40_000));
            }
            _ => self.answer_request(token, Answer::Success),
        }
    }

    fn received(&mut self, channel: Channel, bytes: &[u8]) {
        let (delivers, echoes) =
            (self.manners.delivers, self.manners.hospitality == Hospitality::Echo);
        let flow = self.flow(channel);
        assert!(!flow.eof_seen && !flow.closed, "nothing comes after the end");
        flow.received.extend(bytes);
        flow.undelivered += bytes.len();
        if echoes {
            flow.waiting.extend(bytes);
        }
        if delivers {
            self.deliver(channel, usize::MAX);
        }
    }

    fn offered(&mut self, channel: Channel) {
        self.flows.insert(channel, Flow::default());
        match self.manners.hospitality {
            Hospitality::Take | Hospitality::Echo => self.accept(channel),
            Hospitality::Refuse(reason) => self.refuse(channel, reason, "not here"),
            Hospitality::Leave => {}
        }
    }

    fn answer_request(&mut self, token: Option<ReplyToken>, answer: Answer<'_>) {
        let Some(token) = token else { return };
        match self.manners.hospitality {
            Hospitality::Take | Hospitality::Echo => self.engine.reply(token, answer),
            Hospitality::Refuse(_) => self.engine.reply(token, Answer::Failure),
            Hospitality::Leave => self.tokens.push_back(token),
        }
    }
}

/// What a test makes it do. What is to be sent leaves with the next [`settle`](Self::settle) or turn.
impl End {
    /// Asks for a channel.
    pub fn open(&mut self, open: &Open<'_>) -> Channel {
        let channel = self.engine.open(open).expect("there is room for a channel");
        self.flows.insert(channel, Flow::default());
        channel
    }

    /// Takes a channel that was asked for.
    pub fn accept(&mut self, channel: Channel) {
        self.engine.accept(channel);
        self.flow(channel).open = true;
    }

    /// Does not take it.
    pub fn refuse(&mut self, channel: Channel, reason: u32, description: &str) {
        self.engine.refuse(channel, reason, description);
        let flow = self.flow(channel);
        (flow.closed, flow.closed_seen) = (true, true);
    }

    /// Sends `bytes` as soon as may be.
    pub fn send(&mut self, channel: Channel, bytes: &[u8]) {
        self.flow(channel).waiting.extend(bytes);
    }

    /// Sends EOF behind what waits.
    pub fn send_eof(&mut self, channel: Channel) {
        self.flow(channel).eof_wanted = true;
    }

    /// Closes a channel; what waits is not sent.
    pub fn close(&mut self, channel: Channel) {
        self.engine.close(channel);
        let flow = self.flow(channel);
        (flow.closed, flow.open) = (true, false);
        flow.waiting.clear();
    }

    /// Calls up to `most` bytes of what came delivered.
    pub fn deliver(&mut self, channel: Channel, most: usize) {
        let flow = self.flow(channel);
        let count = flow.undelivered.min(most);
        flow.undelivered -= count;
        self.engine.delivered(channel, count);
    }

    /// Begins a key exchange.
    pub fn rekey(&mut self) {
        self.engine.rekey(&mut self.tx);
    }
}

/// What a test asks it.
impl End {
    /// The books of a channel.
    ///
    /// # Panics
    /// When it knows of no such channel.
    pub fn flow(&mut self, channel: Channel) -> &mut Flow {
        self.flows.get_mut(&channel).unwrap_or_else(|| panic!("{channel:?} is not known"))
    }

    /// What it failed with.
    pub const fn error(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    /// Everything it was told since the last time.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Everything that waits to be written.
    pub fn take_output(&mut self) -> Vec<u8> {
        let mut bytes = vec![];
        self.tx.pending().for_each(|piece| bytes.extend_from_slice(piece));
        self.tx.written(bytes.len());
        bytes
    }
}

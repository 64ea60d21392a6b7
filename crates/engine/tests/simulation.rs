//! Two ends do anything at any time, over links that do anything but lie: no byte is lost, none is left over.
//!
//! Held against plain models: what each channel was given (its bytes follow from its tag), what each request was
//! answered, how much each end may hold, and by when an end notices that the other is gone.
//! `ADIT_SIM_SEEDS` sets how many runs and `ADIT_SIM_FROM` where they begin; `ADIT_SIM_SEED` names one to look at.
//! `cargo xtask simulate` sets them.

use adit_crypto::{CipherAlgorithm, MacAlgorithm};
use adit_engine::{Answer, Channel, Forward, Keepalive, Open, Outcome, RequestId};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{End, FixedRng, Habits, Hospitality, Pair, Pieces, Seen, Stalls};
use adit_transport::{Config, RekeyLimits, Role};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs unless told otherwise: this build may be a slow one.
const SEEDS: u64 = 60;

/// Channels at a time that one end has asked for.
const MOST_CHANNELS: usize = 8;

/// The port of every forward.
const PORT: u32 = 2000;

/// By when an end must have noticed that the other is gone, where it sends keepalives, in milliseconds.
const NOTICED: u64 = 60_000;

/// A link stands still for less than the keepalives below allow for.
const LONGEST_STALL: usize = 900;
const KEEPALIVE: Keepalive = Keepalive { interval_ms: 2000, count_max: 3 };

/// The byte at `position` of what `from` sends on the channel tagged `tag`.
fn byte(tag: u32, from: Role, position: usize) -> u8 {
    (position.wrapping_mul(31) ^ (position >> 8)) as u8 ^ (tag * 2 + from as u32) as u8
}

/// One run.
struct World {
    random: FixedRng,
    pair: Pair,
    tags: u32,
    /// By role and channel: the tag both ends know it by.
    known: BTreeMap<(u8, Channel), u32>,
    /// Channels offered and not answered.
    offered: Vec<(Role, Channel)>,
    /// The client's forwards.
    forwards: Vec<RequestId>,
    /// The client's requests without a reply, oldest first, and what they are.
    asked: VecDeque<(RequestId, Request)>,
    /// How many requests the client has made that the server answers.
    numbered: usize,
    /// Of these, the ones the server has heard and not answered: their numbers, beside its tokens.
    heard: VecDeque<usize>,
    /// How many the server has heard.
    count_heard: usize,
    /// What it said to them, by their numbers.
    said: BTreeMap<usize, bool>,
    /// The most bytes sent at once.
    most: usize,
    /// What each end may hold, client first.
    budgets: [u64; 2],
    keepalives: bool,
    cut: bool,
}

/// A request of the client's.
#[derive(Clone, Copy, Debug)]
enum Request {
    /// Answered by the engine.
    Keepalive,
    /// Answered by the test.
    Forward(usize),
    /// Answered by the test.
    Cancel(usize),
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = FixedRng::new(seed);
        let cipher = random.pick(&[
            CipherAlgorithm::Aes128Gcm,
            CipherAlgorithm::ChaCha20Poly1305,
            CipherAlgorithm::Aes256Ctr,
        ]);
        let mac = random.pick(MacAlgorithm::ALL);
        let strict_kex = random.one_in(2);
        let mut rekey = || RekeyLimits {
            bytes: random.pick(&[0, 0, 20_000]),
            packets: random.pick(&[0, 0, 50]),
            after_ms: random.pick(&[0, 500]),
        };
        let (ours, theirs) = (rekey(), rekey());
        let with = |config, rekey| Config {
            ciphers: vec![cipher],
            macs: vec![mac],
            strict_kex,
            rekey,
            ..config
        };
        let mut client = client_config(with(client_transport(), ours));
        let mut server = server_config(with(server_transport(), theirs));
        for connection in [&mut client.connection, &mut server.connection] {
            connection.initial_window = random.pick(&[256 << 10, 40_000, 1000, 0]);
            connection.max_packet = random.pick(&[32 << 10, 500, 64, 7]);
            connection.memory_budget = random.pick(&[64 << 20, 4 << 20, 100_000]);
            connection.max_channels = 64;
        }
        let budgets = [client.connection.memory_budget, server.connection.memory_budget];
        let keepalives = random.one_in(2);
        (client.keepalive, server.keepalive) =
            (keepalives.then_some(KEEPALIVE), keepalives.then_some(KEEPALIVE));
        let small = [&client.connection, &server.connection]
            .iter()
            .any(|config| config.max_packet < 32 << 10 || config.initial_window < 40_000);
        let mut pair = Pair::with_seed(client, server, seed);
        pair.set_habits(habits(&mut random), habits(&mut random));
        pair.run();
        let logged_in = [&mut pair.client, &mut pair.server]
            .map(|end| end.take_seen().contains(&Seen::Established))
            .iter()
            .all(|established| *established);
        let cut = pair.up.is_cut() || pair.down.is_cut();
        assert!(logged_in || cut, "only a cut keeps them from logging in");
        // A clock that counts milliseconds in 32 bits goes round soon after this.
        pair.now += random.pick(&[0, u64::from(u32::MAX) - 3000]);
        for end in [&mut pair.client, &mut pair.server] {
            end.manners.hospitality = Hospitality::Leave;
            end.manners.delivers = random.one_in(2);
        }
        Self {
            random,
            pair,
            tags: 0,
            known: BTreeMap::new(),
            offered: Vec::new(),
            forwards: Vec::new(),
            asked: VecDeque::new(),
            numbered: 0,
            heard: VecDeque::new(),
            count_heard: 0,
            said: BTreeMap::new(),
            most: if small { 3000 } else { 100_000 },
            budgets,
            keepalives: keepalives && logged_in,
            cut,
        }
    }

    fn end(&mut self, role: Role) -> &mut End {
        match role {
            Role::Client => &mut self.pair.client,
            Role::Server => &mut self.pair.server,
        }
    }

    fn role(&mut self) -> Role {
        self.random.pick(&[Role::Client, Role::Server])
    }

    /// A channel of `role`'s that can be sent on.
    fn channel(&mut self, role: Role) -> Option<Channel> {
        let open: Vec<_> =
            self.end(role).flows.iter().filter(|(_, flow)| flow.open).map(|(at, _)| *at).collect();
        (!open.is_empty()).then(|| self.random.pick(&open))
    }

    /// One thing one of them does.
    fn act(&mut self) {
        let role = self.role();
        match self.random.below(20) {
            0 | 1 => self.open(role),
            2..=6 => self.send(role),
            7..=9 => self.deliver(role),
            10 | 11 => self.answer(),
            12 => {
                if let Some(channel) = self.channel(role) {
                    self.end(role).send_eof(channel);
                }
            }
            13 if self.random.one_in(2) => {
                if let Some(channel) = self.channel(role) {
                    self.end(role).close(channel);
                }
            }
            14 => self.end(role).rekey(),
            15 => self.ask(),
            16 => self.reply(),
            17 => {
                let milliseconds = self.random.below(300) as u64;
                self.pair.wait(milliseconds);
            }
            18 if self.random.one_in(100) => match role {
                Role::Client => self.pair.up.cut(),
                Role::Server => self.pair.down.cut(),
            },
            _ => {}
        }
        for role in [Role::Client, Role::Server] {
            self.end(role).settle();
        }
        for _ in 0..self.random.below(6) {
            self.pair.step();
        }
        self.notice();
    }

    fn open(&mut self, role: Role) {
        if self.end(role).flows.values().filter(|flow| !flow.closed).count() >= MOST_CHANNELS {
            return;
        }
        self.tags += 1;
        let tag = self.tags;
        let open = match role {
            Role::Client => Open::direct_tcpip("db", 5432, "127.0.0.1", tag),
            Role::Server => Open::forwarded_tcpip("listen", 2000, "10.0.0.1", tag),
        };
        let channel = self.end(role).open(&open);
        self.known.insert((role as u8, channel), tag);
    }

    fn send(&mut self, role: Role) {
        let Some(channel) = self.channel(role) else { return };
        let tag = self.known[&(role as u8, channel)];
        let len = 1 + self.random.below(self.most);
        let flow = self.end(role).flow(channel);
        if flow.eof_wanted || flow.waiting.len() > 200_000 {
            return;
        }
        let start = flow.sent + flow.waiting.len();
        flow.waiting.extend((start..start + len).map(|at| byte(tag, role, at)));
    }

    fn deliver(&mut self, role: Role) {
        let most = self.random.below(2 * self.most);
        for channel in self.end(role).flows.keys().copied().collect::<Vec<_>>() {
            self.end(role).deliver(channel, most);
        }
    }

    fn answer(&mut self) {
        if self.offered.is_empty() {
            return;
        }
        let at = self.random.below(self.offered.len());
        let (role, channel) = self.offered.swap_remove(at);
        if self.random.one_in(5) {
            self.end(role).refuse(channel, 2, "no");
        } else {
            self.end(role).accept(channel);
        }
    }

    fn ask(&mut self) {
        let engine = &mut self.pair.client.engine;
        let number = self.numbered;
        let (id, request) = match self.random.below(3) {
            0 => (engine.keepalive(), Request::Keepalive),
            1 => {
                let id = engine.request_forward(Forward::tcpip("listen", PORT));
                self.forwards.extend(id);
                (id, Request::Forward(number))
            }
            _ if self.forwards.is_empty() => return,
            _ => {
                let at = self.random.below(self.forwards.len());
                (engine.cancel_forward(self.forwards.swap_remove(at)), Request::Cancel(number))
            }
        };
        self.numbered += usize::from(!matches!(request, Request::Keepalive));
        self.asked.push_back((id.expect("known, and not too many"), request));
    }

    /// The server answers any of the requests that wait.
    fn reply(&mut self) {
        let server = &mut self.pair.server;
        assert_eq!(server.tokens.len(), self.heard.len());
        if !server.tokens.is_empty() {
            let at = self.random.below(server.tokens.len());
            let token = server.tokens.remove(at).expect("it is there");
            let number = self.heard.remove(at).expect("as many as tokens");
            let success = !self.random.one_in(3);
            self.said.insert(number, success);
            server.engine.reply(token, if success { Answer::Success } else { Answer::Failure });
        }
    }

    /// The client's oldest request has this answer.
    fn answered(&mut self, id: RequestId, outcome: Outcome) {
        let (oldest, request) = self.asked.pop_front().expect("asked for");
        assert_eq!(id, oldest, "replies come in order");
        match request {
            Request::Keepalive => {}
            Request::Forward(number) if self.said[&number] => {
                assert_eq!(outcome, Outcome::Listening { port: PORT }, "{number}");
            }
            Request::Cancel(number) if self.said[&number] => {
                assert!(matches!(outcome, Outcome::Done { .. }), "{number}: {outcome:?}");
            }
            Request::Forward(number) | Request::Cancel(number) => {
                assert_eq!(outcome, Outcome::Refused, "{number}");
                self.forwards.retain(|forward| *forward != id);
            }
        }
    }

    /// Takes note of what both were told, and holds what came against what was sent.
    fn notice(&mut self) {
        for role in [Role::Client, Role::Server] {
            for seen in self.end(role).take_seen() {
                match seen {
                    Seen::Open { channel, open, .. } => {
                        let (Open::DirectTcpip { originator_port: tag, .. }
                        | Open::ForwardedTcpip { originator_port: tag, .. }) = open
                        else {
                            panic!("{open:?}")
                        };
                        self.known.insert((role as u8, channel), tag);
                        self.offered.push((role, channel));
                    }
                    Seen::Closed { channel, .. } => {
                        self.offered.retain(|offered| *offered != (role, channel));
                    }
                    Seen::Data { channel, bytes } => self.check(role, channel, bytes.len()),
                    Seen::Reply { request, outcome } => self.answered(request, outcome),
                    Seen::ForwardRequested(_) | Seen::CancelForwardRequested(_) => {
                        self.heard.push_back(self.count_heard);
                        self.count_heard += 1;
                    }
                    Seen::Failed(error) => assert!(self.is_cut(), "{role:?}: {error}"),
                    _ => {}
                }
            }
            let flows = self.end(role).flows.values().filter(|flow| !flow.closed);
            let held: usize = flows.map(|flow| flow.undelivered).sum();
            let budget = self.budgets[role as usize];
            assert!(held as u64 <= budget, "{role:?} holds {held} of {budget}");
        }
    }

    fn is_cut(&mut self) -> bool {
        self.cut |= self.pair.up.is_cut() || self.pair.down.is_cut();
        self.cut
    }

    /// The last `len` bytes of what came are those that were sent there.
    fn check(&mut self, role: Role, channel: Channel, len: usize) {
        let (tag, from) = (self.known[&(role as u8, channel)], other(role));
        let received = &self.end(role).flow(channel).received;
        let start = received.len() - len;
        for (at, found) in received[start..].iter().enumerate() {
            assert_eq!(*found, byte(tag, from, start + at), "in order, none lost, none twice");
        }
    }

    /// Everything is answered, delivered and closed.
    fn finish(mut self) {
        let stopped = (self.tags > 0 && self.random.one_in(3))
            .then(|| 1 + self.random.below(self.tags as usize) as u32);
        // A channel nobody reads holds up no other.
        self.drain(stopped);
        self.drain(None);
        self.compare();
        if self.is_cut() {
            return self.notice_the_cut();
        }
        for end in [&mut self.pair.client, &mut self.pair.server] {
            for channel in end.flows.keys().copied().collect::<Vec<_>>() {
                if !end.flow(channel).closed {
                    end.close(channel);
                }
            }
            end.settle();
        }
        self.pair.run();
        self.notice();
        // The byte at which a link is cut may be one of the last.
        if self.is_cut() {
            return self.notice_the_cut();
        }
        assert!(self.asked.is_empty());
        self.pair.assert_nothing_left();
    }

    /// Everything is answered and delivered, and every channel ended, but for the one tagged `stopped`.
    fn drain(&mut self, stopped: Option<u32>) {
        for round in 0.. {
            // A window of one byte lets one byte through a round, and there may be ten thousand.
            assert!(round < 100_000, "it does not come to an end");
            self.pair.client.settle();
            self.pair.server.settle();
            self.pair.run();
            self.notice();
            while !self.offered.is_empty() {
                self.answer();
            }
            while !self.pair.server.tokens.is_empty() {
                self.reply();
            }
            let mut busy = false;
            for role in [Role::Client, Role::Server] {
                busy |= self.drain_end(role, stopped);
            }
            if !busy || self.is_cut() {
                break;
            }
        }
        self.pair.run();
        self.notice();
    }

    /// Whether there is more to do at this end.
    fn drain_end(&mut self, role: Role, stopped: Option<u32>) -> bool {
        let channels: Vec<_> = self.end(role).flows.keys().copied().collect();
        let mut busy = false;
        for channel in channels {
            if stopped.is_some() && self.known.get(&(role as u8, channel)).copied() == stopped {
                continue;
            }
            let end = self.end(role);
            end.deliver(channel, usize::MAX);
            let flow = end.flow(channel);
            busy |= flow.open && !(flow.eof_sent && flow.waiting.is_empty());
            if flow.open {
                flow.eof_wanted = true;
            }
        }
        busy || !self.end(role).tx.is_empty()
    }

    /// An end that sends keepalives does not wait for one that is gone.
    fn notice_the_cut(mut self) {
        self.pair.wait(NOTICED);
        self.notice();
        self.compare();
        if self.keepalives {
            for end in [&self.pair.client, &self.pair.server] {
                assert!(end.error().is_some(), "{:?} has not noticed", end.role);
            }
        }
    }

    /// What came is what was sent, all of it where EOF came too.
    fn compare(&mut self) {
        let sent: BTreeMap<_, _> = self
            .known
            .iter()
            .map(|((role, channel), tag)| {
                let end = if *role == 0 { &self.pair.client } else { &self.pair.server };
                ((*role, *tag), end.flows[channel].sent)
            })
            .collect();
        for ((role, channel), tag) in &self.known {
            let end = if *role == 0 { &self.pair.client } else { &self.pair.server };
            let flow = &end.flows[channel];
            let Some(sent) = sent.get(&(1 - role, *tag)) else {
                assert!(flow.received.is_empty());
                continue;
            };
            assert!(flow.received.len() <= *sent);
            if flow.eof_seen {
                assert_eq!(flow.received.len(), *sent, "EOF came, so everything did");
            }
        }
    }
}

const fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

fn habits(random: &mut FixedRng) -> Habits {
    let mut pieces = || match random.below(4) {
        0 => Pieces::Whole,
        1 => Pieces::Of(1 + random.below(5000)),
        2 => Pieces::UpTo(100, FixedRng::new(random.number())),
        _ => Pieces::UpTo(20_000, FixedRng::new(random.number())),
    };
    let (taken, given) = (pieces(), pieces());
    let stalls = random.one_in(3).then(|| Stalls {
        one_in: 1 + random.below(20),
        most_ms: LONGEST_STALL,
        random: FixedRng::new(random.number()),
    });
    let cut_at = random.one_in(16).then(|| random.below(30_000) as u64);
    Habits { taken, given, delay_ms: random.pick(&[0, 1, 40]), stalls, cut_at }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..120 {
        if world.is_cut() {
            break;
        }
        world.act();
    }
    world.finish();
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs seeds until there are none left or one fails; which.
fn work(next: &AtomicU64, end: u64) -> Option<u64> {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return None;
        }
        if std::panic::catch_unwind(|| run(seed)).is_err() {
            next.store(end, Ordering::Relaxed);
            return Some(seed);
        }
    }
}

#[test]
fn no_byte_is_lost_and_none_is_left_over() {
    if let Some(seed) = number("ADIT_SIM_SEED") {
        return run(seed);
    }
    let from = number("ADIT_SIM_FROM").unwrap_or(0);
    let end = from + number("ADIT_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(from);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&next, end))).collect();
        workers.into_iter().filter_map(|worker| worker.join().expect("caught")).min()
    });
    if let Some(seed) = failed {
        panic!("seed {seed} fails; alone: cargo xtask simulate --seeds 1 --from {seed}");
    }
}

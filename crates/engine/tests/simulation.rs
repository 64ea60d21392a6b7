//! Two ends do anything at any time, over links that do anything but lie: no byte is lost, none is left over.
//!
//! `ADIT_SIM_SEEDS` sets how many runs, `ADIT_SIM_SEED` names one to look at.

use adit_crypto::{CipherAlgorithm, MacAlgorithm};
use adit_engine::{Answer, Channel, Forward, Open, RequestId};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{End, FixedRng, Habits, Hospitality, Pair, Pieces, Seen};
use adit_transport::{Config, RekeyLimits, Role};
use std::collections::BTreeMap;

/// Runs unless told otherwise.
const SEEDS: u64 = 150;

/// Channels at a time.
const MOST_CHANNELS: usize = 8;

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
    /// Replies to the client's requests that are due, oldest first.
    asked: Vec<RequestId>,
    /// The most bytes sent at once.
    most: usize,
    cut: bool,
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
            connection.initial_window = random.pick(&[256 << 10, 40_000, 1000]);
            connection.max_packet = random.pick(&[32 << 10, 500, 64]);
            connection.memory_budget = random.pick(&[64 << 20, 4 << 20]);
        }
        let small = [&client.connection, &server.connection]
            .iter()
            .any(|config| config.max_packet < 32 << 10 || config.initial_window < 40_000);
        let mut pair = Pair::with_seed(client, server, seed);
        pair.set_habits(habits(&mut random), habits(&mut random));
        let mut pair = pair.logged_in();
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
            asked: Vec::new(),
            most: if small { 3000 } else { 100_000 },
            cut: false,
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
            18 if self.random.one_in(100) => {
                self.cut = true;
                self.pair.up.cut();
            }
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
        let asked = match self.random.below(3) {
            0 => engine.keepalive(),
            1 => {
                let request = engine.request_forward(Forward::tcpip("listen", 2000));
                self.forwards.extend(request);
                request
            }
            _ => match self.forwards.pop() {
                Some(forward) => engine.cancel_forward(forward),
                None => return,
            },
        };
        self.asked.push(asked.expect("known, and not too many"));
    }

    fn reply(&mut self) {
        let server = &mut self.pair.server;
        if !server.tokens.is_empty() {
            let at = self.random.below(server.tokens.len());
            let token = server.tokens.remove(at).expect("it is there");
            server.engine.reply(token, Answer::Success);
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
                    Seen::Reply { request, .. } => {
                        assert_eq!(request, self.asked.remove(0), "replies come in order");
                    }
                    Seen::Failed(error) => panic!("{role:?}: {error}"),
                    _ => {}
                }
            }
        }
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
        for round in 0.. {
            assert!(round < 10_000, "it does not come to an end");
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
            for end in [&mut self.pair.client, &mut self.pair.server] {
                for channel in end.flows.keys().copied().collect::<Vec<_>>() {
                    end.deliver(channel, usize::MAX);
                    let flow = end.flow(channel);
                    busy |= flow.open && !(flow.eof_sent && flow.waiting.is_empty());
                    if flow.open {
                        flow.eof_wanted = true;
                    }
                }
                busy |= !end.tx.is_empty();
            }
            if !busy || self.cut {
                break;
            }
        }
        self.pair.run();
        self.notice();
        self.compare();
        if self.cut {
            return;
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
        assert!(self.asked.is_empty());
        self.pair.assert_nothing_left();
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
    Habits { taken, given, delay_ms: random.pick(&[0, 1, 40]), cut_at: None }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..120 {
        world.act();
    }
    world.finish();
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn no_byte_is_lost_and_none_is_left_over() {
    if let Some(seed) = number("ADIT_SIM_SEED") {
        return run(seed);
    }
    for seed in 0..number("ADIT_SIM_SEEDS").unwrap_or(SEEDS) {
        if std::panic::catch_unwind(|| run(seed)).is_err() {
            panic!("look at it with ADIT_SIM_SEED={seed}");
        }
    }
}

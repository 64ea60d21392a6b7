//! A client and a server in memory, the links between them, and a clock that goes only when told.
//! Touches: two ends, two links.   Never: sockets, the real clock.
//! Invariants: the same seeds give the same run.
//! Errors: none; the ends keep theirs.   Allocates: freely.
//! Proved by: the tests that use it.

use crate::end::End;
use crate::keys::{client_config, client_transport, server_config, server_transport};
use crate::link::{Habits, Link, Read};
use crate::manners::Manners;
use crate::seen::Seen;
use adit_engine::{Channel, ClientConfig, Open, ServerConfig};

/// Two ends and what is between them.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: End,
    /// The server.
    pub server: End,
    /// From client to server.
    pub up: Link,
    /// From server to client.
    pub down: Link,
    /// Milliseconds.
    pub now: u64,
}

/// More turns than any honest run takes: the two talk for ever.
const MOST_TURNS: usize = 10_000_000;

impl Default for Pair {
    fn default() -> Self {
        Self::new(client_config(client_transport()), server_config(server_transport()))
    }
}

impl Pair {
    /// Both started, nothing carried yet.
    pub fn new(client: ClientConfig, server: ServerConfig) -> Self {
        Self::with_seed(client, server, 1)
    }

    /// The same with other random numbers.
    pub fn with_seed(client: ClientConfig, server: ServerConfig, seed: u64) -> Self {
        Self {
            client: End::client(client, Manners::default(), seed),
            server: End::server(server, Manners::default(), !seed),
            up: Link::new(Habits::default()),
            down: Link::new(Habits::default()),
            now: 0,
        }
    }

    /// Both logged in, and what they saw on the way forgotten.
    pub fn established() -> Self {
        Self::default().logged_in()
    }

    /// Runs until both are logged in, and forgets what they saw on the way.
    #[must_use]
    pub fn logged_in(mut self) -> Self {
        self.run();
        for end in [&mut self.client, &mut self.server] {
            let seen = end.take_seen();
            assert!(seen.contains(&Seen::Established), "{seen:#?}");
        }
        self
    }

    /// Other links, from here on.
    pub fn set_habits(&mut self, up: Habits, down: Habits) {
        (self.up, self.down) = (Link::new(up), Link::new(down));
    }

    /// Carries bytes, and lets time pass where they are on their way, until nobody has any.
    pub fn run(&mut self) {
        self.run_until(u64::MAX);
    }

    /// Lets `milliseconds` pass: bytes arrive and deadlines come.
    pub fn wait(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        loop {
            self.run_until(end);
            let due = [&self.client, &self.server].map(|end| end.engine.next_deadline());
            let due = due.into_iter().flatten().min().map_or(end, |due| due.clamp(self.now, end));
            let stuck = due == self.now;
            self.now = due;
            self.client.tick(self.now);
            self.server.tick(self.now);
            if self.now == end {
                self.run_until(end);
                return;
            }
            if stuck {
                self.now += 1;
            }
        }
    }

    fn run_until(&mut self, end: u64) {
        for _ in 0..MOST_TURNS {
            if self.step() {
                continue;
            }
            let arrivals = [self.up.next_arrival(), self.down.next_arrival()];
            match arrivals.into_iter().flatten().min().filter(|at| *at <= end) {
                Some(at) => self.now = at,
                None => return,
            }
        }
        panic!("they never stop talking");
    }

    /// One write and one read each way; whether anything moved.
    pub fn step(&mut self) -> bool {
        let Self { client, server, up, down, now } = self;
        carry(client, up, server, *now) | carry(server, down, client, *now)
    }

    /// A channel of the client's, open at both ends; the server's handle second.
    pub fn channel(&mut self) -> (Channel, Channel) {
        let ours = self.client.open(&Open::direct_tcpip("db", 5432, "127.0.0.1", 40_000));
        self.client.settle();
        self.run();
        let offered = self.server.seen.iter().rev().find_map(|seen| match seen {
            Seen::Open { channel, .. } => Some(*channel),
            _ => None,
        });
        assert_eq!(self.client.seen.last(), Some(&Seen::Opened(ours)));
        (ours, offered.expect("the server was asked"))
    }

    /// Whether either end still holds anything it should not: channels, bytes, answers.
    pub fn assert_nothing_left(&mut self) {
        for end in [&mut self.client, &mut self.server] {
            assert_eq!(end.error(), None);
            assert_eq!(end.engine.channels(), 0);
            assert!(end.rx.is_empty() && end.tx.is_empty() && end.tokens.is_empty());
        }
        assert_eq!([self.up.next_arrival(), self.down.next_arrival()], [None, None]);
    }
}

fn carry(from: &mut End, link: &mut Link, to: &mut End, now: u64) -> bool {
    from.engine.set_now(now);
    to.engine.set_now(now);
    let written = link.write(&mut from.tx, now);
    match link.read(&mut to.rx, now) {
        Read::Bytes(_) => {
            to.turn();
            true
        }
        Read::Cut if to.seen.last() != Some(&Seen::LinkCut) => {
            to.seen.push(Seen::LinkCut);
            written > 0
        }
        Read::Nothing | Read::Cut => written > 0,
    }
}

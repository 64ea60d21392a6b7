//! The crowd: clients on one loop, each logged in with one -R.
//! Touches: loopback sockets.   Never: keys but the testkit's.
//! Invariants: some fifty connect at a time; each source address serves a part of them, for ports are few.
//! Errors: a sentence, with the first connection that failed.   Allocates: per connection.
//! Proved by: running it.

use crate::Outcome;
use adit_crypto::SystemRandom;
use adit_engine::{ClientConfig, Engine, Event as Ssh, Forward, Outcome as Reply};
use adit_reactor::{DialOptions, Event, Handler, Key, Reactor};
use adit_testkit::Manners;
use adit_testkit::keys::{client_config, client_transport};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Connections that are being made at a time.
const AT_A_TIME: usize = 50;
/// Connections from one source address.
const PER_ADDRESS: usize = 10_000;
/// Milliseconds of rest before memory is read: the loops give their buffers back after one second.
const REST_MS: u64 = 3_000;

/// All clients.
pub(crate) struct Crowd {
    reactor: Reactor,
    members: Members,
}

struct Members {
    server: SocketAddr,
    config: ClientConfig,
    begun: usize,
    ready: usize,
    /// Those that log in.
    manners: HashMap<Key, Manners>,
    failed: Option<String>,
    rested: bool,
}

impl Crowd {
    pub(crate) fn new(server: SocketAddr, user: String) -> Result<Self, String> {
        let mut config = client_config(client_transport());
        config.login.user = user;
        let members = Members {
            server,
            config,
            begun: 0,
            ready: 0,
            manners: HashMap::new(),
            failed: None,
            rested: false,
        };
        let reactor = Reactor::new().map_err(|error| error.to_string())?;
        Ok(Self { reactor, members })
    }

    /// Connects until there are `count`, each with its forward.
    pub(crate) fn grow(&mut self, count: usize) -> Outcome {
        while self.members.ready < count {
            while self.members.begun < count && self.members.begun - self.members.ready < AT_A_TIME
            {
                self.members.begin(&mut self.reactor);
            }
            self.turn()?;
        }
        self.members.manners.shrink_to_fit();
        Ok(())
    }

    /// Lets everything come to rest.
    pub(crate) fn idle(&mut self) -> Outcome {
        self.members.rested = false;
        self.reactor.set_timer(self.reactor.now() + REST_MS, 0);
        while !self.members.rested {
            self.turn()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> Outcome {
        self.reactor.turn(&mut self.members).map_err(|error| error.to_string())?;
        self.members.failed.take().map_or(Ok(()), Err)
    }
}

impl Members {
    fn begin(&mut self, reactor: &mut Reactor) {
        let source = Ipv4Addr::new(127, 0, 1, 1 + (self.begun / PER_ADDRESS) as u8);
        let bind_addresses = vec![IpAddr::from(source)];
        reactor.dial(vec![self.server], DialOptions { bind_addresses, ..DialOptions::default() });
        self.begun += 1;
    }

    fn fail(&mut self, words: impl ToString) {
        let words = words.to_string();
        self.failed.get_or_insert(format!("connection {}: {words}", self.ready + 1));
    }

    fn at_session(&mut self, reactor: &mut Reactor, session: Key, event: Ssh) {
        match event {
            Ssh::HostKey => reactor.judge_host_key(session, true),
            Ssh::Login(ask) => {
                let login = reactor.engine(session).and_then(Engine::login);
                if let Some((login, manners)) = login.zip(self.manners.get_mut(&session)) {
                    manners.answer(&ask, login);
                }
            }
            Ssh::Established => {
                self.manners.remove(&session);
                let forward = Forward::tcpip("127.0.0.1", 0);
                let asked = reactor.engine(session).map(|engine| engine.request_forward(forward));
                if let Some(Err(error)) = asked {
                    self.fail(error);
                }
            }
            Ssh::Reply { outcome: Reply::Listening { .. }, .. } => self.ready += 1,
            Ssh::Reply { .. } => self.fail("the forward was refused"),
            _ => {}
        }
    }
}

impl Handler for Members {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        match event {
            Event::Dialled { result: Ok(stream), .. } => {
                let random = Box::new(SystemRandom::new());
                let engine = Engine::client(self.config.clone(), random, reactor.now());
                match reactor.add_session_over(stream, engine) {
                    Ok(session) => {
                        self.manners.insert(session, Manners::default());
                    }
                    Err(error) => self.fail(error),
                }
            }
            Event::Dialled { result: Err((_, error)), .. } => self.fail(error),
            Event::Ssh { session, event } => self.at_session(reactor, session, event),
            Event::Closed { closed, .. } => self.fail(format!("{closed:?}")),
            Event::Timer(_) => self.rested = true,
            _ => {}
        }
    }
}

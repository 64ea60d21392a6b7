//! Both ends of an SSH connection on one loop, for the tests beside this.
//! Touches: a socket pair, one loop.   Never: what channels are for; each test's handler says that.
//! Invariants: one thread drives both ends; programs run beside it.
//! Errors: panics.   Allocates: freely.
//! Proved by: the tests that use it.
#![allow(dead_code, reason = "each test program uses its part")]

use adit_engine::{ClientConfig, Engine, Event as Ssh, ServerConfig};
use adit_reactor::{Event, Handler, Key, Reactor, Socket};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{FixedRng, Manners};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;

/// A client and a server that are connected, and how they log in.
pub(crate) struct Ends {
    pub(crate) client: Key,
    pub(crate) server: Key,
    pub(crate) manners: [Manners; 2],
    pub(crate) established: usize,
}

impl Ends {
    /// Starts both; they log in as the loop turns.
    pub(crate) fn new(reactor: &mut Reactor) -> Self {
        let (client, server) =
            (client_config(client_transport()), server_config(server_transport()));
        Self::with(reactor, client, server)
    }

    /// The same with configurations of the test's.
    pub(crate) fn with(reactor: &mut Reactor, client: ClientConfig, server: ServerConfig) -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        let client = Engine::client(client, Box::new(FixedRng::new(1)), 0);
        let server = Engine::server(server, Box::new(FixedRng::new(2)), 0);
        let link = |stream| Box::new(Socket::unix(stream).unwrap());
        let client = reactor.add_session(link(near), client).unwrap();
        let server = reactor.add_session(link(far), server).unwrap();
        let manners = [Manners::default(), Manners::default()];
        Self { client, server, manners, established: 0 }
    }

    /// Does what a login needs; gives back any other event.
    pub(crate) fn settle(&mut self, reactor: &mut Reactor, event: Event) -> Option<Event> {
        match event {
            Event::Ssh { session, event: Ssh::HostKey } => reactor.judge_host_key(session, true),
            Event::Ssh { session, event: Ssh::Login(ask) } => {
                let login = reactor.engine(session).and_then(Engine::login).unwrap();
                self.manners[0].answer(&ask, login);
            }
            Event::Ssh { session, event: Ssh::ServerLogin(ask) } => {
                let manners = &mut self.manners[1];
                reactor.answer_login(session, |login| manners.judge(&ask, login));
            }
            Event::Ssh { event: Ssh::Established, .. } => self.established += 1,
            event => return Some(event),
        }
        None
    }
}

/// Turns the loop until `until` says so.
pub(crate) fn run<H: Handler>(
    reactor: &mut Reactor,
    handler: &mut H,
    mut until: impl FnMut(&H) -> bool,
) {
    while !until(handler) {
        reactor.turn(handler).unwrap();
    }
}

/// Runs `program` beside the loop until it is done.
pub(crate) fn beside<T: Send + 'static>(
    reactor: &mut Reactor,
    handler: &mut impl Handler,
    program: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = mpsc::channel();
    let waker = reactor.waker();
    thread::spawn(move || {
        done.send(program()).unwrap();
        waker.wake().unwrap();
    });
    loop {
        if let Ok(result) = result.try_recv() {
            return result;
        }
        reactor.turn(handler).unwrap();
    }
}

/// Bytes that are not the same anywhere.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

//! The least a server can be: a loop, engines, and a listener for each forward. What it takes, aditd takes too.
//! Touches: loopback sockets.   Never: keys but the testkit's, files.
//! Invariants: everybody may log in; forwards are granted and never used.
//! Errors: the loop's own.   Allocates: per connection.
//! Proved by: running it.

use crate::Outcome;
use adit_crypto::SystemRandom;
use adit_engine::{Answer, Engine, Event as Ssh, ServerConfig};
use adit_reactor::{Event, Handler, Key, Listener, Reactor};
use adit_testkit::Manners;
use adit_testkit::keys::{server_config, server_transport};
use std::net::TcpListener;

/// How this program is told to be the server.
pub(crate) const VERB: &str = "serve-bare";

struct Bare {
    front: Key,
    config: ServerConfig,
    manners: Manners,
    forwards: Vec<Key>,
}

/// Serves until it is killed.
pub(crate) fn serve() -> Outcome {
    let words = |error: std::io::Error| error.to_string();
    let mut reactor = Reactor::new().map_err(words)?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(words)?;
    println!("{}", listener.local_addr().map_err(words)?.port());
    let front = reactor.listen(Listener::tcp(listener).map_err(words)?).map_err(words)?;
    let config = server_config(server_transport());
    let mut bare = Bare { front, config, manners: Manners::default(), forwards: Vec::new() };
    loop {
        reactor.turn(&mut bare).map_err(words)?;
    }
}

impl Handler for Bare {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        match event {
            Event::Accepted { listener, stream, .. } if listener == self.front => {
                let random = Box::new(SystemRandom::new());
                let engine = Engine::server(self.config.clone(), random, reactor.now());
                let _ = reactor.add_session_over(stream, engine);
            }
            Event::Ssh { session, event: Ssh::ServerLogin(ask) } => {
                let manners = &mut self.manners;
                reactor.answer_login(session, |login| manners.judge(&ask, login));
            }
            Event::Ssh { session, event: Ssh::ForwardRequested { token, .. } } => {
                let listening = TcpListener::bind("127.0.0.1:0")
                    .and_then(|listener| reactor.listen(Listener::tcp(listener)?))
                    .ok();
                let listener = listening.and_then(|key| reactor.listener(key));
                let port = listener.and_then(Listener::local_addr).map(|address| address.port());
                self.forwards.extend(listening);
                let answer = port.map_or(Answer::Failure, |port| Answer::Port(u32::from(port)));
                if let Some(engine) = reactor.engine(session) {
                    engine.reply(token, answer);
                }
            }
            _ => {}
        }
    }
}

//! Connections made for channels: a name is looked up, its addresses are dialled, whoever asked learns how it went.
//! Touches: look-ups and dials of the loop.   Never: engines; what a connection is for is its owner's to know.
//! Invariants: each start ends once, in a stream or in words, unless it is given up.
//! Errors: [`Unreachable`].   Allocates: per connection.
//! Proved by: `tests/served.rs`, interop `remote_forward.rs`.

use crate::Failure;
use crate::listen::os_words;
use adit_reactor::{DialOptions, Event, Family, Found, Key, LookupId, Reactor};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

/// Connections on their way, each with what it is for.
pub(crate) struct Reaching<T> {
    lookups: HashMap<LookupId, T>,
    dials: HashMap<Key, T>,
}

/// Why there is no connection.
pub(crate) struct Unreachable {
    /// The system's or the resolver's words.
    pub(crate) words: String,
    /// The same for a proxy client.
    pub(crate) failure: Failure,
}

/// What an event of the loop did for the connections on their way.
pub(crate) enum Step<T> {
    /// Nothing: it is somebody else's.
    Foreign(Event),
    /// One has come nearer.
    Nearer,
    /// One is through.
    Over(T, Result<Key, Unreachable>),
}

impl<T> Reaching<T> {
    pub(crate) fn new() -> Self {
        Self { lookups: HashMap::new(), dials: HashMap::new() }
    }

    /// Sets out for `host`.
    pub(crate) fn start(
        &mut self,
        reactor: &mut Reactor,
        host: &str,
        port: u16,
        family: Family,
        purpose: T,
    ) {
        self.lookups.insert(reactor.look_up(host, port, family), purpose);
    }

    /// Takes an event of the loop.
    pub(crate) fn event(
        &mut self,
        reactor: &mut Reactor,
        options: &DialOptions,
        event: Event,
    ) -> Step<T> {
        match event {
            Event::Resolved { lookup, found } => match self.lookups.remove(&lookup) {
                Some(purpose) => self.resolved(reactor, options, purpose, found),
                None => Step::Foreign(Event::Resolved { lookup, found }),
            },
            Event::Dialled { dial, result } => match self.dials.remove(&dial) {
                Some(purpose) => Step::Over(purpose, result.map_err(Unreachable::from)),
                None => Step::Foreign(Event::Dialled { dial, result }),
            },
            event => Step::Foreign(event),
        }
    }

    fn resolved(
        &mut self,
        reactor: &mut Reactor,
        options: &DialOptions,
        purpose: T,
        found: Found,
    ) -> Step<T> {
        match found {
            Ok(addresses) => {
                self.dials.insert(reactor.dial(addresses, options.clone()), purpose);
                Step::Nearer
            }
            Err(words) => {
                Step::Over(purpose, Err(Unreachable { words, failure: Failure::HostUnreachable }))
            }
        }
    }

    /// What a connection on its way is for.
    pub(crate) fn find_mut(&mut self, wanted: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.lookups.values_mut().chain(self.dials.values_mut()).find(|purpose| wanted(purpose))
    }

    /// Gives up the connections of a purpose.
    pub(crate) fn give_up(&mut self, reactor: &mut Reactor, unwanted: impl Fn(&T) -> bool) {
        self.lookups.retain(|_, purpose| !unwanted(purpose));
        self.dials.retain(|dial, purpose| {
            let given_up = unwanted(purpose);
            if given_up {
                reactor.hang_up(*dial);
            }
            !given_up
        });
    }
}

impl From<(SocketAddr, io::Error)> for Unreachable {
    fn from((_, error): (SocketAddr, io::Error)) -> Self {
        Self::from(error)
    }
}

impl From<io::Error> for Unreachable {
    fn from(error: io::Error) -> Self {
        Self { words: os_words(&error), failure: Failure::from_io(&error) }
    }
}

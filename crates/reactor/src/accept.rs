//! Listeners: connections are taken as they come, a bounded number in a turn.
//! Touches: listening sockets.   Never: what a connection is for.
//! Invariants: readiness is sticky; a listener that cannot accept rests, it never spins.
//! Errors: an accept that fails is told once, and tried again after a rest.   Allocates: a stream per connection.
//! Proved by: `tests/sources.rs`, `tests/out_of_files.rs`.

use crate::socket::Listener;
use crate::stream::Inbound;
use crate::timer::Millis;
use crate::token::{Key, Kind};
use crate::{Event, Handler, Reactor, Timer};
use std::io;

/// Most connections taken from one listener in a turn, so that a flood of them does not stop the data.
const ACCEPTS_PER_TURN: usize = 64;

/// How long a listener rests when the process is out of descriptors.
const OUT_OF_FILES: Millis = 100;

/// A listener and what is known of it.
pub(crate) struct Accepting {
    pub(crate) listener: Listener,
    pub(crate) ready: bool,
    pub(crate) queued: bool,
    /// A timer will put it back to work.
    resting: bool,
    /// It could not accept, and has said so.
    failing: bool,
}

impl Accepting {
    const fn new(listener: Listener) -> Self {
        Self { listener, ready: false, queued: false, resting: false, failing: false }
    }

    fn is_able(&self) -> bool {
        self.ready && !self.resting
    }
}

/// Listeners.
impl Reactor {
    /// Accepts connections; an [`Event::Accepted`] follows for each.
    ///
    /// # Errors
    /// When the system will not watch it.
    pub fn listen(&mut self, mut listener: Listener) -> io::Result<Key> {
        let registry = self.poll.registry();
        let mut result = Ok(());
        let key = self.listeners.insert_with(|key| {
            result = listener.register(registry, key.token(Kind::Listener));
            Accepting::new(listener)
        });
        if let Err(error) = result {
            self.listeners.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Stops listening. Connections it has taken stay. The socket is closed when what this gives is dropped.
    pub fn unlisten(&mut self, listener: Key) -> Option<Listener> {
        let registry = self.poll.registry();
        let mut listener = self.listeners.remove(listener)?.listener;
        listener.deregister(registry);
        Some(listener)
    }

    /// The listener's socket.
    pub fn listener(&self, listener: Key) -> Option<&Listener> {
        self.listeners.get(listener).map(|accepting| &accepting.listener)
    }

    pub(crate) fn queue_accept(&mut self, key: Key) {
        if let Some(accepting) = self.listeners.get_mut(key) {
            if !std::mem::replace(&mut accepting.queued, true) {
                self.to_accept.push_back(key);
            }
        }
    }

    pub(crate) fn accept(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.to_accept) {
            if let Some(accepting) = self.listeners.get_mut(key) {
                accepting.queued = false;
            }
            self.accept_from(key, handler);
        }
    }

    pub(crate) fn accept_from(&mut self, key: Key, handler: &mut dyn Handler) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(accepting) = self.listeners.get_mut(key).filter(|each| each.is_able()) else {
                return;
            };
            match accepting.listener.accept() {
                Ok((socket, from)) => {
                    accepting.failing = false;
                    match self.add_stream(socket, Inbound::Held) {
                        Ok(stream) => {
                            handler.event(self, Event::Accepted { listener: key, stream, from })
                        }
                        Err(error) => return self.rest(key, error, handler),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    accepting.ready = false;
                    return;
                }
                // The connection went before it was taken; the next may be well.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors or memory: without a rest the loop would spin.
                Err(error) => return self.rest(key, error, handler),
            }
        }
        self.queue_accept(key);
    }

    /// Lets a listener rest whatever comes to it, and tells why, once.
    fn rest(&mut self, key: Key, error: io::Error, handler: &mut dyn Handler) {
        let Some(accepting) = self.listeners.get_mut(key) else { return };
        accepting.resting = true;
        self.timers.set(self.now + OUT_OF_FILES, Timer::Listener(key));
        if !std::mem::replace(&mut accepting.failing, true) {
            handler.event(self, Event::AcceptFailed { listener: key, error });
        }
    }

    pub(crate) fn rested(&mut self, key: Key) {
        if let Some(accepting) = self.listeners.get_mut(key) {
            accepting.resting = false;
            self.queue_accept(key);
        }
    }
}

//! Listeners: connections are taken as they come, a bounded number in a turn.
//! Touches: listening sockets.   Never: what a connection is for.
//! Invariants: readiness is sticky; a listener that cannot accept rests, it never spins.
//! Errors: an accept that fails for good rests and is tried again.   Allocates: a stream per connection.
//! Proved by: `tests/sources.rs`.

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
            Accepting { listener, ready: false, queued: false }
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
            let Some(accepting) = self.listeners.get_mut(key).filter(|accepting| accepting.ready)
            else {
                return;
            };
            match accepting.listener.accept() {
                Ok(socket) => {
                    if let Ok(stream) = self.add_stream(socket, Inbound::Held) {
                        handler.event(self, Event::Accepted { listener: key, stream });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    accepting.ready = false;
                    return;
                }
                // The connection went before it was taken; the next may be well.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors or memory: without a rest the loop would spin.
                Err(_) => {
                    self.timers.set(self.now + OUT_OF_FILES, Timer::Listener(key));
                    return;
                }
            }
        }
        self.queue_accept(key);
    }
}

//! A loop and the connections on it.
//! Touches: the events of one reactor.   Never: another loop's connections.
//! Invariants: what another thread has to say comes through the postbox.
//! Errors: a connection's own end the connection.   Allocates: per connection.
//! Proved by: the interop tests.

use crate::errand::{Mail, Postbox};
use crate::session::Sessions;
use adit_reactor::{Event, Handler, Reactor};
use std::sync::mpsc::Receiver;

/// What one loop knows.
pub(crate) struct Worker {
    /// How other threads reach this loop.
    pub(crate) postbox: Postbox,
    mail: Receiver<Mail>,
    /// Session channels of this loop's connections.
    pub(crate) sessions: Sessions,
}

impl Worker {
    /// A loop's state, with nothing on it.
    pub(crate) fn new(postbox: Postbox, mail: Receiver<Mail>, sessions: Sessions) -> Self {
        Self { postbox, mail, sessions }
    }
}

impl Handler for Worker {
    fn event(&mut self, reactor: &mut Reactor, event: Event) {
        if let Event::Woken = event {
            while let Ok(mail) = self.mail.try_recv() {
                mail(self, reactor);
            }
        }
    }
}

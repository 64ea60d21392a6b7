//! A session whose client may have things forwarded, and what is kept of it.
//! Touches: keys and rules.   Never: the loop.
//! Invariants: a guest that has nothing forwarded owns no memory beyond its entry.
//! Errors: none.   Allocates: per forward listened on and per connection.
//! Proved by: `tests/served.rs`.

use crate::served::notice::{Connection, Ending};
use crate::served::rules::Rules;
use adit_engine::Forward;
use adit_reactor::{Key, Millis};
use std::sync::Arc;

/// A session.
pub(crate) struct Guest {
    pub(crate) rules: Arc<dyn Rules>,
    /// What is listened on.
    pub(crate) granted: Vec<Granted>,
    /// Forwards that are not decided.
    pub(crate) asking: usize,
    /// Connections on their way.
    pub(crate) reaching: usize,
    /// Connections that stand, or whose channel the client is asked to take.
    pub(crate) streams: Vec<Key>,
}

impl Guest {
    pub(crate) fn new(rules: Arc<dyn Rules>) -> Self {
        Self { rules, granted: Vec::new(), asking: 0, reaching: 0, streams: Vec::new() }
    }

    /// The forward a listener serves.
    pub(crate) fn granted_at(&mut self, listener: Key) -> Option<&mut Granted> {
        self.granted.iter_mut().find(|granted| granted.listeners.contains(&listener))
    }

    pub(crate) fn forget_stream(&mut self, stream: Key) {
        // Connections that come and go stand behind those that stay.
        if let Some(at) = self.streams.iter().rposition(|other| *other == stream) {
            self.streams.swap_remove(at);
        }
        if self.streams.is_empty() {
            self.streams = Vec::new();
        }
    }
}

/// A forward that is listened on.
pub(crate) struct Granted {
    /// As it was asked for, with the port that was bound.
    pub(crate) forward: Forward<'static>,
    pub(crate) listeners: Box<[Key]>,
    pub(crate) since: Millis,
    /// Connections that came.
    pub(crate) accepted: u64,
}

/// A connection that has a stream.
pub(crate) struct Carried {
    pub(crate) session: Key,
    pub(crate) connection: Connection,
    /// When the channel was opened; before that, when it was asked for.
    pub(crate) since: Millis,
    pub(crate) fate: Fate,
}

/// What is known of a connection's end before its stream is gone.
pub(crate) enum Fate {
    /// Nothing.
    Open,
    /// The client would not have it.
    Refused { reason: u32, words: String },
    /// It was ended here.
    Ended(Ending),
}

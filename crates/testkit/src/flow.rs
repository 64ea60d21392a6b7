//! The books of one channel at one end: what is to be sent, what was, and what came.
//! Touches: payload.   Never: the engine.
//! Invariants: what came is kept to the last byte.
//! Errors: none.   Allocates: everything that passes.
//! Proved by: the tests that compare two ends.

use std::collections::VecDeque;

/// One channel.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Can be sent on.
    pub open: bool,
    /// What waits to be sent.
    pub waiting: VecDeque<u8>,
    /// EOF follows what waits.
    pub eof_wanted: bool,
    /// EOF is sent.
    pub eof_sent: bool,
    /// How many bytes were sent.
    pub sent: usize,
    /// Everything that came.
    pub received: Vec<u8>,
    /// Of it, what has not been called delivered.
    pub undelivered: usize,
    /// The peer has sent EOF.
    pub eof_seen: bool,
    /// The peer has sent CLOSE.
    pub closed_seen: bool,
    /// We have closed it.
    pub closed: bool,
}

//! Channel numbers that cannot be swapped, and the handle an application holds. RFC 4254 §5.
//! Touches: numbers.   Never: the table they point into.
//! Invariants: a handle names one channel for ever, though its number is used again.
//! Errors: none.   Allocates: never.
//! Proved by: `table` tests.

/// Our number for a channel: `recipient channel` of what the peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalChannel(pub u32);

/// The peer's number for a channel: `recipient channel` of what we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerChannel(pub u32);

/// A channel as the application knows it.
///
/// Commands for a channel that is gone are ignored, also when its number serves another by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    pub(crate) number: LocalChannel,
    pub(crate) generation: u32,
}

impl Channel {
    /// Our number on the wire, for logs and for tables indexed by it.
    pub const fn number(self) -> LocalChannel {
        self.number
    }
}

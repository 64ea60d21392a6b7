//! A channel as a bookkeeper at one end sees it, who reads the messages and does sums.
//! Touches: counts.   Never: the layer that is under test.
//! Invariants: nothing is counted but what a message says or an application does.
//! Errors: a panic where the sums do not fit.   Allocates: queues of requests.
//! Proved by: the target that keeps them.

use adit_connection::{Blocked, Channel, ChannelRequestId};
use std::collections::VecDeque;

/// How far a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// We have asked.
    Opening,
    /// They have asked.
    Offered,
    Live,
}

/// What the peer lets us send, or we let it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    pub(crate) window: u64,
    /// Most bytes in a message.
    pub(crate) largest: u32,
}

/// One channel at one end.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) channel: Channel,
    /// The peer's number, once it is known.
    pub(crate) peer: Option<u32>,
    /// The same at both ends: what the bytes are made of.
    pub(crate) tag: u32,
    pub(crate) session: bool,
    pub(crate) life: Life,
    /// What we may send.
    pub(crate) ours: Room,
    /// What the peer may send: as granted in messages that have left us, less what came.
    pub(crate) theirs: Room,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) undelivered: usize,
    pub(crate) eof_sent: bool,
    pub(crate) eof_seen: bool,
    pub(crate) we_closed: bool,
    pub(crate) they_closed: bool,
    /// Requests of ours that wait for a reply.
    pub(crate) asked: VecDeque<ChannelRequestId>,
    /// Requests of theirs that wait for ours.
    pub(crate) owed: usize,
}

impl Books {
    pub(crate) fn new(channel: Channel, tag: u32, session: bool, life: Life) -> Self {
        Self {
            channel,
            peer: None,
            tag,
            session,
            life,
            ours: Room::default(),
            theirs: Room::default(),
            sent: 0,
            received: 0,
            undelivered: 0,
            eof_sent: false,
            eof_seen: false,
            we_closed: false,
            they_closed: false,
            asked: VecDeque::new(),
            owed: 0,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.life, Life::Live) && !self.we_closed && !self.they_closed
    }

    /// What may be sent in one message and in all, or why nothing may, if no message of ours is longer than `largest`.
    pub(crate) fn sendable(&self, largest: u32) -> Result<(usize, usize), Blocked> {
        if self.we_closed || self.they_closed {
            return Err(Blocked::Closed);
        }
        if self.life != Life::Live {
            return Err(Blocked::Opening);
        }
        if self.eof_sent {
            return Err(Blocked::EofSent);
        }
        let window = self.ours.window;
        match window.min(u64::from(self.ours.largest.min(largest))) {
            0 => Err(Blocked::Window),
            max => Ok((max as usize, window as usize)),
        }
    }

    /// Bytes that may be in memory for this channel: granted and to come, or come and not delivered.
    pub(crate) const fn held(&self) -> u64 {
        match (self.life, self.we_closed) {
            (Life::Offered, _) | (_, true) => 0,
            _ if self.eof_seen || self.they_closed => self.undelivered as u64,
            _ => self.theirs.window + self.undelivered as u64,
        }
    }

    /// Data came.
    pub(crate) fn arrived(&mut self, len: u64) {
        assert!(len <= u64::from(self.theirs.largest), "{len} bytes in one message: {self:?}");
        let left = self.theirs.window.checked_sub(len);
        self.theirs.window = left.unwrap_or_else(|| panic!("{len} bytes overrun: {self:?}"));
        self.received += len;
        self.undelivered += len as usize;
    }
}

/// The byte at `position` of what the end `from` sends on the channel tagged `tag`.
pub(crate) fn byte(tag: u32, from: usize, position: u64) -> u8 {
    (position.wrapping_mul(31) ^ (position >> 8) ^ u64::from(tag * 2 + from as u32)) as u8
}

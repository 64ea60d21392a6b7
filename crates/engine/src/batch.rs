//! A batch: room for several data packets of one channel, filled by one read, sealed where they stand.
//! Touches: the transport's slots, the channel's window.   Never: where the payload comes from.
//! Invariants: a batch fits the window; dropping it sends nothing and debits nothing.
//! Errors: [`Blocked`], before anything is reserved.   Allocates: never, where a lent chunk has the room.
//! Proved by: `tests/fast_path.rs`.

use adit_connection::{Channel, Connection};
use adit_transport::Slots;

/// Why nothing can be sent on a channel, and so what to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The peer takes no more: [`Event::WindowAdjusted`](crate::Event::WindowAdjusted).
    Window,
    /// The open is not answered: [`Event::Opened`](crate::Event::Opened).
    Opening,
    /// Keys are being exchanged: [`Event::KeysExchanged`](crate::Event::KeysExchanged).
    Rekeying,
    /// Control messages wait that must go first: [`Engine::pump`](crate::Engine::pump).
    OutputFull,
    /// We have sent EOF.
    EofSent,
    /// The channel or the connection is closed.
    Closed,
}

impl From<adit_connection::Blocked> for Blocked {
    fn from(blocked: adit_connection::Blocked) -> Self {
        match blocked {
            adit_connection::Blocked::Window => Self::Window,
            adit_connection::Blocked::Opening => Self::Opening,
            adit_connection::Blocked::EofSent => Self::EofSent,
            adit_connection::Blocked::Closed => Self::Closed,
        }
    }
}

impl From<adit_transport::Blocked> for Blocked {
    fn from(blocked: adit_transport::Blocked) -> Self {
        match blocked {
            adit_transport::Blocked::KeyExchange => Self::Rekeying,
            adit_transport::Blocked::Closed => Self::Closed,
        }
    }
}

/// Room for data on one channel. See [`Engine::reserve`](crate::Engine::reserve).
#[derive(Debug)]
pub struct Batch<'a> {
    pub(crate) slots: Slots<'a>,
    pub(crate) connection: &'a mut Connection,
    pub(crate) channel: Channel,
}

impl Batch<'_> {
    /// How many bytes the bodies hold together.
    pub const fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Where to read payload into, in order, each to its end before the next is begun.
    pub fn bodies(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.slots.bodies_mut()
    }

    /// Seals and queues what the first `filled` bytes of the bodies make up, and debits the window.
    pub fn commit(self, filled: usize) {
        let filled = filled.min(self.slots.capacity());
        self.slots.commit(filled);
        self.connection.sent(self.channel, filled);
    }
}

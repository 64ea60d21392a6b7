//! What the table holds for a channel: an open of ours, an open of the peer's, or a live channel. RFC 4254 §5.
//! Touches: the books of one channel.   Never: other channels, messages.
//! Invariants: only a live channel has halves and a peer's number; an idle one owns no memory beyond its slot.
//! Errors: `Violation` for a number from the wire.   Allocates: never.
//! Proved by: `tests` below and those of each handler.

use crate::budget::Pace;
use crate::id::{Channel, LocalChannel, PeerChannel};
use crate::recv_half::{Broken, RecvHalf, RecvStep};
use crate::request::{Asked, Owed};
use crate::send_half::SendHalf;
use crate::table::Table;
use crate::violation::Violation;
use crate::window::{RecvWindow, SendWindow};

/// ```text
///  open ──► Opening ──┐ confirmation
///                     ├────────────► Live ── both CLOSEs ──► gone
///  OPEN ──► Offered ──┘ accept
///             (a failure, or `refuse`: gone)
/// ```
#[derive(Debug)]
pub(crate) enum Entry {
    /// We asked; the peer has not answered.
    Opening(Opening),
    /// The peer asked; the application has not answered.
    Offered(Offered),
    /// Both know each other's numbers.
    Live(Live),
}

#[derive(Debug)]
pub(crate) struct Opening {
    /// Granted with the open.
    pub(crate) window: RecvWindow,
    pub(crate) session: bool,
    /// Closed before it was confirmed: CLOSE follows the confirmation.
    pub(crate) abandoned: bool,
}

#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) peer: PeerChannel,
    pub(crate) send_window: SendWindow,
    pub(crate) peer_max_packet: u32,
    pub(crate) session: bool,
}

#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) peer: PeerChannel,
    pub(crate) send: SendHalf,
    pub(crate) recv: RecvHalf,
    /// Only sessions have requests. RFC 4254 §6.
    pub(crate) session: bool,
    pub(crate) send_window: SendWindow,
    pub(crate) peer_max_packet: u32,
    pub(crate) recv_window: RecvWindow,
    pub(crate) pace: Pace,
    /// Requests of ours.
    pub(crate) asked: Asked,
    /// Requests of the peer's.
    pub(crate) owed: Owed,
}

impl Live {
    /// A channel both sides have just agreed on.
    pub(crate) const fn new(offered: &Offered, window: RecvWindow) -> Self {
        Self {
            peer: offered.peer,
            send: SendHalf::Open,
            recv: RecvHalf::Open,
            session: offered.session,
            send_window: offered.send_window,
            peer_max_packet: offered.peer_max_packet,
            recv_window: window,
            pace: Pace::new(),
            asked: Asked::new(),
            owed: Owed::new(),
        }
    }

    /// Neither side has sent CLOSE.
    pub(crate) fn is_open(&self) -> bool {
        self.send != SendHalf::Closed && self.recv != RecvHalf::Closed
    }
}

/// The live channel a message is for.
pub(crate) fn live(
    table: &mut Table<Entry>,
    number: u32,
) -> Result<(Channel, &mut Live), Violation> {
    let number = LocalChannel(number);
    let channel = table.named(number).ok_or(Violation::UnknownChannel(number))?;
    match table.get_mut(channel) {
        Some(Entry::Live(live)) => Ok((channel, live)),
        Some(Entry::Opening(_)) => Err(Violation::NotYetOpen(number)),
        // The peer has not been told the number of what it asked for.
        Some(Entry::Offered(_)) | None => Err(Violation::UnknownChannel(number)),
    }
}

/// The live channel a message is for, after its half has taken the step.
pub(crate) fn step(
    table: &mut Table<Entry>,
    number: u32,
    step: RecvStep,
) -> Result<(Channel, &mut Live, RecvHalf), Violation> {
    let (channel, live) = live(table, number)?;
    match live.recv.take(step) {
        Ok(before) => Ok((channel, live, before)),
        Err(Broken::DataAfterEof) => Err(Violation::DataAfterEof(channel.number)),
        Err(Broken::AfterClose) => Err(Violation::AfterClose(channel.number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_channel_fits_its_slot() {
        assert!(Table::<Entry>::slot_size() <= 96, "{}", Table::<Entry>::slot_size());
    }
}

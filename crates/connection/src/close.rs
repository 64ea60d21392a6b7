//! The end of a channel: EOF is half-close, CLOSE is the end of both halves. RFC 4254 §5.3.
//! Touches: the halves, the windows' books, the slot.   Never: data still on its way to a socket.
//! Invariants: a number is free once both CLOSEs have passed; after ours nothing is sent or handed on.
//! Errors: `AfterClose`, `UnknownChannel`, `NotYetOpen`.   Allocates: never, but for the outbox.
//! Proved by: `tests` below, `pair`.

use crate::channel::{Entry, step};
use crate::connection::{Connection, decode};
use crate::event::Event;
use crate::id::Channel;
use crate::recv_half::{RecvHalf, RecvStep};
use crate::send_half::{SendHalf, SendStep};
use crate::violation::Violation;
use adit_wire::channel::{ChannelClose, ChannelEof, open_failure};

impl Connection {
    /// Says that no more data will be sent on `channel`; receiving goes on.
    pub fn send_eof(&mut self, channel: Channel) {
        let Some(Entry::Live(live)) = self.table.get_mut(channel) else { return };
        if live.recv != RecvHalf::Closed && live.send.take(SendStep::Eof) {
            self.out.say(&ChannelEof { recipient_channel: live.peer.0 });
        }
    }

    /// Ends `channel`, and gives up what came on it and was not delivered.
    ///
    /// Each channel needs this call once, also after [`Event::Closed`]: until then its number, its memory
    /// and the peer's share in them stay taken. Without `send_eof` before it, the peer knows that data is cut
    /// off. A channel not confirmed yet is closed as soon as it is; one not accepted is refused.
    pub fn close(&mut self, channel: Channel) {
        match self.table.get_mut(channel) {
            Some(Entry::Live(_)) => self.close_live(channel),
            Some(Entry::Opening(opening)) => {
                opening.abandoned = true;
                let held = opening.window.held();
                opening.window.end();
                self.budget.change(held, 0);
            }
            Some(Entry::Offered(_)) => self.refuse(channel, open_failure::CONNECT_FAILED, ""),
            None => {}
        }
    }

    fn close_live(&mut self, channel: Channel) {
        let Some(Entry::Live(live)) = self.table.get_mut(channel) else { return };
        if !live.send.take(SendStep::Close) {
            return;
        }
        self.out.say(&ChannelClose { recipient_channel: live.peer.0 });
        let held = live.recv_window.held();
        live.recv_window.end();
        live.recv_window.deliver(u32::MAX);
        self.budget.change(held, 0);
        self.free_if_done(channel);
    }

    /// Frees the number once neither side will speak of it again.
    fn free_if_done(&mut self, channel: Channel) {
        let Some(Entry::Live(live)) = self.table.get(channel) else { return };
        if live.send == SendHalf::Closed && live.recv == RecvHalf::Closed {
            self.peers.remove(&live.peer.0);
            self.table.remove(channel);
        }
    }

    pub(crate) fn handle_eof(&mut self, payload: &[u8]) -> Result<Option<Event>, Violation> {
        let eof = decode::<ChannelEof>(payload)?;
        let (channel, before) = self.end_receiving(eof.recipient_channel, RecvStep::Eof)?;
        let ignored = before == RecvHalf::EofSeen || self.sent_close(channel);
        Ok((!ignored).then_some(Event::Eof { channel }))
    }

    pub(crate) fn handle_close(&mut self, payload: &[u8]) -> Result<Option<Event>, Violation> {
        let close = decode::<ChannelClose>(payload)?;
        let (channel, before) = self.end_receiving(close.recipient_channel, RecvStep::Close)?;
        self.free_if_done(channel);
        Ok(Some(Event::Closed { channel, eof_seen: before == RecvHalf::EofSeen }))
    }

    /// The peer sends no more data: what it did not use of its window is free.
    fn end_receiving(
        &mut self,
        number: u32,
        end: RecvStep,
    ) -> Result<(Channel, RecvHalf), Violation> {
        let (channel, live, before) = step(&mut self.table, number, end)?;
        let held = live.recv_window.held();
        live.recv_window.end();
        self.budget.change(held, live.recv_window.held());
        Ok((channel, before))
    }

    fn sent_close(&self, channel: Channel) -> bool {
        matches!(self.table.get(channel), Some(Entry::Live(live)) if live.send == SendHalf::Closed)
    }
}

//! The data path: what may be sent, what came, what was delivered. RFC 4254 §5.2.
//! Touches: the two windows of a channel, ten bytes of header.   Never: the data itself.
//! Invariants: data is debited before it is sent and before it is handed on; only `delivered` refills a window.
//! Errors: `Blocked`; `WindowOverrun`, `PacketTooLarge`, `AdjustOverflow`, `DataAfterEof`, `AfterClose`.
//! Allocates: never, but for the outbox.
//! Proved by: `tests` below, `pair`.

use crate::channel::{Entry, live, step};
use crate::connection::{Connection, decode};
use crate::event::Event;
use crate::id::Channel;
use crate::recv_half::{RecvHalf, RecvStep};
use crate::send_half::SendHalf;
use crate::violation::Violation;
use adit_wire::channel::{ChannelData, ChannelExtendedData, ChannelWindowAdjust};

/// Why no data can be sent now, and so what to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The peer takes no more for now: wait for [`Event::WindowAdjusted`].
    Window,
    /// The open is not answered yet: wait for [`Event::Opened`], or `accept` it.
    Opening,
    /// We have sent EOF.
    EofSent,
    /// One side has sent CLOSE, or the channel is gone.
    Closed,
}

/// One data message as it may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sendable {
    /// `byte 94 · uint32 recipient channel · uint32 0`: the length goes into the last four bytes.
    pub header: [u8; 9],
    /// Most bytes of data in one message; at least 1.
    pub max: usize,
    /// Most bytes of data in all messages, until the peer takes more; at least `max`.
    pub window: usize,
}

impl Sendable {
    /// The header of a message with `len` bytes of data.
    pub fn header_for(&self, len: usize) -> [u8; 9] {
        let mut header = self.header;
        header[5..].copy_from_slice(&(len as u32).to_be_bytes());
        header
    }

    /// The header of an extended data message: `byte 95 · uint32 recipient channel · uint32 code · uint32 length`.
    pub fn extended_header_for(&self, data_type_code: u32, len: usize) -> [u8; 13] {
        let mut header = [95; 13];
        header[1..5].copy_from_slice(&self.header[1..5]);
        header[5..9].copy_from_slice(&data_type_code.to_be_bytes());
        header[9..].copy_from_slice(&(len as u32).to_be_bytes());
        header
    }
}

impl Connection {
    /// What may be sent on `channel` in one message. The engine builds it in place and then tells [`sent`](Self::sent).
    ///
    /// # Errors
    /// [`Blocked`] says what to wait for.
    pub fn sendable(&self, channel: Channel) -> Result<Sendable, Blocked> {
        let live = match self.table.get(channel).ok_or(Blocked::Closed)? {
            Entry::Live(live) => live,
            Entry::Opening(opening) if opening.abandoned => return Err(Blocked::Closed),
            Entry::Opening(_) | Entry::Offered(_) => return Err(Blocked::Opening),
        };
        if !live.is_open() {
            return Err(Blocked::Closed);
        }
        if live.send == SendHalf::EofSent {
            return Err(Blocked::EofSent);
        }
        match live.send_window.left().min(live.peer_max_packet).min(self.config.max_packet) {
            0 => Err(Blocked::Window),
            max => Ok(Sendable {
                header: data_header(live.peer.0),
                max: max as usize,
                window: live.send_window.left() as usize,
            }),
        }
    }

    /// `len` bytes, at most what `sendable` allowed, were put into a message.
    pub fn sent(&mut self, channel: Channel, len: usize) {
        if let Some(Entry::Live(live)) = self.table.get_mut(channel) {
            live.send_window.debit(narrow(len));
        }
    }

    /// `len` bytes of what came on `channel` have left memory at `now_ms`, by any clock that does not go back.
    ///
    /// Data the application throws away is delivered too. Nothing else refills the window.
    pub fn delivered(&mut self, channel: Channel, len: usize, now_ms: u64) {
        let start = self.budget.start(self.table.len(), self.config.initial_window);
        let Some(Entry::Live(live)) = self.table.get_mut(channel) else { return };
        let window = &mut live.recv_window;
        let before = window.held();
        let delivered = window.deliver(narrow(len));
        self.budget.change(before, window.held());
        live.pace.note(delivered, now_ms, self.round_trip.least_ms());
        if live.send == SendHalf::Closed || live.recv != RecvHalf::Open {
            return;
        }
        let room = self.budget.room(window.held()).min(live.pace.target(start));
        let grant = window.due(room, self.config.max_packet);
        if grant > 0 {
            self.budget.change(window.held(), window.held() + grant);
            window.grant(grant);
            let recipient_channel = live.peer.0;
            self.out.answer(&ChannelWindowAdjust { recipient_channel, bytes_to_add: grant });
        }
    }

    pub(crate) fn handle_data(&mut self, payload: &[u8]) -> Result<Option<Event>, Violation> {
        let data = decode::<ChannelData<'_>>(payload)?;
        let len = data.data.len();
        let channel = self.receive(data.recipient_channel, len)?;
        Ok(channel.map(|channel| Event::Data { channel, offset: payload.len() - len, len }))
    }

    pub(crate) fn handle_extended_data(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        let data = decode::<ChannelExtendedData<'_>>(payload)?;
        let (data_type_code, len) = (data.data_type_code, data.data.len());
        let channel = self.receive(data.recipient_channel, len)?;
        let offset = payload.len() - len;
        Ok(channel.map(|channel| Event::ExtendedData { channel, data_type_code, offset, len }))
    }

    /// Debits what came; none if there is nothing to hand on.
    fn receive(&mut self, number: u32, len: usize) -> Result<Option<Channel>, Violation> {
        let (channel, live, _) = step(&mut self.table, number, RecvStep::Data)?;
        // Sent before the peer saw our CLOSE: of no interest any more. RFC 4254 §5.3.
        if live.send == SendHalf::Closed {
            return Ok(None);
        }
        let len = narrow(len);
        if len > self.config.max_packet {
            return Err(Violation::PacketTooLarge { channel: channel.number, len });
        }
        let overrun = |by| Violation::WindowOverrun { channel: channel.number, by };
        live.recv_window.receive(len).map_err(overrun)?;
        Ok((len > 0).then_some(channel))
    }

    /// An adjust for a channel that is closed on the peer's side, or gone, is let pass as OpenSSH does: some
    /// peers send it for the last bytes they read, and it does nothing.
    pub(crate) fn handle_window_adjust(
        &mut self,
        payload: &[u8],
    ) -> Result<Option<Event>, Violation> {
        let adjust = decode::<ChannelWindowAdjust>(payload)?;
        let (channel, live) = match live(&mut self.table, adjust.recipient_channel) {
            Ok(live) => live,
            Err(Violation::UnknownChannel(_)) => return Ok(None),
            Err(violation) => return Err(violation),
        };
        if !live.send_window.credit(adjust.bytes_to_add) {
            return Err(Violation::AdjustOverflow(channel.number));
        }
        let sending = live.is_open() && live.send == SendHalf::Open;
        Ok(sending.then_some(Event::WindowAdjusted { channel }))
    }
}

fn data_header(recipient_channel: u32) -> [u8; 9] {
    let mut header = [94, 0, 0, 0, 0, 0, 0, 0, 0];
    header[1..5].copy_from_slice(&recipient_channel.to_be_bytes());
    header
}

/// A message's data is never longer than its 32-bit length field.
fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

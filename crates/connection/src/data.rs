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

/// What a window is at most in company on a short path: 100 MiB/s over a millisecond.
const COMPANY_WINDOW: u32 = 128 * 1024;

/// What a window is at most on a short path to a peer that reads ahead. With more each GiB costs OpenSSH more; half of
/// it brought nothing.
const READ_AHEAD_WINDOW: u32 = 1 << 20;

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
        self.budget.release(before, window.held());
        live.pace.note(delivered, now_ms, self.round_trip.least_ms(), start);
        self.busy.note(&mut live.pace, now_ms);
        if live.send == SendHalf::Closed || live.recv != RecvHalf::Open {
            return;
        }
        let busy = self.busy.count();
        let short = self.round_trip.is_short();
        let target = if short && busy > 1 {
            // Another channel's byte waits behind all that is under way: no more of that than keeps both ends at work.
            let wish = self.config.initial_window.min(COMPANY_WINDOW);
            self.budget.start(busy, wish).max(self.config.max_packet)
        } else if self.round_trip.drains(now_ms) {
            // The target is twice what the path holds.
            (live.pace.target(start) / 8 * 3).max(start)
        } else if short && self.reads_ahead {
            live.pace.target(start).min(READ_AHEAD_WINDOW)
        } else {
            live.pace.target(start)
        };
        let room = self.budget.room(window.held(), busy).min(target);
        let due = window.due(room, self.config.max_packet);
        let grant = self.budget.draw(window.held(), due);
        if grant > 0 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Config, Side};
    use crate::id::LocalChannel;
    use crate::script::{Script, THEIRS, confirmation, data, direct, encoded};
    use adit_wire::channel::{ChannelClose, ChannelEof, ChannelOpen};
    use adit_wire::{DecodeError, Message};
    use alloc::vec;

    fn adjust(channel: Channel, bytes_to_add: u32) -> ChannelWindowAdjust {
        ChannelWindowAdjust { recipient_channel: channel.number().0, bytes_to_add }
    }

    #[test]
    fn data_is_a_range_of_the_payload() {
        let mut script = Script::client();
        let channel = script.tcp();
        let event = script.hear(&data(channel, b"hello"));
        assert_eq!(event, Some(Event::Data { channel, offset: 9, len: 5 }));
        assert_eq!(script.hear(&data(channel, b"")), None, "nothing to hand on");
    }

    #[test]
    fn extended_data_keeps_its_code_and_counts_on_the_window() {
        let mut script = Script::client();
        let channel = script.tcp();
        let message = |data| ChannelExtendedData {
            recipient_channel: channel.number().0,
            data_type_code: 1,
            data,
        };
        let event = script.hear(&message(b"oops"));
        let expected = Event::ExtendedData { channel, data_type_code: 1, offset: 13, len: 4 };
        assert_eq!(event, Some(expected));
        for _ in 0..7 {
            script.hear_data(channel, 32 << 10);
        }
        let violation = script.hear_badly(&message(&[0; 32 << 10]));
        assert_eq!(violation, Violation::WindowOverrun { channel: channel.number(), by: 4 });
    }

    #[test]
    fn what_is_sendable_is_the_least_of_window_and_packets() {
        let mut script = Script::client();
        let channel = script.opened(&direct(), 100, 64);
        let sendable = script.us.sendable(channel).unwrap();
        assert_eq!(sendable.max, 64);
        let mut message = sendable.header_for(3).to_vec();
        message.extend(b"abc");
        let expected = ChannelData { recipient_channel: THEIRS, data: b"abc" };
        assert_eq!(ChannelData::decode(&message), Ok(expected));
        let mut message = sendable.extended_header_for(1, 3).to_vec();
        message.extend(b"err");
        let expected =
            ChannelExtendedData { recipient_channel: THEIRS, data_type_code: 1, data: b"err" };
        assert_eq!(ChannelExtendedData::decode(&message), Ok(expected));
        script.us.sent(channel, 64);
        assert_eq!(script.us.sendable(channel).unwrap().max, 36);
        script.us.sent(channel, 36);
        assert_eq!(script.us.sendable(channel), Err(Blocked::Window));

        let wide = script.opened(&direct(), u32::MAX, u32::MAX);
        assert_eq!(script.us.sendable(wide).unwrap().max, 32 << 10);
    }

    #[test]
    fn a_window_of_zero_waits_for_an_adjust() {
        let mut script = Script::client();
        let channel = script.opened(&direct(), 0, 32 << 10);
        assert_eq!(script.us.sendable(channel), Err(Blocked::Window));
        assert_eq!(script.hear(&adjust(channel, 5)), Some(Event::WindowAdjusted { channel }));
        assert_eq!(script.us.sendable(channel).unwrap().max, 5);
    }

    #[test]
    fn nothing_is_sendable_before_the_open_is_answered_or_after_the_end() {
        let mut script = Script::client();
        let channel = script.us.open(&direct()).unwrap();
        assert_eq!(script.us.sendable(channel), Err(Blocked::Opening));
        script.hear(&confirmation(channel, THEIRS, 10, 10));
        script.us.send_eof(channel);
        assert_eq!(script.us.sendable(channel), Err(Blocked::EofSent));
        script.us.close(channel);
        assert_eq!(script.us.sendable(channel), Err(Blocked::Closed));
        script.hear(&ChannelClose { recipient_channel: channel.number().0 });
        assert_eq!(script.us.sendable(channel), Err(Blocked::Closed), "a stale handle");
    }

    #[test]
    fn only_what_is_delivered_is_granted_again() {
        let mut script = Script::client();
        let channel = script.tcp();
        for _ in 0..4 {
            script.hear_data(channel, 32 << 10);
        }
        script.expect_silence();
        script.us.delivered(channel, 96 << 10, 0);
        script.expect_silence();
        script.us.delivered(channel, 32 << 10, 0);
        script.expect(&ChannelWindowAdjust { recipient_channel: THEIRS, bytes_to_add: 128 << 10 });
        script.us.delivered(channel, 32 << 10, 0);
        script.expect_silence();
    }

    #[test]
    fn the_window_grows_with_what_a_round_trip_delivers() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.us.note_rtt(100);
        let mut now = 1_000_000;
        script.us.delivered(channel, 0, now);
        let mut window = 256 << 10;
        for _ in 0..3 {
            for _ in 0..window / (32 << 10) {
                script.hear_data(channel, 32 << 10);
            }
            now += 100;
            script.us.delivered(channel, window, now);
            let adjust = ChannelWindowAdjust::decode(&script.said()).unwrap();
            assert_eq!(adjust.bytes_to_add as usize, 4 * window);
            window *= 4;
        }
    }

    /// One channel delivers a mebibyte a millisecond; gives what it holds after so many of them.
    fn pour(script: &mut Script, channel: Channel, now: &mut u64, ms: u64) -> usize {
        for _ in 0..ms {
            *now += 1;
            let mut left = script.granted(channel).min(1 << 20);
            while left > 0 {
                let len = left.min(32 << 10);
                script.hear_data(channel, len);
                script.us.delivered(channel, len, *now);
                left -= len;
            }
            while script.us.outbox().front().is_some() {
                script.us.outbox().pop();
            }
        }
        script.granted(channel)
    }

    #[test]
    fn on_a_short_path_a_window_is_large_alone_and_small_in_company() {
        let mut script = Script::client();
        let (bulk, keys) = (script.tcp(), script.tcp());
        script.us.note_rtt(0);
        let mut now = 1_000_000;
        assert!(pour(&mut script, bulk, &mut now, 200) > 4 << 20);
        script.hear_data(keys, 1);
        script.us.delivered(keys, 1, now);
        assert!(pour(&mut script, bulk, &mut now, 100) <= 128 << 10);
        assert!(pour(&mut script, bulk, &mut now, 3000) > 4 << 20, "the other has gone quiet");
    }

    #[test]
    fn who_reads_ahead_gets_a_small_window_on_a_short_path() {
        for (rtt, least, most) in [(0, 1 << 20, 1 << 20), (50, 4 << 20, 64 << 20)] {
            let mut script = Script::client();
            let bulk = script.tcp();
            script.us.peer_reads_ahead();
            script.us.note_rtt(rtt);
            let window = pour(&mut script, bulk, &mut 1_000_000, 1000);
            assert!((least..=most).contains(&window), "{rtt} ms: {window}");
        }
    }

    #[test]
    fn who_is_gone_is_no_company() {
        let mut script = Script::client();
        let (bulk, keys) = (script.tcp(), script.tcp());
        script.us.note_rtt(0);
        let mut now = 1_000_000;
        pour(&mut script, bulk, &mut now, 200);
        script.hear_data(keys, 1);
        script.us.delivered(keys, 1, now);
        script.us.close(keys);
        script.hear(&ChannelClose { recipient_channel: keys.number().0 });
        assert!(pour(&mut script, bulk, &mut now, 100) > 4 << 20);
    }

    #[test]
    fn on_a_longer_path_company_does_not_narrow_a_window() {
        for rtt in [5, 50] {
            let mut script = Script::client();
            let (bulk, keys) = (script.tcp(), script.tcp());
            script.us.note_rtt(rtt);
            let mut now = 1_000_000;
            pour(&mut script, bulk, &mut now, 1000);
            script.hear_data(keys, 1);
            script.us.delivered(keys, 1, now);
            assert!(pour(&mut script, bulk, &mut now, 100) > 4 << 20, "{rtt} ms");
        }
    }

    #[test]
    fn nothing_is_granted_after_eof() {
        let mut script = Script::client();
        let channel = script.tcp();
        for _ in 0..8 {
            script.hear_data(channel, 32 << 10);
        }
        script.hear(&ChannelEof { recipient_channel: channel.number().0 });
        script.us.delivered(channel, 256 << 10, 0);
        script.expect_silence();
        assert_eq!(script.us.budget.used(), 0);
    }

    #[test]
    fn data_beyond_the_window_is_a_violation() {
        let mut config = Config::new(Side::Client);
        config.initial_window = 10;
        let mut script = Script { us: Connection::new(config) };
        let channel = script.tcp();
        script.hear_data(channel, 10);
        let violation = script.hear_badly(&data(channel, b"x"));
        assert_eq!(violation, Violation::WindowOverrun { channel: channel.number(), by: 1 });
    }

    /// OpenSSH drops such a message and goes on with a hole in the data; a connection that ends is better.
    #[test]
    fn data_larger_than_our_maximum_packet_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.hear_data(channel, 32 << 10);
        let len = (32 << 10) + 1;
        let violation = script.hear_badly(&data(channel, &vec![0; len]));
        let expected = Violation::PacketTooLarge { channel: channel.number(), len: len as u32 };
        assert_eq!(violation, expected);
    }

    #[test]
    fn data_after_eof_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.hear(&ChannelEof { recipient_channel: channel.number().0 });
        let violation = script.hear_badly(&data(channel, b"x"));
        assert_eq!(violation, Violation::DataAfterEof(channel.number()));
    }

    #[test]
    fn data_after_close_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.hear(&ChannelClose { recipient_channel: channel.number().0 });
        let violation = script.hear_badly(&data(channel, b"x"));
        assert_eq!(violation, Violation::AfterClose(channel.number()));
    }

    #[test]
    fn data_for_a_channel_that_is_not_open_is_a_violation() {
        let mut script = Script::client();
        let data = ChannelData { recipient_channel: 9, data: b"x" };
        assert_eq!(script.hear_badly(&data), Violation::UnknownChannel(LocalChannel(9)));
    }

    #[test]
    fn data_before_the_open_is_answered_is_a_violation() {
        let mut script = Script::client();
        let channel = script.us.open(&direct()).unwrap();
        let violation = script.hear_badly(&data(channel, b"x"));
        assert_eq!(violation, Violation::NotYetOpen(channel.number()));
    }

    #[test]
    fn data_for_what_the_peer_asked_and_we_did_not_answer_is_a_violation() {
        let mut script = Script::server();
        let open = ChannelOpen {
            channel_type: "session",
            sender_channel: THEIRS,
            initial_window_size: 0,
            maximum_packet_size: 1,
            data: adit_wire::Rest(b""),
        };
        let Some(Event::Open { channel, .. }) = script.hear(&open) else { panic!() };
        assert_eq!(script.us.sendable(channel), Err(Blocked::Opening));
        let violation = script.hear_badly(&data(channel, b"x"));
        assert_eq!(violation, Violation::UnknownChannel(channel.number()));
    }

    #[test]
    fn data_after_our_close_is_ignored_until_theirs() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.us.close(channel);
        for _ in 0..100 {
            assert_eq!(script.hear_data(channel, 32 << 10), None);
        }
        assert_eq!(script.hear(&ChannelEof { recipient_channel: channel.number().0 }), None);
        let close = ChannelClose { recipient_channel: channel.number().0 };
        let closed = Event::Closed { channel, eof_seen: true };
        assert_eq!(script.hear(&close), Some(closed));
        assert_eq!(script.us.channels(), 0);
    }

    #[test]
    fn an_adjust_past_u32_max_is_a_violation() {
        let mut script = Script::client();
        let channel = script.opened(&direct(), u32::MAX, 1);
        assert_eq!(script.hear(&adjust(channel, 0)), Some(Event::WindowAdjusted { channel }));
        let violation = script.hear_badly(&adjust(channel, 1));
        assert_eq!(violation, Violation::AdjustOverflow(channel.number()));
    }

    #[test]
    fn an_adjust_for_a_channel_that_is_gone_is_let_pass() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.us.close(channel);
        assert_eq!(script.hear(&adjust(channel, 1)), None);
        script.hear(&ChannelClose { recipient_channel: channel.number().0 });
        assert_eq!(script.hear(&adjust(channel, 1)), None);
        let waiting = script.us.open(&direct()).unwrap();
        let violation = script.hear_badly(&adjust(waiting, 1));
        assert_eq!(violation, Violation::NotYetOpen(waiting.number()));
    }

    #[test]
    fn an_adjust_after_our_eof_wakes_nobody() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.us.send_eof(channel);
        assert_eq!(script.hear(&adjust(channel, 1)), None);
    }

    #[test]
    fn a_data_length_that_is_not_the_messages_is_malformed() {
        let mut script = Script::client();
        let channel = script.tcp();
        let mut payload = encoded(&data(channel, b"abc"));
        for (len, error) in [
            (0x7fff_ffff_u32, DecodeError::Truncated),
            (u32::MAX, DecodeError::Truncated),
            (4, DecodeError::Truncated),
            (2, DecodeError::TrailingBytes),
        ] {
            payload[5..9].copy_from_slice(&len.to_be_bytes());
            let mut us = Script::client().us;
            assert_eq!(us.handle(&payload), Err(Violation::Malformed { number: 94, error }));
        }
    }

    #[test]
    fn a_stale_handle_changes_nothing() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.us.close(channel);
        script.hear(&ChannelClose { recipient_channel: channel.number().0 });
        let again = script.tcp();
        assert_eq!(again.number(), channel.number());
        script.said();
        script.us.sent(channel, 5);
        script.us.delivered(channel, 5, 0);
        script.us.send_eof(channel);
        script.us.close(channel);
        script.expect_silence();
        assert!(script.us.sendable(again).is_ok());
    }
}

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
                self.budget.release(held, 0);
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
        self.budget.release(held, 0);
        self.free_if_done(channel);
    }

    /// Frees the number once neither side will speak of it again.
    fn free_if_done(&mut self, channel: Channel) {
        let Some(Entry::Live(live)) = self.table.get(channel) else { return };
        if live.send == SendHalf::Closed && live.recv == RecvHalf::Closed {
            self.busy.forget(live.pace);
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
        self.budget.release(held, live.recv_window.held());
        Ok((channel, before))
    }

    fn sent_close(&self, channel: Channel) -> bool {
        matches!(self.table.get(channel), Some(Entry::Live(live)) if live.send == SendHalf::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Blocked;
    use crate::script::{Script, THEIRS, confirmation, direct};
    use adit_wire::channel::ChannelOpenFailure;

    fn eof(channel: Channel) -> ChannelEof {
        ChannelEof { recipient_channel: channel.number().0 }
    }

    fn close(channel: Channel) -> ChannelClose {
        ChannelClose { recipient_channel: channel.number().0 }
    }

    const OUR_EOF: ChannelEof = ChannelEof { recipient_channel: THEIRS };
    const OUR_CLOSE: ChannelClose = ChannelClose { recipient_channel: THEIRS };

    #[test]
    fn their_eof_leaves_our_direction_open() {
        let mut script = Script::client();
        let channel = script.tcp();
        assert_eq!(script.hear(&eof(channel)), Some(Event::Eof { channel }));
        assert!(script.us.sendable(channel).is_ok());
        script.expect_silence();
    }

    #[test]
    fn our_eof_leaves_their_direction_open() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.us.send_eof(channel);
        script.us.send_eof(channel);
        script.expect(&OUR_EOF);
        script.expect_silence();
        for _ in 0..8 {
            assert!(script.hear_data(channel, 32 << 10).is_some());
        }
        script.us.delivered(channel, 256 << 10, 0);
        script.said();
        assert_eq!(script.hear(&eof(channel)), Some(Event::Eof { channel }));
    }

    #[test]
    fn eof_twice_says_nothing_new() {
        let mut script = Script::client();
        let channel = script.tcp();
        assert_eq!(script.hear(&eof(channel)), Some(Event::Eof { channel }));
        assert_eq!(script.hear(&eof(channel)), None);
    }

    #[test]
    fn crossing_eofs_end_neither_side_before_close() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.us.send_eof(channel);
        script.hear(&eof(channel));
        assert_eq!(script.us.channels(), 1);
        script.us.close(channel);
        script.expect(&OUR_EOF);
        script.expect(&OUR_CLOSE);
        let closed = Event::Closed { channel, eof_seen: true };
        assert_eq!(script.hear(&close(channel)), Some(closed));
        assert_eq!(script.us.channels(), 0);
        script.expect_silence();
    }

    #[test]
    fn a_close_without_eof_is_told_from_an_end() {
        let mut script = Script::client();
        let (cut, ended) = (script.tcp(), script.tcp());
        let expected = Event::Closed { channel: cut, eof_seen: false };
        assert_eq!(script.hear(&close(cut)), Some(expected));
        script.hear(&eof(ended));
        let expected = Event::Closed { channel: ended, eof_seen: true };
        assert_eq!(script.hear(&close(ended)), Some(expected));
    }

    #[test]
    fn their_close_waits_for_ours_until_what_came_is_dealt_with() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.hear_data(channel, 1000);
        script.hear(&close(channel));
        script.expect_silence();
        assert_eq!(script.us.sendable(channel), Err(Blocked::Closed));
        script.us.send_eof(channel);
        script.us.delivered(channel, 1000, 0);
        script.expect_silence();
        script.us.close(channel);
        script.expect(&OUR_CLOSE);
        script.us.close(channel);
        script.expect_silence();
        assert_eq!(script.us.channels(), 0);
    }

    #[test]
    fn our_close_crossing_their_eof_gives_one_closed_event() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.us.close(channel);
        assert_eq!(script.hear(&eof(channel)), None);
        assert!(matches!(script.hear(&close(channel)), Some(Event::Closed { .. })));
        script.expect(&OUR_CLOSE);
        script.expect_silence();
        assert_eq!(script.us.channels(), 0);
    }

    #[test]
    fn close_twice_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.hear(&close(channel));
        assert_eq!(script.hear_badly(&close(channel)), Violation::AfterClose(channel.number()));
    }

    #[test]
    fn eof_after_close_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.hear(&close(channel));
        assert_eq!(script.hear_badly(&eof(channel)), Violation::AfterClose(channel.number()));
    }

    #[test]
    fn close_of_a_channel_gone_is_a_violation() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.us.close(channel);
        script.hear(&close(channel));
        assert_eq!(script.hear_badly(&close(channel)), Violation::UnknownChannel(channel.number()));
    }

    #[test]
    fn an_open_given_up_is_closed_as_soon_as_it_is_confirmed() {
        let mut script = Script::client();
        let channel = script.us.open(&direct()).unwrap();
        script.said();
        script.us.close(channel);
        script.expect_silence();
        assert_eq!(script.us.sendable(channel), Err(Blocked::Closed));
        assert_eq!(script.hear(&confirmation(channel, THEIRS, 1, 1)), None);
        script.expect(&OUR_CLOSE);
        assert_eq!(script.hear_data(channel, 100), None);
        assert!(matches!(script.hear(&close(channel)), Some(Event::Closed { .. })));
        assert_eq!((script.us.channels(), script.us.budget.used()), (0, 0));
    }

    #[test]
    fn an_open_given_up_and_refused_is_gone() {
        let mut script = Script::client();
        let channel = script.us.open(&direct()).unwrap();
        script.us.close(channel);
        let failure = ChannelOpenFailure {
            recipient_channel: channel.number().0,
            reason_code: 2,
            description: b"no",
            language_tag: b"",
        };
        assert!(matches!(script.hear(&failure), Some(Event::OpenFailed { .. })));
        assert_eq!((script.us.channels(), script.us.budget.used()), (0, 0));
    }

    #[test]
    fn closing_frees_what_the_channel_held() {
        let mut script = Script::client();
        let channel = script.tcp();
        script.hear_data(channel, 1000);
        assert!(script.us.budget.used() > 0);
        script.us.close(channel);
        assert_eq!(script.us.budget.used(), 0);
        script.us.delivered(channel, 1000, 0);
        assert_eq!(script.us.budget.used(), 0);
    }

    #[test]
    fn eof_and_close_free_what_the_peer_did_not_use() {
        for close_too in [false, true] {
            let mut script = Script::client();
            let channel = script.tcp();
            script.hear_data(channel, 5000);
            match close_too {
                true => script.hear(&close(channel)),
                false => script.hear(&eof(channel)),
            };
            assert!((1..=5000).contains(&script.us.budget.used()));
            script.us.delivered(channel, 5000, 0);
            assert_eq!(script.us.budget.used(), 0);
        }
    }

    #[test]
    fn ten_thousand_opens_and_closes_leave_nothing_behind() {
        let mut script = Script::client();
        for round in 0..10_000 {
            let channel = script.tcp();
            script.us.send_eof(channel);
            script.us.close(channel);
            script.said();
            script.said();
            script.hear(&close(channel));
            assert_eq!(channel.number().0, 0, "round {round}");
        }
        let script = script.us;
        assert_eq!((script.channels(), script.peers.len(), script.budget.used()), (0, 0, 0));
    }
}

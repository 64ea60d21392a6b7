//! The two windows of a channel: what we may send, what the peer may send. RFC 4254 §5.2.
//! Touches: counts of bytes.   Never: how large a window should be (that is `budget`), messages.
//! Invariants: neither goes below zero or past 2^32 - 1; `granted + undelivered` is all the peer can make us hold.
//! Errors: `Option`/`Result` that the caller names as a `Violation`.   Allocates: never.
//! Proved by: `tests` below, `pair`.

/// What the peer takes: it shrinks by what we send and grows by WINDOW_ADJUST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendWindow(u32);

impl SendWindow {
    pub(crate) const fn new(initial_window_size: u32) -> Self {
        Self(initial_window_size)
    }

    /// Bytes we may send.
    pub(crate) const fn left(self) -> u32 {
        self.0
    }

    /// WINDOW_ADJUST; false if it would pass 2^32 - 1.
    pub(crate) fn credit(&mut self, bytes_to_add: u32) -> bool {
        let sum = self.0.checked_add(bytes_to_add);
        self.0 = sum.unwrap_or(self.0);
        sum.is_some()
    }

    /// Data was sent.
    pub(crate) fn debit(&mut self, sent: u32) {
        debug_assert!(sent <= self.0, "sent beyond the window");
        self.0 = self.0.saturating_sub(sent);
    }
}

/// What we take: granted bytes become undelivered ones, and these, once delivered, may be granted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecvWindow {
    granted: u32,
    undelivered: u32,
    /// Delivered since the last adjust.
    delivered: u32,
}

impl RecvWindow {
    pub(crate) const fn new(granted: u32) -> Self {
        Self { granted, undelivered: 0, delivered: 0 }
    }

    /// All that the peer has made us hold or may still make us hold.
    pub(crate) const fn held(self) -> u32 {
        self.granted.saturating_add(self.undelivered)
    }

    /// What the peer may still send.
    pub(crate) const fn granted(self) -> u32 {
        self.granted
    }

    /// What came and was not delivered yet.
    #[cfg(test)]
    pub(crate) const fn undelivered(self) -> u32 {
        self.undelivered
    }

    /// Data came; the bytes beyond the window if it is overrun.
    pub(crate) fn receive(&mut self, len: u32) -> Result<(), u32> {
        self.granted = self.granted.checked_sub(len).ok_or_else(|| len - self.granted)?;
        self.undelivered = self.undelivered.saturating_add(len);
        Ok(())
    }

    /// Data has left memory. Never more than what came.
    pub(crate) fn deliver(&mut self, len: u32) -> u32 {
        let len = len.min(self.undelivered);
        self.undelivered -= len;
        self.delivered = self.delivered.saturating_add(len);
        len
    }

    /// What to grant now that the channel may hold `room` bytes; often nothing yet.
    ///
    /// More than three packets and a twelfth of a large window, or half of any: rarer adjusts leave the peer waiting,
    /// more frequent ones cost both ends a packet and a wake-up for little. What is held without being delivered
    /// counts as granted, so a slow reader does not get an adjust for each byte it takes. A window grows as the path
    /// fills, not at once: sshd reads all that it may send into one buffer, and copies that whole for each 32 KiB more.
    pub(crate) fn due(self, room: u32, max_packet: u32) -> u32 {
        let ungranted = room.saturating_sub(self.held());
        let part = (room / ADJUST_PART).min(ADJUST_MOST);
        let worth_a_packet = ungranted > ADJUST_PACKETS.saturating_mul(max_packet).max(part);
        let due = worth_a_packet || ungranted >= room.div_ceil(2);
        if due { ungranted.min(GROWTH.saturating_mul(self.delivered).max(max_packet)) } else { 0 }
    }

    /// The adjust is sent.
    pub(crate) fn grant(&mut self, bytes: u32) {
        self.granted = self.granted.saturating_add(bytes);
        self.delivered = 0;
    }

    /// The peer has said that it sends no more: what it did not use is free.
    pub(crate) fn end(&mut self) {
        self.granted = 0;
    }
}

/// An adjust goes out once more than this many maximum packets may be granted,
const ADJUST_PACKETS: u32 = 3;
/// and more than one in so many of the window's bytes,
const ADJUST_PART: u32 = 12;
/// of which no more than these count: the peer sends what is granted at once, into the queue of the line.
const ADJUST_MOST: u32 = 512 * 1024;
/// At most so many bytes are granted for each that was delivered, or one packet.
const GROWTH: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_window_of_zero_waits_for_an_adjust() {
        let mut window = SendWindow::new(0);
        assert_eq!(window.left(), 0);
        assert!(window.credit(5));
        window.debit(3);
        assert_eq!(window.left(), 2);
    }

    #[test]
    fn an_adjust_may_reach_the_maximum_but_not_pass_it() {
        let mut window = SendWindow::new(1);
        assert!(window.credit(u32::MAX - 1));
        assert_eq!(window.left(), u32::MAX);
        assert!(window.credit(0));
        assert!(!window.credit(1));
        assert_eq!(window.left(), u32::MAX);
    }

    #[test]
    fn what_is_received_is_held_until_delivered() {
        let mut window = RecvWindow::new(100);
        assert_eq!(window.receive(60), Ok(()));
        assert_eq!((window.granted(), window.undelivered(), window.held()), (40, 60, 100));
        assert_eq!(window.deliver(50), 50);
        assert_eq!(window.held(), 50);
        assert_eq!(window.deliver(50), 10, "never more than what came");
    }

    #[test]
    fn one_byte_beyond_the_window_is_an_overrun() {
        let mut window = RecvWindow::new(10);
        assert_eq!(window.receive(11), Err(1));
        assert_eq!(window.receive(10), Ok(()));
        assert_eq!(window.receive(1), Err(1));
    }

    #[test]
    fn a_grant_is_due_beyond_three_packets_or_from_half_the_window() {
        let mut window = RecvWindow::new(100);
        assert_eq!(window.receive(50), Ok(()));
        assert_eq!(window.due(100, 10), 0, "received, not delivered");
        window.deliver(30);
        assert_eq!(window.due(100, 10), 0, "three packets are not more than three");
        window.deliver(1);
        assert_eq!(window.due(100, 10), 31);
        assert_eq!(window.due(100, 1000), 0, "less than half");
        window.deliver(19);
        assert_eq!(window.due(100, 1000), 50, "half");
    }

    #[test]
    fn a_large_window_is_granted_a_twelfth_at_a_time_and_half_a_mebibyte_at_most() {
        for (room, step) in [(1200, 101), (80_000_000, ADJUST_MOST + 1)] {
            let mut window = RecvWindow::new(room);
            assert_eq!(window.receive(step), Ok(()));
            window.deliver(step - 1);
            assert_eq!(window.due(room, 10), 0);
            window.deliver(1);
            assert_eq!(window.due(room, 10), step);
        }
    }

    #[test]
    fn a_window_grows_by_four_for_each_byte_delivered() {
        let mut window = RecvWindow::new(100);
        assert_eq!(window.receive(50), Ok(()));
        window.deliver(50);
        assert_eq!(window.due(10_000, 10), 200);
        window.grant(200);
        assert_eq!(window.due(10_000, 10), 10, "nothing new was delivered: one packet");
    }

    #[test]
    fn a_slow_reader_costs_no_adjust_per_byte() {
        let mut window = RecvWindow::new(100);
        assert_eq!(window.receive(100), Ok(()));
        let mut adjusts = 0;
        for _ in 0..100 {
            window.deliver(1);
            let grant = window.due(100, 32);
            window.grant(grant);
            adjusts += u32::from(grant > 0);
        }
        assert_eq!(adjusts, 2);
    }

    #[test]
    fn an_empty_window_is_always_refilled_as_soon_as_there_is_room() {
        assert_eq!(RecvWindow::new(0).due(1, 32), 1);
        assert_eq!(RecvWindow::new(0).due(0, 32), 0);
    }
}

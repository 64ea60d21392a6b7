//! Windows on simulated paths: a bulk stream through a line of some rate and delay, in steps of a millisecond.
//! Touches: two connections, a queue in front of the line.   Never: a real clock.
//! Invariants: the sender always has data and the receiver always delivers, so only the window and the line limit.
//! Errors: a failed test.   Allocates: freely.
//! Proved by: this is the proof.

use crate::connection::{Config, Connection, Side};
use crate::event::Event;
use crate::id::Channel;
use crate::open::Open;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

const MIB: u64 = 1 << 20;

/// A stream over a line, and how it went.
struct Path {
    sender: Connection,
    receiver: Connection,
    from: Channel,
    to: Channel,
    /// Data waiting for the line.
    queue: VecDeque<usize>,
    queued: u64,
    /// On its way: when it arrives, and what.
    data: VecDeque<(u64, usize)>,
    adjusts: VecDeque<(u64, Vec<u8>)>,
    payload: Vec<u8>,
    now: u64,
    delivered: u64,
    longest_queue: u64,
}

impl Path {
    fn new(receiver: Config) -> Self {
        let mut sender = Connection::new(Config::new(Side::Client));
        let mut receiver = Connection::new(receiver);
        let from = sender.open(&Open::direct_tcpip("a", 1, "b", 2)).unwrap();
        let opened = receiver.handle(sender.outbox().front().unwrap());
        let Ok(Some(Event::Open { channel: to, .. })) = opened else { panic!() };
        receiver.accept(to);
        sender.handle(receiver.outbox().front().unwrap()).unwrap();
        sender.outbox().pop();
        receiver.outbox().pop();
        Self {
            sender,
            receiver,
            from,
            to,
            queue: VecDeque::new(),
            queued: 0,
            data: VecDeque::new(),
            adjusts: VecDeque::new(),
            payload: vec![0; 9 + (32 << 10)],
            now: 1_000_000,
            delivered: 0,
            longest_queue: 0,
        }
    }

    /// Runs for `ms` over a line of `rate` bytes per millisecond; gives what came through in that time.
    fn run(&mut self, ms: u64, rate: u64, rtt: u64) -> u64 {
        let (before, end) = (self.delivered, self.now + ms);
        self.longest_queue = 0;
        while self.now < end {
            self.now += 1;
            self.hear_adjusts();
            self.send();
            self.carry(rate, rtt);
            self.receive(rtt);
        }
        self.delivered - before
    }

    fn hear_adjusts(&mut self) {
        while self.adjusts.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, adjust) = self.adjusts.pop_front().unwrap();
            self.sender.handle(&adjust).unwrap();
        }
    }

    fn send(&mut self) {
        while let Ok(sendable) = self.sender.sendable(self.from) {
            self.sender.sent(self.from, sendable.max);
            self.queue.push_back(sendable.max);
            self.queued += sendable.max as u64;
        }
    }

    /// The line takes `rate` bytes; the rest waits.
    fn carry(&mut self, rate: u64, rtt: u64) {
        let mut room = rate;
        while let Some(front) = self.queue.front_mut() {
            let len = (*front as u64).min(room);
            if len == 0 {
                break;
            }
            *front -= len as usize;
            room -= len;
            self.queued -= len;
            self.data.push_back((self.now + rtt / 2, len as usize));
            if *front == 0 {
                self.queue.pop_front();
            }
        }
        self.longest_queue = self.longest_queue.max(self.queued);
    }

    fn receive(&mut self, rtt: u64) {
        while self.data.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, len) = self.data.pop_front().unwrap();
            let header = self.header(len);
            self.payload[..9].copy_from_slice(&header);
            self.receiver.handle(&self.payload[..9 + len]).unwrap();
            self.receiver.delivered(self.to, len, self.now);
            self.delivered += len as u64;
        }
        while let Some(adjust) = self.receiver.outbox().front() {
            self.adjusts.push_back((self.now + rtt / 2, adjust.to_vec()));
            self.receiver.outbox().pop();
        }
    }

    fn header(&self, len: usize) -> [u8; 9] {
        let mut header = [94, 0, 0, 0, 0, 0, 0, 0, 0];
        header[1..5].copy_from_slice(&self.to.number().0.to_be_bytes());
        header[5..].copy_from_slice(&(len as u32).to_be_bytes());
        header
    }
}

#[test]
fn a_long_path_is_filled_within_the_default_budget() {
    for (rtt, rate) in [(50, 164 * MIB / 1000), (100, 244 * MIB / 1000), (200, 155 * MIB / 1000)] {
        let mut path = Path::new(Config::new(Side::Server));
        path.receiver.note_rtt(rtt as u32);
        path.run(15 * rtt, rate, rtt);
        let carried = path.run(2000, rate, rtt);
        let share = carried * 100 / (2000 * rate);
        assert!(share >= 95, "{rtt} ms: {share} %");
    }
}

/// Round trips until a path of 24 MiB is full, as near as makes no difference.
#[test]
fn a_window_that_limits_doubles_with_each_round_trip() {
    let (rtt, rate) = (200, 120 * MIB / 1000);
    let mut path = Path::new(Config::new(Side::Server));
    path.receiver.note_rtt(rtt as u32);
    let full = (1..).find(|_| path.run(rtt, rate, rtt) * 10 >= rtt * rate * 9).unwrap();
    assert!(full <= 10, "{full}");
}

/// What is measured while a queue stands counts the queue in, for a minute.
#[test]
fn a_standing_queue_does_not_feed_itself() {
    let (rtt, rate) = (20, 12_500);
    let mut path = Path::new(Config::new(Side::Server));
    path.receiver.note_rtt(rtt as u32);
    let mut carried = 0;
    for _ in 0..300 {
        carried += path.run(200, rate, rtt);
        path.receiver.note_rtt((rtt + path.queued / rate) as u32);
    }
    assert!(carried * 100 >= 300 * 200 * rate * 97, "{carried}");
    let wait = path.longest_queue / rate;
    assert!(wait <= rtt + 10, "{wait} ms");
}

#[test]
fn no_queue_longer_than_a_round_trip_stands_before_a_thin_line() {
    let (rtt, rate) = (20, 12_500);
    let mut path = Path::new(Config::new(Side::Server));
    path.receiver.note_rtt(rtt as u32);
    path.run(5000, rate, rtt);
    let carried = path.run(5000, rate, rtt);
    assert!(carried * 100 / (5000 * rate) >= 99);
    let wait = path.longest_queue / rate;
    assert!(wait <= rtt + 10, "{wait} ms");
}

#[test]
fn the_queue_before_a_line_that_got_thinner_goes_down() {
    let rtt = 20;
    let mut path = Path::new(Config::new(Side::Server));
    path.receiver.note_rtt(rtt as u32);
    path.run(3000, 125_000, rtt);
    path.run(5000, 12_500, rtt);
    path.run(1000, 12_500, rtt);
    let wait = path.longest_queue / 12_500;
    assert!(wait <= rtt + 10, "{wait} ms");
}

#[test]
fn without_a_measured_round_trip_the_path_is_filled_all_the_same() {
    let (rtt, rate) = (100, 50_000);
    let mut path = Path::new(Config::new(Side::Server));
    path.run(3000, rate, rtt);
    assert!(path.run(2000, rate, rtt) * 100 / (2000 * rate) >= 95);
}

#[test]
fn a_budget_of_four_mebibytes_bounds_the_window() {
    let mut config = Config::new(Side::Server);
    (config.memory_budget, config.max_channels) = (4 * MIB, 1000);
    let mut path = Path::new(config);
    let (rtt, rate) = (100, 1_000_000);
    path.receiver.note_rtt(rtt as u32);
    path.run(3000, rate, rtt);
    let window = path.run(2000, rate, rtt) * rtt / 2000;
    assert!((2 * MIB..4 * MIB).contains(&window), "{window}");
}

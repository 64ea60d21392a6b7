//! How large a window may be: twice what the path carries, out of one budget for all channels. RFC 4254 §5.2.
//! Touches: counts of bytes, milliseconds passed in.   Never: a clock, messages, a single channel's books.
//! Invariants: what all channels hold stays within the limit, and within the purses that connections share; every
//! channel may always hold `floor`.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below, `purse::tests`, `pair`, `path`.
//!
//! Grants are never taken back, they are given late: a channel whose room has shrunk gets its next adjust
//! only once it holds less than that room.

use crate::purse::Purse;
use alloc::sync::Arc;

/// Parts of the limit kept back so that every channel can have its floor: one in this many.
const FLOOR_PART: u64 = 8;
/// A channel may hold this many times what is free. One channel alone gets two thirds of the budget,
/// n busy ones come to equal shares, and a part stays free for the next to come.
const SHARE: u64 = 2;
/// The n-th channel starts with at most 1/(16 n) of the budget: ten thousand idle ones leave a third of it.
const START_PART: u64 = 16;
/// Shorter measurements are noise where time has steps of a millisecond.
const LEAST_PERIOD_MS: u32 = 8;
/// The round trip until one is measured.
const ASSUMED_ROUND_TRIP_MS: u32 = 100;
/// Shorter round trips count as this one, in milliseconds. On such a path what a window has to cover is the time
/// until both loops come round to it: less would split mebibytes into many small system calls, and a queue of this
/// length nobody feels, as long as nobody else is there.
const LEAST_ROUND_TRIP_MS: u32 = 8;
/// On a path of at most so many milliseconds a small window carries as much as there is to carry.
const SHORT_MS: u32 = 1;
/// So many measurements in a row above the least, and it may be that the path has become longer.
const DOUBTS: u32 = 48;
/// How long windows are kept short then, beyond a few round trips: long enough that one is measured.
const DRAIN_MS: u64 = 300;

/// The memory all channels of a connection share.
#[derive(Debug)]
pub(crate) struct Budget {
    /// What every channel may hold, whatever the others do.
    floor: u32,
    /// What channels may hold beyond their floors, together.
    shared: u64,
    /// What they do hold beyond their floors.
    used: u64,
    max_channels: u32,
    /// What it shares with other connections.
    purse: Option<Arc<Purse>>,
}

impl Budget {
    pub(crate) fn new(limit: u64, max_channels: u32, max_packet: u32) -> Self {
        let part = limit / FLOOR_PART / u64::from(max_channels.max(1));
        let floor = part.clamp(1, u64::from(max_packet)) as u32;
        let mut budget = Self { floor, shared: 0, used: 0, max_channels, purse: None };
        budget.set_limit(limit);
        budget
    }

    /// Changes the limit; a smaller one is reached as channels deliver.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.shared = limit.saturating_sub(u64::from(self.floor) * u64::from(self.max_channels));
    }

    /// Whatever is held beyond floors is drawn from `purse` from now on.
    pub(crate) fn set_purse(&mut self, purse: Arc<Purse>) {
        let used = self.used;
        self.give_back(used);
        if used > 0 {
            purse.take_over(bytes(used));
            purse.count_drawer(true);
        }
        self.purse = Some(purse);
        self.used = used;
    }

    /// What the next channel starts with, as the `nth` of those open.
    pub(crate) fn start(&self, nth: u32, wish: u32) -> u32 {
        let part = self.shared / START_PART / u64::from(nth.max(1));
        let purses = self.purse.as_ref().map_or(u64::MAX, |purse| purse.start() as u64);
        narrow(u64::from(self.floor) + part.min(self.free()).min(purses)).min(wish)
    }

    /// The most a channel that holds `held` may hold now, as one of `busy`.
    ///
    /// On the way up it takes one of `busy` parts of what it may: else the first would leave nothing to the
    /// others, and with nothing free none could ever grow.
    pub(crate) fn room(&self, held: u32, busy: u32) -> u32 {
        let beyond = self.beyond(held);
        // What it holds is not free for its own share: solves share = SHARE * (free + beyond - share).
        let share = SHARE * (self.free() + beyond) / (SHARE + 1);
        let room = match share.checked_sub(beyond) {
            Some(growth) => beyond + growth / u64::from(busy.max(1)),
            None => share,
        };
        narrow(u64::from(self.floor) + room)
    }

    /// A channel that holds `held` is to hold `more` more; gives how much of it there is. Within its floor, all.
    pub(crate) fn draw(&mut self, held: u32, more: u32) -> u32 {
        let wanted = self.beyond(held.saturating_add(more)) - self.beyond(held);
        let drawn = match &self.purse {
            Some(purse) => {
                let drawn = purse.draw(bytes(wanted)) as u64;
                if self.used == 0 && drawn > 0 {
                    purse.count_drawer(true);
                }
                drawn
            }
            None => wanted,
        };
        self.used += drawn;
        more - narrow(wanted - drawn)
    }

    /// A channel that held `before` holds only `after`.
    pub(crate) fn release(&mut self, before: u32, after: u32) {
        self.give_back(self.beyond(before) - self.beyond(after));
    }

    fn give_back(&mut self, freed: u64) {
        if freed == 0 {
            return;
        }
        self.used -= freed;
        if let Some(purse) = &self.purse {
            purse.give_back(bytes(freed));
            if self.used == 0 {
                purse.count_drawer(false);
            }
        }
    }

    fn free(&self) -> u64 {
        let own = self.shared.saturating_sub(self.used);
        self.purse.as_ref().map_or(own, |purse| own.min(purse.left() as u64))
    }

    pub(crate) fn beyond(&self, held: u32) -> u64 {
        u64::from(held.saturating_sub(self.floor))
    }

    #[cfg(test)]
    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    #[cfg(test)]
    pub(crate) const fn floor(&self) -> u32 {
        self.floor
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.give_back(self.used);
    }
}

/// A draw is part of a window, and windows are 32 bits wide.
fn bytes(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// How many channels deliver anything these days.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy {
    era: u32,
    /// Seen in this era, and in the one before.
    seen: u32,
    seen_before: u32,
}

/// A channel that has delivered nothing for so long is idle.
const ERA_MS: u64 = 1000;

impl Busy {
    pub(crate) const fn new() -> Self {
        Self { era: 0, seen: 0, seen_before: 0 }
    }

    /// A channel delivers; its pace remembers that it was counted.
    pub(crate) fn note(&mut self, pace: &mut Pace, now_ms: u64) {
        let era = (now_ms / ERA_MS) as u32;
        if era != self.era {
            let next = self.era.wrapping_add(1) == era;
            self.seen_before = if next { self.seen } else { 0 };
            (self.era, self.seen) = (era, 0);
        }
        if pace.era != Some(era) {
            pace.before = pace.era.is_some() && pace.era == era.checked_sub(1);
            pace.era = Some(era);
            self.seen += 1;
        }
    }

    /// A channel is gone: nobody waits for its bytes any more.
    pub(crate) fn forget(&mut self, pace: Pace) {
        let before = self.era.checked_sub(1);
        let (now, then) = match pace.era {
            Some(era) if era == self.era => (true, pace.before),
            era => (false, era.is_some() && era == before),
        };
        self.seen = self.seen.saturating_sub(u32::from(now));
        self.seen_before = self.seen_before.saturating_sub(u32::from(then));
    }

    /// Channels that have delivered within this second or the last.
    pub(crate) fn count(self) -> u32 {
        self.seen.max(self.seen_before)
    }
}

/// What one channel delivers, and the window it needs for that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    target: u32,
    /// Delivered since.
    bytes: u32,
    /// Start of the measurement, in milliseconds of a clock that wraps.
    since: u32,
    /// When it was last counted among the busy, and whether it was in the era before that.
    era: Option<u32>,
    before: bool,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self { target: 0, bytes: 0, since: 0, era: None, before: false }
    }

    /// The window the channel needs, as far as is known; at least `start`.
    pub(crate) fn target(self, start: u32) -> u32 {
        self.target.max(start)
    }

    /// `bytes` were delivered. Once a round trip is over: twice what it carried is the target, and four times
    /// if that was about the whole window, which began at `start`. What a larger window carries shows a round trip later, so
    /// that a window which limits doubles with each, and one that does not is held. The way down is an eighth at a
    /// time, so that a pause does not cost what was learnt.
    pub(crate) fn note(&mut self, bytes: u32, now_ms: u64, round_trip_ms: u32, start: u32) {
        self.bytes = self.bytes.saturating_add(bytes);
        let elapsed = (now_ms as u32).wrapping_sub(self.since);
        if elapsed < round_trip_ms.max(LEAST_PERIOD_MS) {
            return;
        }
        let carried = u64::from(self.bytes) * u64::from(round_trip_ms) / u64::from(elapsed);
        let limited = 4 * carried >= 3 * u64::from(self.target(start));
        let wanted = if limited { 4 * carried } else { 2 * carried };
        self.target = narrow(wanted).max(self.target - self.target / 8);
        (self.bytes, self.since) = (0, now_ms as u32);
    }
}

/// The least round trip there was, looked for anew with a short queue when all are longer for a while.
///
/// A window of twice what the path carries has a queue standing before it, and every measurement counts that in. The
/// least of late alone would therefore grow, and the window with it, and the queue with the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrip {
    /// `u32::MAX` until one is measured.
    least: u32,
    /// Whether the least was at most [`SHORT_MS`], within one machine or one room.
    short: bool,
    /// Measurements above it in a row.
    doubts: u32,
    drain: Option<Drain>,
}

/// Windows are short for a while, so that what is measured meanwhile is the path.
#[derive(Clone, Copy, Debug)]
struct Drain {
    until: u64,
    least: u32,
}

impl RoundTrip {
    pub(crate) const fn new() -> Self {
        Self { least: u32::MAX, short: false, doubts: 0, drain: None }
    }

    /// A round trip was measured.
    pub(crate) fn note(&mut self, rtt_ms: u32) {
        let rtt = rtt_ms.max(LEAST_ROUND_TRIP_MS);
        let longer = 8 * u64::from(rtt) > 9 * u64::from(self.least);
        self.doubts = if longer { self.doubts + 1 } else { 0 };
        self.least = self.least.min(rtt);
        self.short |= rtt_ms <= SHORT_MS;
        if let Some(drain) = &mut self.drain {
            drain.least = drain.least.min(rtt);
        }
    }

    /// Whether windows are to be short at `now_ms`.
    pub(crate) fn drains(&mut self, now_ms: u64) -> bool {
        match self.drain {
            Some(drain) if now_ms >= drain.until => {
                self.least = if drain.least == u32::MAX { self.least } else { drain.least };
                self.short &= self.least <= LEAST_ROUND_TRIP_MS;
                (self.doubts, self.drain) = (0, None);
            }
            None if self.doubts >= DOUBTS => {
                let until = now_ms + DRAIN_MS + 4 * u64::from(self.least_ms());
                self.drain = Some(Drain { until, least: u32::MAX });
            }
            _ => {}
        }
        self.drain.is_some()
    }

    /// Whether the path is so short that the queue in front of it is most of what a byte waits for.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }

    pub(crate) fn least_ms(&self) -> u32 {
        if self.least == u32::MAX { ASSUMED_ROUND_TRIP_MS } else { self.least }
    }
}

/// Windows are 32 bits wide.
fn narrow(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const MIB: u64 = 1 << 20;
    const PACKET: u32 = 32 * 1024;

    /// Lets every channel take what it may, round after round, as busy ones do.
    fn settle(budget: &mut Budget, held: &mut [u32]) {
        let busy = held.len() as u32;
        for _ in 0..60 {
            for channel in held.iter_mut() {
                let room = budget.room(*channel, busy);
                if room < *channel {
                    budget.release(*channel, room);
                } else {
                    assert_eq!(budget.draw(*channel, room - *channel), room - *channel);
                }
                *channel = room;
            }
        }
    }

    /// Jain's index of fairness: 1 when all are equal.
    fn jain(held: &[u32]) -> f64 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for held in held {
            sum += f64::from(*held);
            squares += f64::from(*held) * f64::from(*held);
        }
        sum * sum / (held.len() as f64 * squares)
    }

    #[test]
    fn one_channel_alone_gets_two_thirds() {
        let mut budget = Budget::new(64 * MIB, 16_384, PACKET);
        let mut held = [0];
        settle(&mut budget, &mut held);
        let shared = u64::from(held[0]) * 100 / (56 * MIB);
        assert!((65..=67).contains(&shared), "{shared} %");
    }

    #[test]
    fn busy_channels_get_equal_shares_within_the_limit() {
        for n in [2, 10, 1000] {
            let mut budget = Budget::new(64 * MIB, 16_384, PACKET);
            let mut held = vec![0; n];
            settle(&mut budget, &mut held);
            let sum: u64 = held.iter().map(|held| u64::from(*held)).sum();
            assert!(jain(&held) > 0.95, "{n}: {}", jain(&held));
            assert!((36 * MIB..=64 * MIB).contains(&sum), "{n}: {sum}");
        }
    }

    #[test]
    fn late_comers_take_their_shares_from_one_who_had_it_all() {
        let mut budget = Budget::new(64 * MIB, 16_384, PACKET);
        let mut held = vec![0; 100];
        settle(&mut budget, &mut held[..1]);
        let alone = held[0];
        settle(&mut budget, &mut held);
        assert!(held[0] < alone / 20);
        assert!(jain(&held) > 0.95, "{}", jain(&held));
    }

    #[test]
    fn ten_thousand_idle_channels_leave_a_third_for_the_busy_one() {
        let mut budget = Budget::new(64 * MIB, 16_384, PACKET);
        for nth in 1..=10_000 {
            let start = budget.start(nth, 256 * 1024);
            assert!(start >= 512);
            budget.draw(0, start);
        }
        assert!(budget.free() > 56 * MIB / 3, "{} MiB", budget.free() / MIB);
        assert!(u64::from(budget.room(512, 1)) > 12 * MIB);
    }

    #[test]
    fn a_used_up_budget_still_gives_every_channel_its_floor() {
        let mut budget = Budget::new(MIB, 64, PACKET);
        settle(&mut budget, &mut [0; 10]);
        let free = u32::try_from(budget.free()).unwrap();
        budget.draw(0, 2048 + free);
        assert_eq!(budget.start(11, 256 * 1024), 2048);
        assert_eq!(budget.room(0, 10), 2048);
        budget.set_limit(0);
        assert_eq!(budget.free(), 0);
        assert_eq!(budget.start(11, 256 * 1024), 2048);
        assert_eq!(budget.room(0, 10), 2048);
        assert!(
            budget.room(50_000, 10) < 50_000,
            "a large window is not refilled before it is down"
        );
    }

    #[test]
    fn what_is_given_back_is_free_again() {
        let mut budget = Budget::new(MIB, 64, PACKET);
        assert_eq!(budget.draw(0, 100_000), 100_000);
        budget.release(100_000, 40_000);
        budget.release(40_000, 0);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_busy_of_this_second_and_the_last_are_counted_once_each() {
        let mut busy = Busy::new();
        let mut paces = [Pace::new(); 3];
        for now in [5000, 5010] {
            for pace in &mut paces {
                busy.note(pace, now);
            }
        }
        assert_eq!(busy.count(), 3);
        busy.note(&mut paces[0], 6999);
        assert_eq!(busy.count(), 3);
        busy.note(&mut paces[0], 7000);
        assert_eq!(busy.count(), 1);
        busy.note(&mut paces[1], 7001);
        assert_eq!(busy.count(), 2);
        busy.note(&mut paces[1], 60_000);
        assert_eq!(busy.count(), 1);
    }

    #[test]
    fn who_is_gone_is_not_counted_in_either_second() {
        let mut busy = Busy::new();
        let mut paces = [Pace::new(); 3];
        paces.iter_mut().for_each(|pace| busy.note(pace, 5000));
        paces[..2].iter_mut().for_each(|pace| busy.note(pace, 6000));
        busy.forget(paces[0]);
        assert_eq!((busy.seen, busy.seen_before), (1, 2));
        busy.forget(paces[2]);
        assert_eq!((busy.seen, busy.seen_before), (1, 1));
        busy.forget(Pace::new());
        assert_eq!((busy.seen, busy.seen_before), (1, 1));
    }

    #[test]
    fn a_window_that_limits_is_quadrupled_and_one_that_does_not_is_held() {
        let (mut pace, start, rtt) = (Pace::new(), 256 << 10, 200);
        let mut now = 1_000_000;
        let mut carry = |bytes| {
            now += 200;
            pace.note(bytes, now, rtt, start);
            pace.target(start)
        };
        carry(1);
        assert_eq!(carry(256 << 10), 1 << 20, "all of it was used");
        assert_eq!(carry(256 << 10), 7 << 17, "what the larger one carries is not to be seen yet");
        assert_eq!(carry(1 << 20), 4 << 20);
        for _ in 0..100 {
            carry(5 << 20);
        }
        assert_eq!(carry(5 << 20), 10 << 20, "twice what the path carries, and it stays there");
    }

    #[test]
    fn bytes_of_part_of_a_round_trip_are_added_up() {
        let mut pace = Pace::new();
        pace.note(0, 1000, 20, u32::MAX);
        for now in 1001..=1020 {
            pace.note(1000, now, 20, u32::MAX);
        }
        assert_eq!(pace.target(0), 40_000);
    }

    #[test]
    fn a_burst_within_one_step_of_the_clock_is_not_a_rate() {
        let mut pace = Pace::new();
        pace.note(0, 1000, 1, u32::MAX);
        pace.note(1 << 20, 1001, 1, u32::MAX);
        assert_eq!(pace.target(0), 0);
        pace.note(0, 1008, 1, u32::MAX);
        assert_eq!(pace.target(0), (1 << 20) / 4);
    }

    #[test]
    fn a_pause_costs_an_eighth_not_everything() {
        let mut pace = Pace::new();
        pace.note(0, 1000, 20, u32::MAX);
        pace.note(80_000, 1020, 20, u32::MAX);
        assert_eq!(pace.target(0), 160_000);
        pace.note(1, 60_000, 20, u32::MAX);
        assert_eq!(pace.target(0), 140_000);
    }

    #[test]
    fn a_clock_past_49_days_measures_as_before() {
        let mut pace = Pace::new();
        let wrap = u64::from(u32::MAX);
        pace.note(0, wrap - 10, 20, u32::MAX);
        pace.note(1000, wrap + 10, 20, u32::MAX);
        assert_eq!(pace.target(0), 2000);
    }

    /// So many measurements of which each says the same.
    fn measure(round_trip: &mut RoundTrip, rtt_ms: u32, count: u32) {
        (0..count).for_each(|_| round_trip.note(rtt_ms));
    }

    #[test]
    fn the_least_round_trip_counts_however_long_a_queue_stands() {
        let mut round_trip = RoundTrip::new();
        assert_eq!(round_trip.least_ms(), ASSUMED_ROUND_TRIP_MS);
        round_trip.note(0);
        assert_eq!(round_trip.least_ms(), LEAST_ROUND_TRIP_MS);
        assert!(round_trip.is_short());
        measure(&mut round_trip, 150, DOUBTS - 1);
        assert!(!round_trip.drains(1000));
        round_trip.note(9);
        measure(&mut round_trip, 150, DOUBTS - 1);
        assert!(!round_trip.drains(2000), "one was as short as ever");
        assert_eq!(round_trip.least_ms(), LEAST_ROUND_TRIP_MS);
    }

    #[test]
    fn a_path_that_has_become_longer_is_found_out_with_short_queues() {
        let mut round_trip = RoundTrip::new();
        round_trip.note(50);
        measure(&mut round_trip, 200, DOUBTS);
        assert!(round_trip.drains(10_000));
        measure(&mut round_trip, 130, 1);
        measure(&mut round_trip, 120, 1);
        assert!(round_trip.drains(10_499));
        assert_eq!(round_trip.least_ms(), 50);
        assert!(!round_trip.drains(10_500));
        assert_eq!(round_trip.least_ms(), 120);
    }

    #[test]
    fn short_queues_without_a_measurement_change_nothing() {
        let mut round_trip = RoundTrip::new();
        round_trip.note(50);
        measure(&mut round_trip, 200, DOUBTS);
        assert!(round_trip.drains(10_000) && !round_trip.drains(20_000));
        assert_eq!(round_trip.least_ms(), 50);
        assert!(!round_trip.drains(20_001));
    }
}

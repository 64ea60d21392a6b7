//! Low water: while one fast transfer has the link to itself, the kernel wakes the loop for what comes in a millisecond,
//! not for every packet. socket(7), SO_RCVLOWAT.
//! Touches: counts of bytes, the loop's clock.   Never: the socket; the session sets what comes out of here.
//! Invariants: nobody waits longer than `LOOK_MS` for what has come; anything but one transfer puts the mark down at once.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below, `tests/relay.rs`.

use crate::timer::Millis;

/// What arrives is measured over so long.
const PERIOD_MS: Millis = 8;
/// While the mark is up the loop looks by itself this often: the tail of a transfer never reaches the mark.
pub(crate) const LOOK_MS: Millis = 2;
/// Less in a millisecond is not worth a mark.
const LEAST: u64 = 32 * 1024;
/// Half of what one read takes: more would have the sender find the receive buffer full.
const MOST: u64 = 512 * 1024;
/// Where the mark lies on every socket: one byte wakes.
const DOWN: u32 = 1;

/// The mark of a link, and what came lately.
#[derive(Debug)]
pub(crate) struct LowWater {
    mark: u32,
    bytes: u64,
    since: Millis,
    /// Something else than one transfer's data has come in this period.
    company: bool,
    /// The loop is going to look.
    pub(crate) watched: bool,
}

impl LowWater {
    pub(crate) const fn new() -> Self {
        Self { mark: DOWN, bytes: 0, since: 0, company: false, watched: false }
    }

    /// Whether the kernel keeps quiet about less than the mark.
    pub(crate) const fn is_up(&self) -> bool {
        self.mark > DOWN
    }

    /// A read gave `count` bytes, of one transfer `alone` or not. Gives the mark to set if it changes.
    pub(crate) fn read(&mut self, count: usize, alone: bool, now: Millis) -> Option<u32> {
        self.bytes += count as u64;
        self.company |= !alone;
        let elapsed = now.saturating_sub(self.since);
        let over = elapsed >= PERIOD_MS;
        let mark = match (self.company, over) {
            (true, _) => DOWN,
            (false, true) => worth(self.bytes / elapsed),
            (false, false) => self.mark,
        };
        if over {
            (self.bytes, self.since, self.company) = (0, now, false);
        }
        let changed = mark != self.mark;
        self.mark = mark;
        changed.then_some(mark)
    }
}

/// The mark for so many bytes in a millisecond: steps of two, so that it seldom changes.
fn worth(per_ms: u64) -> u32 {
    match per_ms.min(MOST) {
        less if less < LEAST => DOWN,
        bytes => 1 << bytes.ilog2(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` bytes in each of so many milliseconds; gives the mark.
    fn flow(water: &mut LowWater, now: &mut Millis, ms: u64, count: usize, alone: bool) -> u32 {
        for _ in 0..ms {
            *now += 1;
            water.read(count, alone, *now);
        }
        water.mark
    }

    #[test]
    fn the_mark_is_what_comes_in_a_millisecond_between_bounds() {
        let (mut water, mut now) = (LowWater::new(), 1000);
        assert_eq!(flow(&mut water, &mut now, 20, 20_000, true), DOWN);
        assert_eq!(flow(&mut water, &mut now, 20, 100_000, true), 64 << 10);
        assert_eq!(flow(&mut water, &mut now, 20, 3 << 20, true), 512 << 10);
        assert_eq!(flow(&mut water, &mut now, 20, 0, true), DOWN, "nothing comes any more");
    }

    #[test]
    fn company_puts_the_mark_down_at_once_and_it_comes_back_later() {
        let (mut water, mut now) = (LowWater::new(), 1000);
        assert_eq!(flow(&mut water, &mut now, 20, 1 << 20, true), 512 << 10);
        assert_eq!(water.read(10, false, now), Some(DOWN));
        assert_eq!(water.read(1 << 20, true, now), None);
        assert_eq!(flow(&mut water, &mut now, 3, 1 << 20, true), DOWN, "within the period");
        assert_eq!(flow(&mut water, &mut now, 20, 1 << 20, true), 512 << 10);
    }

    #[test]
    fn a_mark_that_stays_is_not_set_again() {
        let (mut water, mut now) = (LowWater::new(), 1000);
        flow(&mut water, &mut now, 20, 1 << 20, true);
        for _ in 0..40 {
            now += 1;
            assert_eq!(water.read(1 << 20, true, now), None);
        }
    }
}

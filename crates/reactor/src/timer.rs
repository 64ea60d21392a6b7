//! Timers: what is due when, on the loop's millisecond clock.
//! Touches: numbers.   Never: the system clock; `Clock` alone reads it.
//! Invariants: due in order of time; a timer set again replaces nothing, its owner checks that it still wants it.
//! Errors: none.   Allocates: as the heap grows.
//! Proved by: `tests` below.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Milliseconds since the loop started.
pub type Millis = u64;

/// The one place that reads the system's monotonic clock.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Millis {
        self.start.elapsed().as_millis() as Millis
    }
}

/// What is to happen and when.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    heap: BinaryHeap<Reverse<(Millis, u64, T)>>,
    /// Keeps timers of one millisecond in the order they were set.
    count: u64,
}

impl<T: Ord> Timers<T> {
    pub(crate) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), count: 0 }
    }

    pub(crate) fn set(&mut self, at: Millis, what: T) {
        self.count += 1;
        self.heap.push(Reverse((at, self.count, what)));
    }

    /// Takes the next one that is due.
    pub(crate) fn due(&mut self, now: Millis) -> Option<T> {
        let Reverse((at, ..)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((.., what))| what)
    }

    pub(crate) fn next(&self) -> Option<Millis> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }
}

/// How long to sleep until `deadline`; rounded up, so that it is over when the sleep is.
pub(crate) fn until(deadline: Option<Millis>, now: Millis) -> Option<Duration> {
    deadline.map(|at| Duration::from_millis(at.saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_due_in_order() {
        let mut timers = Timers::new();
        for (at, what) in [(30, 'c'), (10, 'a'), (20, 'b'), (10, 'A')] {
            timers.set(at, what);
        }
        assert_eq!(timers.next(), Some(10));
        assert_eq!(timers.due(9), None);
        assert_eq!(timers.due(20), Some('a'));
        assert_eq!(timers.due(20), Some('A'));
        assert_eq!(timers.due(20), Some('b'));
        assert_eq!(timers.due(20), None);
    }

    #[test]
    fn a_deadline_in_the_past_is_no_sleep() {
        assert_eq!(until(Some(5), 9), Some(Duration::ZERO));
        assert_eq!(until(None, 9), None);
    }
}

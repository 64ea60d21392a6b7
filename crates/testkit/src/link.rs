//! One direction of a connection in memory: it splits, coalesces, takes little at a time, delays, and can be cut.
//! Touches: bytes.   Never: what they mean.
//! Invariants: bytes arrive in order; what was not cut off arrives.
//! Errors: none.   Allocates: what is on its way.
//! Proved by: `tests` below.

use crate::FixedRng;
use adit_buf::{RxBuf, TxRing};
use std::collections::VecDeque;

/// How many bytes move at once.
#[derive(Clone, Debug)]
pub enum Pieces {
    /// All there are.
    Whole,
    /// So many, as far as there are.
    Of(usize),
    /// 1 to so many, at random.
    UpTo(usize, FixedRng),
}

impl Pieces {
    /// How many the next time.
    pub fn size(&mut self) -> usize {
        match self {
            Self::Whole => usize::MAX,
            Self::Of(len) => *len,
            Self::UpTo(most, random) => 1 + random.below(*most),
        }
    }
}

/// A link that stands still at times: what is written then arrives later, and all that follows behind it.
#[derive(Clone, Debug)]
pub struct Stalls {
    /// One write in so many is held up.
    pub one_in: usize,
    /// By up to so many milliseconds.
    pub most_ms: usize,
    /// Which, and for how long.
    pub random: FixedRng,
}

impl Stalls {
    fn next_ms(&mut self) -> u64 {
        if self.random.one_in(self.one_in) { self.random.below(self.most_ms + 1) as u64 } else { 0 }
    }
}

/// What a link does to the bytes it carries.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Taken from the writer at once: short writes.
    pub taken: Pieces,
    /// Given to the reader at once.
    pub given: Pieces,
    /// Milliseconds from writer to reader.
    pub delay_ms: u64,
    /// When it stands still.
    pub stalls: Option<Stalls>,
    /// Bytes after which the link is gone.
    pub cut_at: Option<u64>,
}

impl Default for Habits {
    fn default() -> Self {
        Self { taken: Pieces::Whole, given: Pieces::Whole, delay_ms: 0, stalls: None, cut_at: None }
    }
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The link is cut and everything before the cut was read.
    Cut,
}

/// One direction.
#[derive(Debug)]
pub struct Link {
    habits: Habits,
    /// Bytes and when they arrive.
    on_the_way: VecDeque<(u64, VecDeque<u8>)>,
    taken: u64,
    /// Everything taken, if it is to be kept.
    kept: Option<Vec<u8>>,
}

impl Link {
    /// A link with these habits.
    pub fn new(habits: Habits) -> Self {
        Self { habits, on_the_way: VecDeque::new(), taken: 0, kept: None }
    }

    /// Remembers everything that passes from now on.
    pub fn keep(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// Everything that passed since [`keep`](Self::keep).
    pub fn kept(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// Cuts the link behind what it has taken.
    pub fn cut(&mut self) {
        self.habits.cut_at = Some(self.taken);
    }

    /// Whether nothing more will be taken.
    pub fn is_cut(&self) -> bool {
        self.habits.cut_at.is_some_and(|at| self.taken >= at)
    }

    /// Takes from `tx` what one write takes; how much.
    pub fn write(&mut self, tx: &mut TxRing, now: u64) -> usize {
        if tx.is_empty() {
            return 0;
        }
        let count = tx.pending_len().min(self.habits.taken.size());
        let through = self.habits.cut_at.map_or(u64::MAX, |at| at - self.taken).min(count as u64);
        let bytes: VecDeque<u8> = tx.pending().flatten().copied().take(through as usize).collect();
        self.taken += through;
        if let Some(kept) = &mut self.kept {
            kept.extend(&bytes);
        }
        if !bytes.is_empty() {
            let arrival = self.arrival(now);
            self.on_the_way.push_back((arrival, bytes));
        }
        // Behind a cut a write succeeds for a while: the kernel has the bytes and nobody to give them to.
        tx.written(count);
        count
    }

    /// When what is written now arrives: never before what was written earlier.
    fn arrival(&mut self, now: u64) -> u64 {
        let stalled = self.habits.stalls.as_mut().map_or(0, Stalls::next_ms);
        let last = self.on_the_way.back().map_or(0, |(at, _)| *at);
        last.max(now + self.habits.delay_ms + stalled)
    }

    /// Gives `rx` what one read brings.
    pub fn read(&mut self, rx: &mut RxBuf, now: u64) -> Read {
        let mut wanted = self.habits.given.size();
        let mut count = 0;
        while let Some((_, bytes)) = self.on_the_way.front_mut().filter(|(at, _)| *at <= now) {
            let step = bytes.len().min(wanted);
            rx.extend(&bytes.drain(..step).collect::<Vec<_>>());
            (count, wanted) = (count + step, wanted - step);
            if !bytes.is_empty() {
                break;
            }
            self.on_the_way.pop_front();
        }
        match count {
            0 if self.on_the_way.is_empty() && self.is_cut() => Read::Cut,
            0 => Read::Nothing,
            count => Read::Bytes(count),
        }
    }

    /// When the next bytes arrive.
    pub fn next_arrival(&self) -> Option<u64> {
        self.on_the_way.front().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that comes out of a link into which `bytes` went, read by read.
    fn reads(habits: Habits, bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut link, mut tx, mut rx) = (Link::new(habits), TxRing::new(), RxBuf::new());
        tx.push(bytes);
        let mut reads = vec![];
        for now in 0.. {
            link.write(&mut tx, now);
            match link.read(&mut rx, now) {
                Read::Bytes(count) => {
                    reads.push(rx.unread().to_vec());
                    rx.consume(count);
                }
                Read::Nothing if tx.is_empty() && link.next_arrival().is_none() => break,
                Read::Nothing => {}
                Read::Cut => break,
            }
        }
        reads
    }

    #[test]
    fn bytes_arrive_in_order_whatever_the_pieces() {
        let one_by_one = Habits { given: Pieces::Of(1), ..Habits::default() };
        assert_eq!(reads(one_by_one, b"abc"), [b"a", b"b", b"c"]);
        let short_writes = Habits { taken: Pieces::Of(2), ..Habits::default() };
        assert_eq!(reads(short_writes, b"abc"), [&b"ab"[..], b"c"]);
        let pieces = || Pieces::UpTo(3, FixedRng::new(1));
        let random = Habits { taken: pieces(), given: pieces(), ..Habits::default() };
        assert_eq!(reads(random, b"one two three").concat(), b"one two three");
    }

    #[test]
    fn delayed_bytes_arrive_when_their_time_has_come() {
        let mut link = Link::new(Habits { delay_ms: 10, ..Habits::default() });
        let (mut tx, mut rx) = (TxRing::new(), RxBuf::new());
        tx.push(b"x");
        link.write(&mut tx, 5);
        assert_eq!(link.next_arrival(), Some(15));
        assert_eq!(link.read(&mut rx, 14), Read::Nothing);
        assert_eq!(link.read(&mut rx, 15), Read::Bytes(1));
    }

    #[test]
    fn a_stall_holds_up_what_follows_and_changes_no_order() {
        let stalls = Stalls { one_in: 2, most_ms: 50, random: FixedRng::new(1) };
        let habits = Habits { taken: Pieces::Of(2), stalls: Some(stalls), ..Habits::default() };
        let (mut link, mut tx, mut rx) = (Link::new(habits), TxRing::new(), RxBuf::new());
        tx.push(b"one two three");
        while link.write(&mut tx, 7) > 0 {}
        let mut arrivals = vec![];
        while let Some(at) = link.next_arrival() {
            arrivals.push(at);
            link.read(&mut rx, at);
        }
        assert!(arrivals.is_sorted() && arrivals.last() > Some(&7), "{arrivals:?}");
        assert_eq!(rx.unread(), b"one two three");
    }

    #[test]
    fn nothing_passes_a_cut_and_everything_before_it_does() {
        let habits = Habits { cut_at: Some(5), taken: Pieces::Of(2), ..Habits::default() };
        assert_eq!(reads(habits, b"one two three").concat(), b"one t");
    }
}

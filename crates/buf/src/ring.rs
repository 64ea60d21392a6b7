//! The output ring: contiguous room to build and seal packets in, and what waits to be written.
//! Touches: chunks.   Never: packet boundaries, the socket.
//! Invariants: a reservation never wraps; committed bytes leave in order; a drained chunk goes back or is freed.
//! Errors: none.   Allocates: a small chunk when nothing lent fits.
//! Proved by: `tests` below.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

/// The least that is worth allocating: control messages share it.
const SMALL_CHUNK: usize = 4096;

#[derive(Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    /// End of what was written to the socket.
    sent: usize,
    /// End of what is committed.
    end: usize,
    lent: bool,
}

impl Chunk {
    const fn new(bytes: Box<[u8]>, lent: bool) -> Self {
        Self { bytes, sent: 0, end: 0, lent }
    }

    const fn room(&self) -> usize {
        self.bytes.len() - self.end
    }
}

/// Bytes on their way out, in chunks: the thread lends large ones, small ones are allocated where none is lent.
///
/// Used for sealed packets towards SSH and for payload that a local socket would not take.
#[derive(Debug, Default)]
pub struct TxRing {
    chunks: VecDeque<Chunk>,
    /// Lent and empty: used next, or given back.
    spare: Vec<Box<[u8]>>,
    pending: usize,
}

impl TxRing {
    /// An empty ring without storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a chunk of the thread's.
    pub fn lend(&mut self, chunk: Box<[u8]>) {
        self.spare.push(chunk);
    }

    /// Gives one lent chunk back if one is empty.
    pub fn reclaim(&mut self) -> Option<Box<[u8]>> {
        self.retire_unused();
        self.spare.pop()
    }

    /// How many bytes can be reserved, in one piece, without allocating.
    pub fn room(&self) -> usize {
        let tail = self.chunks.back().map_or(0, Chunk::room);
        self.spare.last().map_or(tail, |spare| spare.len().max(tail))
    }

    /// Contiguous room of `len` bytes behind what is committed. What it holds is left over from before.
    ///
    /// Asked again for the same length, with nothing committed in between, it is the same room with what was
    /// written into it.
    pub fn reserve(&mut self, len: usize) -> &mut [u8] {
        if self.chunks.back().is_none_or(|tail| tail.room() < len) {
            let chunk = self.fresh(len);
            self.retire_unused();
            self.chunks.push_back(chunk);
        }
        let at = self.chunks.len() - 1;
        let tail = &mut self.chunks[at];
        &mut tail.bytes[tail.end..][..len]
    }

    fn fresh(&mut self, len: usize) -> Chunk {
        match self.spare.pop() {
            Some(spare) if spare.len() >= len => Chunk::new(spare, true),
            // One lent that is too small is of no use to this ring.
            _ => Chunk::new(vec![0; len.max(SMALL_CHUNK)].into(), false),
        }
    }

    /// A reservation that was never committed leaves an empty chunk behind: it would stand in the way.
    fn retire_unused(&mut self) {
        if self.chunks.back().is_some_and(|tail| tail.end == 0) {
            if let Some(unused) = self.chunks.pop_back() {
                self.retire(unused);
            }
        }
    }

    /// The first `len` bytes of the last reservation are to be written.
    ///
    /// # Panics
    /// When no room of that size was reserved.
    pub fn commit(&mut self, len: usize) {
        if len == 0 {
            return;
        }
        let at = self.chunks.len() - 1;
        let tail = &mut self.chunks[at];
        assert!(len <= tail.room());
        tail.end += len;
        self.pending += len;
    }

    /// Copies `bytes` in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len()).copy_from_slice(bytes);
        self.commit(bytes.len());
    }

    /// What waits to be written, in order.
    pub fn pending(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks
            .iter()
            .map(|chunk| &chunk.bytes[chunk.sent..chunk.end])
            .filter(|bytes| !bytes.is_empty())
    }

    /// How many bytes wait to be written.
    pub const fn pending_len(&self) -> usize {
        self.pending
    }

    /// Whether nothing waits to be written.
    pub const fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// The first `count` pending bytes were taken.
    ///
    /// # Panics
    /// When fewer are pending.
    pub fn written(&mut self, mut count: usize) {
        assert!(count <= self.pending);
        self.pending -= count;
        while let Some(front) = self.chunks.front_mut() {
            let step = count.min(front.end - front.sent);
            front.sent += step;
            count -= step;
            if front.sent < front.end {
                break;
            }
            if let Some(drained) = self.chunks.pop_front() {
                self.retire(drained);
            }
        }
    }

    fn retire(&mut self, chunk: Chunk) {
        if chunk.lent {
            self.spare.push(chunk.bytes);
        }
    }

    /// Moves what little is pending out of the thread's large chunks, so that they can go back.
    ///
    /// Does nothing while more than a quarter of a chunk is pending: then the copy would cost more than the memory.
    pub fn release(&mut self) {
        let large =
            self.chunks.iter().filter(|chunk| chunk.lent).map(|chunk| chunk.bytes.len()).max();
        if large.is_none_or(|large| self.pending > large / 4) {
            return;
        }
        let kept: Vec<u8> = self.pending().flatten().copied().collect();
        self.written(kept.len());
        let end = kept.len();
        self.chunks.push_back(Chunk { bytes: kept.into(), sent: 0, end, lent: false });
        self.pending = end;
    }

    /// Gives back the memory kept for the next bytes, if none wait and nothing is lent.
    pub fn rest(&mut self) {
        if self.is_empty() && self.spare.is_empty() {
            self.retire_unused();
            if self.chunks.is_empty() && self.spare.is_empty() {
                *self = Self::new();
            }
        }
    }

    /// Bytes of storage held, lent or not.
    pub fn capacity(&self) -> usize {
        self.chunks
            .iter()
            .map(|chunk| chunk.bytes.len())
            .chain(self.spare.iter().map(|spare| spare.len()))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_at_rest_keeps_nothing_and_loses_nothing() {
        let mut tx = TxRing::new();
        tx.push(b"pending");
        tx.rest();
        assert_eq!(drained(&mut tx), b"pending");
        tx.rest();
        assert_eq!((tx.chunks.capacity(), tx.spare.capacity()), (0, 0));
        tx.lend(vec![0; 64].into());
        tx.rest();
        assert!(tx.reclaim().is_some(), "what is lent is not thrown away");
    }

    fn drained(tx: &mut TxRing) -> Vec<u8> {
        let bytes: Vec<u8> = tx.pending().flatten().copied().collect();
        tx.written(bytes.len());
        bytes
    }

    #[test]
    fn bytes_leave_in_the_order_committed() {
        let mut tx = TxRing::new();
        for byte in 0..=255 {
            tx.push(&[byte; 100]);
        }
        assert_eq!(tx.pending_len(), 25_600);
        tx.written(150);
        let rest = drained(&mut tx);
        assert_eq!(rest[..50], [1; 50]);
        assert_eq!(rest[50], 2);
        assert!(tx.is_empty());
    }

    #[test]
    fn an_uncommitted_reservation_sends_nothing() {
        let mut tx = TxRing::new();
        tx.reserve(10).fill(1);
        tx.reserve(10)[..2].fill(2);
        tx.commit(2);
        assert_eq!(drained(&mut tx), [2, 2]);
    }

    #[test]
    fn the_same_reservation_is_the_same_room() {
        let mut tx = TxRing::new();
        tx.push(b"before");
        tx.reserve(5_000)[4_999] = 7;
        assert_eq!(tx.reserve(5_000)[4_999], 7);
        tx.commit(1);
        assert_eq!(tx.pending_len(), 7);
    }

    #[test]
    fn lent_chunks_are_used_first_and_come_back() {
        let mut tx = TxRing::new();
        tx.lend(vec![0; 100_000].into());
        assert_eq!(tx.room(), 100_000);
        tx.push(&[7; 60_000]);
        assert_eq!(tx.room(), 40_000);
        assert_eq!(tx.reclaim(), None);
        tx.push(&[8; 60_000]);
        assert_eq!(tx.pending().count(), 2);
        drained(&mut tx);
        assert_eq!(tx.reclaim().map(|chunk| chunk.len()), Some(100_000));
        assert_eq!(tx.capacity(), 0, "the small chunk is freed");
    }

    #[test]
    fn a_reservation_never_wraps() {
        let mut tx = TxRing::new();
        tx.lend(vec![0; 10_000].into());
        tx.push(&[1; 9_000]);
        assert_eq!(tx.reserve(5_000).len(), 5_000);
    }

    #[test]
    fn an_unused_chunk_does_not_stand_between_committed_ones() {
        let mut tx = TxRing::new();
        tx.reserve(10);
        tx.push(&[3; 5_000]);
        assert_eq!(tx.chunks.len(), 1);
        assert_eq!(drained(&mut tx), [3; 5_000]);
    }

    #[test]
    fn a_small_remainder_does_not_pin_a_large_chunk() {
        let mut tx = TxRing::new();
        tx.lend(vec![0; 100_000].into());
        tx.push(&[9; 90_000]);
        tx.release();
        assert_eq!(tx.reclaim(), None, "most of it is still pending");
        tx.written(89_000);
        tx.release();
        assert!(tx.reclaim().is_some());
        assert_eq!(drained(&mut tx), [9; 1_000]);
    }
}

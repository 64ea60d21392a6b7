//! The receive buffer: bytes as they came, opened in place, named by spans.
//! Touches: one linear storage.   Never: packet boundaries.
//! Invariants: `read <= filled <= storage`; a span stays good until the next `spare_mut`, `lend` or `reclaim`.
//! Errors: none.   Allocates: a right-sized tail at `reclaim`, more room when a packet outgrows the storage.
//! Proved by: `tests` below.

use alloc::boxed::Box;
use alloc::vec;

/// Storage taken when bytes arrive and nothing was lent.
const OWN_STORAGE: usize = 4096;

/// Less room than this behind the filled bytes is worth moving the tail for: a read into it would be a short one.
const LITTLE_ROOM: usize = 64 * 1024;

/// A range of bytes in an [`RxBuf`]. Good until the buffer is read into or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index of the first byte.
    pub start: usize,
    /// How many bytes.
    pub len: usize,
}

impl Span {
    /// The span without its first `count` bytes.
    ///
    /// # Panics
    /// When the span is shorter than that.
    #[must_use]
    pub const fn skip(self, count: usize) -> Self {
        assert!(count <= self.len);
        Self { start: self.start + count, len: self.len - count }
    }
}

/// Bytes received and not yet consumed, in storage that the thread lends while there are any.
#[derive(Debug, Default)]
pub struct RxBuf {
    storage: Box<[u8]>,
    /// First byte not yet consumed.
    read: usize,
    /// End of the bytes received.
    filled: usize,
    /// The storage goes back to the thread.
    lent: bool,
}

impl RxBuf {
    /// An empty buffer without storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the storage belongs to the thread.
    pub const fn is_lent(&self) -> bool {
        self.lent
    }

    /// Attaches the thread's storage; a kept tail moves to its front. Ends all spans.
    ///
    /// Storage that cannot hold the tail is dropped.
    pub fn lend(&mut self, mut storage: Box<[u8]>) {
        let tail = self.len();
        if tail >= storage.len() {
            return;
        }
        storage[..tail].copy_from_slice(self.unread());
        *self = Self { storage, read: 0, filled: tail, lent: true };
    }

    /// Gives the thread's storage back, keeping an incomplete tail in a box of its size. Ends all spans.
    ///
    /// Storage of its own that has become empty is freed.
    pub fn reclaim(&mut self) -> Option<Box<[u8]>> {
        if !self.lent {
            if self.is_empty() {
                *self = Self::new();
            }
            return None;
        }
        let tail: Box<[u8]> = self.unread().into();
        let filled = tail.len();
        let lent = core::mem::replace(self, Self { storage: tail, read: 0, filled, lent: false });
        Some(lent.storage)
    }

    /// Room for the next read, never empty. Ends all spans.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        if self.read > 0 && (self.is_empty() || self.storage.len() - self.filled < LITTLE_ROOM) {
            self.storage.copy_within(self.read..self.filled, 0);
            self.filled -= self.read;
            self.read = 0;
        }
        if self.filled == self.storage.len() {
            self.grow();
        }
        &mut self.storage[self.filled..]
    }

    /// A packet is larger than the storage, or there is none: more of our own.
    fn grow(&mut self) {
        let mut storage = vec![0; (self.storage.len() * 2).max(OWN_STORAGE)].into_boxed_slice();
        storage[..self.filled].copy_from_slice(&self.storage[..self.filled]);
        self.storage = storage;
        self.lent = false;
    }

    /// The first `count` bytes of the spare room now hold received bytes.
    ///
    /// # Panics
    /// When there was less room than that.
    pub fn filled(&mut self, count: usize) {
        assert!(count <= self.storage.len() - self.filled);
        self.filled += count;
    }

    /// Copies `bytes` in, for callers that have them elsewhere already.
    pub fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let spare = self.spare_mut();
            let count = spare.len().min(bytes.len());
            spare[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// Bytes not yet consumed.
    pub fn unread(&self) -> &[u8] {
        &self.storage[self.read..self.filled]
    }

    /// Bytes not yet consumed, to be opened in place.
    pub fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.read..self.filled]
    }

    /// The index of `unread()[0]`, where a span of it starts.
    pub const fn position(&self) -> usize {
        self.read
    }

    /// Takes `count` bytes off the front; they can still be read through spans.
    ///
    /// # Panics
    /// When fewer are unread.
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.len());
        self.read += count;
    }

    /// The bytes of a span.
    ///
    /// # Panics
    /// When the span lies outside the bytes received, which a span that still is good never does.
    pub fn bytes(&self, span: Span) -> &[u8] {
        &self.storage[..self.filled][span.start..][..span.len]
    }

    /// How many bytes are not yet consumed.
    pub const fn len(&self) -> usize {
        self.filled - self.read
    }

    /// Whether everything received has been consumed.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumed_bytes_can_be_read_through_spans() {
        let mut rx = RxBuf::new();
        rx.extend(b"one two");
        let span = Span { start: rx.position(), len: 3 };
        rx.consume(4);
        assert_eq!(rx.bytes(span), b"one");
        assert_eq!(rx.bytes(span.skip(2)), b"e");
        assert_eq!(rx.unread(), b"two");
    }

    #[test]
    fn storage_goes_back_and_the_tail_stays() {
        let mut rx = RxBuf::new();
        rx.lend(vec![0; 1 << 20].into());
        rx.extend(b"packet and a tail");
        rx.consume(13);
        assert_eq!(rx.reclaim().map(|storage| storage.len()), Some(1 << 20));
        assert_eq!(rx.unread(), b"tail");
        assert_eq!(rx.reclaim(), None, "the tail's box is our own");
        rx.lend(vec![0; 1 << 20].into());
        rx.extend(b" grows");
        assert_eq!(rx.unread(), b"tail grows");
    }

    #[test]
    fn an_empty_buffer_keeps_nothing() {
        let mut rx = RxBuf::new();
        rx.lend(vec![0; 64].into());
        rx.extend(b"all of it");
        rx.consume(9);
        assert!(rx.reclaim().is_some());
        assert_eq!(rx.storage.len(), 0);
    }

    #[test]
    fn the_tail_moves_only_when_room_runs_out() {
        let mut rx = RxBuf::new();
        rx.lend(vec![0; 2 * LITTLE_ROOM + 10].into());
        rx.extend(&[1; 20]);
        rx.consume(10);
        rx.spare_mut();
        assert_eq!(rx.position(), 10);
        rx.extend(&[2; LITTLE_ROOM]);
        rx.spare_mut();
        assert_eq!(rx.position(), 0);
        assert_eq!(rx.len(), 10 + LITTLE_ROOM);
        assert!(rx.is_lent());
    }

    #[test]
    fn storage_of_its_own_goes_when_it_is_empty() {
        let mut rx = RxBuf::new();
        rx.extend(b"one");
        assert_eq!(rx.reclaim(), None);
        assert_eq!(rx.unread(), b"one");
        rx.consume(3);
        assert_eq!(rx.reclaim(), None);
        assert_eq!(rx.storage.len(), 0);
    }

    #[test]
    fn a_packet_larger_than_the_storage_still_fits() {
        let mut rx = RxBuf::new();
        rx.lend(vec![0; 16].into());
        let bytes: [u8; 100] = core::array::from_fn(|at| at as u8);
        rx.extend(&bytes);
        assert_eq!(rx.unread(), bytes);
        assert!(!rx.is_lent());
    }
}

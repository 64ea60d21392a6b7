//! The thread's large buffers, lent to whichever connection has bytes to move.
//! Touches: boxes of one size.   Never: what they hold.
//! Invariants: at most `keep` buffers wait unused; the rest is given back to the system.
//! Errors: none.   Allocates: when none is waiting.
//! Proved by: `tests` below.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Buffers of one size.
#[derive(Debug)]
pub struct Pool {
    free: Vec<Box<[u8]>>,
    size: usize,
    keep: usize,
}

impl Pool {
    /// A pool of buffers of `size` bytes that keeps up to `keep` for the next turn.
    pub const fn new(size: usize, keep: usize) -> Self {
        Self { free: Vec::new(), size, keep }
    }

    /// Size of each buffer in bytes.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// A buffer; what it holds is left over from before.
    pub fn take(&mut self) -> Box<[u8]> {
        self.free.pop().unwrap_or_else(|| vec![0; self.size].into())
    }

    /// Gives a buffer back. One of another size is freed.
    pub fn give(&mut self, buffer: Box<[u8]>) {
        if buffer.len() == self.size && self.free.len() < self.keep {
            self.free.push(buffer);
        }
    }

    /// Frees what is kept, for when nothing has moved for a while.
    pub fn trim(&mut self) {
        self.free = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_the_surplus_is_freed() {
        let mut pool = Pool::new(64, 1);
        let (mut first, second) = (pool.take(), pool.take());
        first[0] = 9;
        pool.give(first);
        pool.give(second);
        pool.give(vec![0; 65].into());
        assert_eq!(pool.take()[0], 9);
        assert!(pool.free.is_empty());
    }

    #[test]
    fn a_trimmed_pool_holds_nothing() {
        let mut pool = Pool::new(64, 4);
        let buffer = pool.take();
        pool.give(buffer);
        pool.trim();
        assert_eq!(pool.free.capacity(), 0);
    }
}

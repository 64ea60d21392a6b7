//! Randomness: a trait the caller may implement, and the operating system's generator behind a small buffer.
//! Touches: the operating system's generator, through the back end.   Never: seeds, generators of our own.
//! Invariants: no byte is given out twice; a byte given out is erased from the buffer.
//! Errors: none; a system without randomness cannot go on, so its failure panics.   Allocates: never.
//! Proved by: `tests` below.

use core::convert::Infallible;
use core::fmt;

use rand_core::{TryCryptoRng, TryRng};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::backend;

/// A source of bytes that nobody can guess; tests bring one they can.
pub trait Random {
    /// Fills `out`.
    fn fill(&mut self, out: &mut [u8]);
}

/// The operating system's generator, read 512 bytes at a time.
///
/// Every packet needs 4 to 19 bytes of padding. Reading the buffer ahead makes that one system call
/// per some fifty packets, and no generator of our own has to be trusted or re-seeded after a fork:
/// a process that forks with one of these in use must not use it on both sides.
#[derive(ZeroizeOnDrop)]
pub struct SystemRandom {
    buffer: [u8; BUFFER],
    /// Bytes of `buffer` still to be given out; they stand at its end.
    left: usize,
}

/// Small, because each connection keeps one; large enough that padding is not what calls the system.
const BUFFER: usize = 512;

impl SystemRandom {
    /// Starts with an empty buffer: nothing is read before it is wanted.
    pub const fn new() -> Self {
        Self { buffer: [0; BUFFER], left: 0 }
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SystemRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemRandom(..)")
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) {
        // Keys are read straight from the system; the buffer is for crumbs.
        if out.len() > BUFFER / 8 {
            return backend::system_random(out);
        }
        if self.left < out.len() {
            backend::system_random(&mut self.buffer);
            self.left = BUFFER;
        }
        let start = BUFFER - self.left;
        let bytes = &mut self.buffer[start..start + out.len()];
        out.copy_from_slice(bytes);
        bytes.zeroize();
        self.left -= out.len();
    }
}

/// Lends a [`Random`] to crates that ask for `rand_core`'s traits.
pub(crate) struct Lent<'r>(pub(crate) &'r mut dyn Random);

impl TryRng for Lent<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Lent<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_buffered_byte_is_given_out_twice() {
        let mut random = SystemRandom::new();
        let mut seen = alloc::collections::BTreeSet::new();
        for _ in 0..3 * BUFFER / 16 {
            let mut out = [0; 16];
            random.fill(&mut out);
            assert!(seen.insert(out));
        }
    }

    #[test]
    fn bytes_given_out_are_erased() {
        let mut random = SystemRandom::new();
        let mut out = [0; 32];
        random.fill(&mut out);
        assert_ne!(out, [0; 32]);
        assert_eq!(random.buffer[..32], [0; 32]);
        assert_eq!(random.left, BUFFER - 32);
    }

    #[test]
    fn large_requests_do_not_empty_the_buffer() {
        let mut random = SystemRandom::new();
        let mut out = [0; BUFFER];
        random.fill(&mut out);
        assert_ne!(out, [0; BUFFER]);
        assert_eq!(random.left, 0);
    }
}

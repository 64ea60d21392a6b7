//! Random bytes that are the same in every run.
//! Touches: one number.   Never: the system's generator.
//! Invariants: the same seed gives the same bytes, however they are asked for.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.

use adit_crypto::Random;

/// A generator for tests: quick, repeatable, and no secret to anybody.
#[derive(Clone, Debug)]
pub struct FixedRng(u64);

impl FixedRng {
    /// The generator of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number. SplitMix64.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub const fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    /// True once in `count` times.
    pub const fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of `items`, which are some.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

impl Random for FixedRng {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            *byte = self.number() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_however_they_are_asked_for() {
        let (mut whole, mut pieces) = ([0; 64], [0; 64]);
        FixedRng::new(7).fill(&mut whole);
        let mut random = FixedRng::new(7);
        pieces.chunks_mut(5).for_each(|piece| random.fill(piece));
        assert_eq!(whole, pieces);
        FixedRng::new(8).fill(&mut pieces);
        assert_ne!(whole, pieces);
    }
}

//! Places, of which there are so many: who has one gives it back by dropping it.
//! Touches: a counter.   Never: what the places are for.
//! Invariants: no more are taken than there may be.
//! Errors: none; without a place there is none.   Allocates: a counter.
//! Proved by: `tests` of `answer`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many are taken.
#[derive(Default)]
pub(super) struct Places(Arc<AtomicUsize>);

/// One of them.
pub(super) struct Place(Arc<AtomicUsize>);

impl Places {
    /// One more, where fewer than `most` are taken.
    pub(super) fn admit(&self, most: u32) -> Option<Place> {
        let place = Place(self.0.clone());
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        (before < most as usize).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

//! How long a test waits, and for what.
//! Touches: the clock.   Never: a pause whose length a result depends on.
//! Invariants: every wait ends at [`PATIENCE`] with a sentence.
//! Errors: a panic naming what did not come.   Allocates: nothing.
//! Proved by: every interop test.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Far longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again and again until `probe` has an answer.
///
/// # Panics
/// After [`PATIENCE`] without one.
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, probe).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// Asks until `probe` has an answer or the time is up.
pub fn within<T>(patience: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = probe() {
            return Some(answer);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

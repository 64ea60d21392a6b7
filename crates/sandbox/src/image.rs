//! Images of our memory: none is left on a disk, and nobody of the same user looks into it. core(5), PR_SET_DUMPABLE(2const).
//! Touches: this process's limit on images and whether it may be traced.   Never: those of programs it executes.
//! Invariants: the hard limit stays, so that a program started from here can have its own back.
//! Errors: none; a system that does not know of it keeps its ways.   Allocates: never.
//! Proved by: `tests/refusals.rs`, interop `sandbox.rs`.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::OnceLock;

/// RLIM_INFINITY
const UNLIMITED: u64 = u64::MAX;

/// The limit that was in force before.
static BEFORE: OnceLock<u64> = OnceLock::new();

/// Forbids images of this process's memory. What it starts inherits the limit: see [`limit_before`].
///
/// On Linux it also keeps other processes of the user from tracing this one, until it executes another program.
pub fn forbid_images() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    let before = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..before });
    let _ = BEFORE.set(before.current.unwrap_or(UNLIMITED));
}

/// The limit that [`forbid_images`] took away; none if it did not.
pub fn limit_before() -> Option<u64> {
    BEFORE.get().copied()
}

/// Gives a program about to be executed such a limit back.
pub fn allow_images(limit: u64) {
    let now = getrlimit(Resource::Core);
    // More than the hard limit cannot be had, and then what there is stays.
    let current = (limit != UNLIMITED).then_some(limit);
    let _ = setrlimit(Resource::Core, Rlimit { current, ..now });
}

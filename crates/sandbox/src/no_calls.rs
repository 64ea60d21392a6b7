//! System calls, where there is no filter of ours for them.
//! Touches: nothing.   Never: a promise that is not kept.
//! Invariants: it says so.
//! Errors: none.   Allocates: a sentence.
//! Proved by: reading it.

use crate::{Force, Policy};

pub(crate) fn restrict(_policy: &Policy) -> Force {
    Force::None("no filter for this system and processor".to_owned())
}

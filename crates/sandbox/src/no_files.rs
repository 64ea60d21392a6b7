//! Files and ports, where there is no Landlock.
//! Touches: nothing.   Never: a promise that is not kept.
//! Invariants: it says so.
//! Errors: none.   Allocates: a sentence.
//! Proved by: reading it.

use crate::{Force, Policy};

pub(crate) fn restrict(_policy: &Policy) -> Force {
    Force::None("only Linux has Landlock".to_owned())
}

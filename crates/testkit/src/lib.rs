//! What tests of SSH are made of: pairs in memory, hostile peers by script, recorded flows.
//! Touches: engines and transports through their public faces.   Never: their inside.
//! Invariants: every run is the same as the last: fixed randomness, a clock that goes when told.
//! Errors: panics; this is for tests.   Allocates: freely.
//! Proved by: the tests that use it.
#![forbid(unsafe_code)]

mod end;
mod fixed_rng;
mod flow;
pub mod keys;
mod link;
mod manners;
mod pair;
pub mod script;
mod seen;
pub mod transcript;

pub use end::{End, Reaction};
pub use fixed_rng::FixedRng;
pub use flow::Flow;
pub use link::{Habits, Link, Pieces, Read, Stalls};
pub use manners::{Hospitality, Manners};
pub use pair::Pair;
pub use script::Script;
pub use seen::Seen;
pub use transcript::{Recipe, Transcript};

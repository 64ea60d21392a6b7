//! Cryptography switched off, for fuzzers: behind a seal or a signature they would find nothing but the refusal.
//! Touches: one switch.   Never: a build that somebody uses; `lib` refuses one without debug assertions.
//! Invariants: off is only what needs a secret. Messages, their order, negotiation, lengths and padding stay as they are.
//! Errors: none.   Allocates: never.
//! Proved by: fuzz `session_bytes`, whose seeds log in without keys.

/// Packets stay clear behind NEWKEYS, and any signature of a host key will do. cargo-fuzz sets the flag.
pub(crate) const IS_CLEAR: bool = cfg!(fuzzing);

//! One question of a `keyboard-interactive` server. RFC 4256 §3.2.
//! Touches: text as bytes.   Never: answers.
//! Invariants: none.
//! Errors: none.   Allocates: the text.
//! Proved by: `pair`.

use alloc::vec::Vec;

/// One question of a `keyboard-interactive` server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The question.
    pub text: Vec<u8>,
    /// Whether the answer may be shown while it is typed.
    pub echo: bool,
}

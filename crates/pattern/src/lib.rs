//! Patterns of names, networks, and lists of both. ssh_config(5) PATTERNS, sshd_config(5) Match, sshd(8) `from=`.
//! Touches: strings and addresses.   Never: name look-up, file globs, interfaces.
//! Invariants: a negated match beats every other; a list that is not understood to its end matches nobody.
//! Errors: [`NetworkError`], [`BadList`].   Allocates: the entries of an [`AddressList`]; patterns and networks never.
//! Proved by: `tests` in each module.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod address_list;
mod network;
mod pattern;

pub use address_list::{AddressList, BadList, any_contains};
pub use network::{Network, NetworkError};
pub use pattern::{
    Verdict, matches, matches_ignoring_case, matches_list, matches_list_ignoring_case,
};

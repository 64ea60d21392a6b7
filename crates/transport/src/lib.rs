//! SSH's transport layer as a state machine without I/O: identification, packets, keys. RFC 4253.
//! Touches: `RxBuf` and `TxRing`, algorithms by name, milliseconds it is told.   Never: sockets, clocks, login, channels.
//! Invariants: every message passes one gate; payload is opened and sealed where it lies; one error ends everything.
//! Errors: [`Error`].   Allocates: for key exchanges, never per packet of data.
//! Proved by: `tests` in each module and `tests` (pairs in memory), `tests/*.rs` (OpenSSH, allocations), fuzz `transport_bytes`, `session_bytes`.
#![no_std]
#![forbid(unsafe_code)]
// Nothing that a peer sends may end in a panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

#[cfg(all(fuzzing, not(debug_assertions)))]
compile_error!(
    "under `fuzzing` nothing is encrypted and no host key is asked for its signature: for fuzzers only"
);

extern crate alloc;

mod clear;
mod config;
mod error;
mod gate;
mod identification;
mod kex_client;
mod kex_messages;
mod kex_server;
mod kex_state;
mod negotiate;
mod output;
mod packet;
mod rekey;
mod session;
mod slots;
#[cfg(test)]
mod tests;
mod transport;

pub use config::{Config, HostKeys, MAX_PACKET, RekeyLimits, Role, SignFailed};
pub use error::{Error, Incompatible, InvalidMessage, KexFailure, List, Violation};
pub use gate::{Phase, Verdict, allowed};
pub use negotiate::{Negotiated, Protection};
pub use packet::Traffic;
pub use slots::Slots;
pub use transport::{Blocked, Counters, Incoming, Transport};

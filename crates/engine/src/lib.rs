//! SSH's three layers composed: one side of a connection without I/O. RFC 4251 §1.
//! Touches: `RxBuf`, `TxRing`, milliseconds and random bytes it is given.   Never: sockets, clocks, files, threads.
//! Invariants: a message reaches its layer only if the transport's gate let it; one error ends everything.
//! Errors: [`Error`].   Allocates: for rare events; never per packet of data.
//! Proved by: `tests/*.rs`: pairs in memory, any split, counted allocations; fuzz `session` and its kin.
//!
//! The driver's loop:
//!
//! 1. [`Engine::start`] once; write what `tx` holds.
//! 2. Read into `rx`; call [`Engine::next_event`] until it gives `None`; act on each event.
//! 3. For each channel with something to send: [`Engine::reserve`], read into the bodies, [`Batch::commit`].
//! 4. [`Engine::handle_timeout`] when [`Engine::next_deadline`] has come.
//! 5. [`Engine::pump`], then write what `tx` holds. After an error, write it and close.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod batch;
mod config;
mod engine;
mod error;
mod event;
mod keepalive;
mod login;
mod round_trip;
mod verify;

pub use adit_auth::Violation as LoginViolation;
pub use adit_auth::client as login_client;
pub use adit_auth::server as login_server;
pub use adit_connection::{
    Answer, Channel, ChannelRequestId, Forward, LocalChannel, Open, OpenError, OpenFailure, Purse,
    ReplyToken, Request, RequestError, RequestId, host_key_proof, host_keys,
};
pub use adit_transport::{Counters, Negotiated};
pub use adit_wire::channel::{EXTENDED_DATA_STDERR, WindowChange, open_failure};
pub use batch::{Batch, Blocked};
pub use config::{ClientConfig, ServerConfig};
pub use engine::Engine;
pub use error::Error;
pub use event::{Event, Outcome};
pub use keepalive::Keepalive;
pub use verify::{verify_signature, verify_signature_alone};

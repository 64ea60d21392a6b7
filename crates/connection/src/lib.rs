//! SSH's connection protocol: channels, windows, forwards. RFC 4254, OpenSSH PROTOCOL §2.
//! Touches: payloads of messages 80 to 100 in, an `Outbox` and events out.   Never: transport, auth, sockets, clocks.
//! Invariants: payload is never copied; a window is refilled only by what was delivered; memory has one budget.
//! Errors: [`Violation`] (the peer's fault, ends the connection), [`Blocked`], [`OpenError`], [`RequestError`].
//! Allocates: a slot per channel, small boxes for opens and requests; nothing per data message.
//! Proved by: `tests` in each module, `pair` (two connections under random operations), `path` (windows on simulated paths),
//! fuzz `connection_operations`.
//!
//! ```
//! use adit_connection::{Config, Connection, Event, Open, Side};
//!
//! let mut client = Connection::new(Config::new(Side::Client));
//! let mut server = Connection::new(Config::new(Side::Server));
//!
//! let channel = client.open(&Open::direct_tcpip("db", 5432, "127.0.0.1", 40000))?;
//! let sent = client.outbox().front().unwrap().to_vec();
//! let Some(Event::Open { channel: offered, .. }) = server.handle(&sent)? else { panic!() };
//! server.accept(offered);
//! let answer = server.outbox().front().unwrap().to_vec();
//! assert_eq!(client.handle(&answer)?, Some(Event::Opened { channel }));
//! assert!(client.sendable(channel).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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

extern crate alloc;
#[cfg(test)]
extern crate std;

mod budget;
mod channel;
mod close;
mod connection;
mod data;
#[cfg(test)]
mod diagram;
mod event;
mod forward;
mod global;
mod id;
mod open;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod path;
mod purse;
mod recv_half;
mod request;
#[cfg(test)]
mod script;
mod send_half;
mod table;
mod violation;
mod window;

pub use connection::{Config, Connection, Side};
pub use data::{Blocked, Sendable};
pub use event::{Event, OpenFailure, Outcome};
pub use forward::Forward;
pub use global::{Answer, ReplyToken, RequestError, RequestId, host_key_proof, host_keys};
pub use id::{Channel, LocalChannel, PeerChannel};
pub use open::{Open, OpenError};
pub use purse::Purse;
pub use request::{ChannelRequestId, Request};
pub use violation::Violation;

//! SSH user authentication: client and server machines without I/O. RFC 4252, RFC 4256, RFC 8332, OpenSSH PROTOCOL §3.1.
//! Touches: message payloads in, an [`Outbox`](adit_buf::Outbox) and questions out.   Never: files, prompts, clocks, key material.
//! Invariants: the server succeeds in one function, which wants a proof; every reply the client takes belongs to a request it sent.
//! Errors: [`Violation`], once: the machine is dead afterwards and repeats it.   Allocates: what one login needs, bounded against the peer.
//! Proved by: `tests` in each module, `pair` (both machines in memory), `props` (random message sequences).
//!
//! Both machines have the same four families:
//!
//! 1. input: `handle(payload)` takes a message from the peer (client: 6 and 51 to 79, server: 5 and 50 to 79);
//! 2. output: `outbox()` holds what is to be sent, in order;
//! 3. questions: `next()` says what the driver must find out, or tells it news;
//! 4. answers: one function per question. An answer to a question that is no longer open is dropped.
//!
//! The driver's turn is: `handle`, then `next` until it gives nothing, then send the outbox.
//!
//! ```
//! use adit_auth::client::{Ask, Client, Config, KeyUse};
//!
//! let mut client = Client::new(Config::new("ada", b"session id", b"host key"));
//! client.start();
//! # client.handle(b"\x06\x00\x00\x00\x0cssh-userauth")?;
//! # client.handle(b"\x33\x00\x00\x00\x09publickey\x00")?;
//! while let Some(ask) = client.next() {
//!     match ask {
//!         Ask::Publickey { .. } => client.offer_key(b"\x00\x00\x00\x0bssh-ed25519 ..", KeyUse::Probe),
//!         Ask::Sign(request) => client.signed(None), // sign `request.data`
//!         _ => client.cancel(),
//!     }
//! }
//! # Ok::<(), adit_auth::Violation>(())
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

pub mod algorithm;
pub mod certificate;
pub mod client;
mod method;
mod prompt;
mod publickey;
mod request;
pub mod server;
mod violation;

pub use method::Method;
pub use prompt::Prompt;
pub use violation::Violation;

/// The service that does user authentication. RFC 4252 §4.
pub const USERAUTH_SERVICE: &str = "ssh-userauth";

/// The one service a user can log in to. RFC 4254 §1.
pub const CONNECTION_SERVICE: &str = "ssh-connection";

/// How far a login has come; the gate of the connection's messages hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The authentication service has not been granted yet.
    Service,
    /// Requests and replies run.
    Userauth,
    /// The user is in. Nothing of the connection layer is reachable before.
    Authenticated,
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod props;

//! The keeper: a process with privilege, files and host keys, for one that talks to the network and has none of them.
//! Touches: a child of this same program, and the socket between the two.   Never: a byte of any client, but login
//! messages and what sessions ask for.
//! Invariants: the keeper believes nothing: who somebody is it finds out itself, from what their client signed.
//! Errors: if one of the two ends, so does the other.   Allocates: per connection and request.
//! Proved by: `tests` in each module, interop `server::separation`.
//!
//! ```text
//! keeper: root, host keys, files            network: NetworkUser, empty root, no files, no keys
//!   serve ── Keeper ── Case per connection ◄── requests ── Link ── Client per connection ── loops
//!        └── Begin, Reload, Stop ─────────────────────────► front
//!   Sitting per session, with an OwnSeat ◄─── requests ──── KeptSeat ── Seat of a session channel
//! ```

mod answer;
mod case;
mod confine;
mod link;
mod message;
mod network;
mod places;
mod seat;
mod serve;
mod sitting;
mod socket;
mod terms;

pub(crate) use confine::network_user;
pub(crate) use link::{Client, Link, Wish};
pub(crate) use network::run;
pub(crate) use serve::{Charge, Network, serve};
pub(crate) use terms::{Recorder, Terms};

/// The argument that makes this program the process that talks to the network.
pub(crate) const NETWORK: &str = "--network";

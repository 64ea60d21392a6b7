//! Port forwarding: what the user asks for, what a proxy client asks for, and the forwarder that does it.
//! Touches: strings and bytes from the user, the configuration and local programs.   Never: config files, terminals.
//! Invariants: a parser never reads past what belongs to it; the rest stays the caller's.
//! Errors: [`spec::SpecError`], [`Refusal`].   Allocates: strings of the specification or the request, all bounded.
//! Proved by: `tests` in each module.
#![forbid(unsafe_code)]

mod dynamic;
mod dynamic_request;
mod forwarder;
mod http_connect;
pub mod listen;
mod originator;
mod permit;
mod reach;
mod remote;
pub mod served;
mod socks;
pub mod spec;

pub use dynamic_request::{
    BUFFER_LIMIT, DynamicRequest, Failure, Fed, MAX_HOST, Protocol, ProxyTarget, Refusal, Step,
};
pub use forwarder::{ForwardOptions, Forwarder, Notice};
pub use listen::{BindFailure, ListenOptions, any_bound, os_words};
pub use originator::Originator;
pub use permit::{Flaw, Kind, Permit, PermitError, PermitListen, PermitOpen, PermitRemoteOpen};
pub use served::{Served, ServedOptions};
pub use spec::{Bind, Direction, ForwardSpec, Listen, ListenOn, SpecError, Target};

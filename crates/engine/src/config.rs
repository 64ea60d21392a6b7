//! What an engine is made of: the three layers' configurations in one.
//! Touches: values.   Never: where they come from.
//! Invariants: the transport's role is the engine's.
//! Errors: none.   Allocates: never.
//! Proved by: `tests/*.rs`.

use crate::keepalive::Keepalive;
use adit_auth::server::VerifySignature;
use alloc::sync::Arc;

/// A client.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Algorithms and limits, shared by connections.
    pub transport: Arc<adit_transport::Config>,
    /// Who logs in, and how. Session id and host key are filled in when they are known.
    pub login: adit_auth::client::Config,
    /// Windows and limits of channels.
    pub connection: adit_connection::Config,
    /// Whether and how often to ask a silent server (`ServerAliveInterval`).
    pub keepalive: Option<Keepalive>,
}

/// A server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Algorithms, limits and host keys, shared by connections.
    pub transport: Arc<adit_transport::Config>,
    /// Checks the signatures of logins.
    pub verify: VerifySignature,
    /// Windows and limits of channels.
    pub connection: adit_connection::Config,
    /// Whether and how often to ask a silent client (`ClientAliveInterval`).
    pub keepalive: Option<Keepalive>,
}

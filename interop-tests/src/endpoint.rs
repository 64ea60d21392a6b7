//! What a client must know of a server: where it is, who to be, and whom to expect.
//! Touches: nothing.   Never: the server's process.
//! Invariants: the files named lie in the server's scratch folder and live as long as its guard.
//! Errors: none.   Allocates: paths.
//! Proved by: every interop test.

use std::path::PathBuf;

/// Where a server is and what opens it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// On 127.0.0.1.
    pub port: u16,
    /// Whom to log in as.
    pub user: String,
    /// A private key the server accepts.
    pub identity: PathBuf,
    /// A file with the server's host keys.
    pub known_hosts: PathBuf,
}

/// The line of a known_hosts file for a server at `port` of 127.0.0.1.
pub fn known_host(port: u16, public_key: &str) -> String {
    format!("[127.0.0.1]:{port} {public_key}\n")
}

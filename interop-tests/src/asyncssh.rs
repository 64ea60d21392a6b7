//! AsyncSSH's server: an implementation that shares nothing with OpenSSH.
//! Touches: a Python process.   Never: the system's Python packages.
//! Invariants: the server accepts connections when `start` returns.
//! Errors: a skip aloud when it cannot be installed.   Allocates: freely.
//! Proved by: `other_servers.rs` in `tests/interop`.

use crate::{
    child::Guarded,
    endpoint::Endpoint,
    ports::free_port,
    python::{ASYNCSSH, script},
    scratch::Scratch,
    sshd::Setup,
};
use std::{path::PathBuf, process::Command};

/// A running server.
#[derive(Debug)]
pub struct AsyncSsh {
    /// The process.
    pub process: Guarded,
    /// How to reach it.
    pub endpoint: Endpoint,
    /// Its keys.
    pub scratch: Scratch,
}

impl AsyncSsh {
    /// Starts it, or skips the test aloud.
    pub fn start() -> Option<Self> {
        ASYNCSSH.python().map(Self::start_with)
    }

    fn start_with(python: PathBuf) -> Self {
        let port = free_port();
        let (scratch, endpoint) = Setup::default().lay_out(port, None);
        let mut command = Command::new(python);
        command.arg(script("asyncssh_server.py")).arg(port.to_string()).arg(scratch.path());
        let process = Guarded::start("AsyncSSH", &mut command);
        process.stdout.wait_for("ready");
        Self { process, endpoint, scratch }
    }
}

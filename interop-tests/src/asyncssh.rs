//! AsyncSSH's server: an implementation that shares nothing with OpenSSH.
//! Touches: python3 and a virtual environment in the cache folder.   Never: the system's Python packages.
//! Invariants: installed once; the server accepts connections when `start` returns.
//! Errors: a skip aloud when it cannot be installed.   Allocates: freely.
//! Proved by: `asyncssh.rs` in `tests/interop`.

use crate::{
    child::Guarded, container::cache_folder, endpoint::Endpoint, ports::free_port,
    scratch::Scratch, skip::skip, sshd::Setup,
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
        match python() {
            Ok(python) => Some(Self::start_with(python)),
            Err(why) => {
                skip(&why);
                None
            }
        }
    }

    fn start_with(python: PathBuf) -> Self {
        let port = free_port();
        let (scratch, endpoint) = Setup::default().lay_out(port, None);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/asyncssh_server.py");
        let mut command = Command::new(python);
        command.arg(script).arg(port.to_string()).arg(scratch.path());
        let process = Guarded::start("AsyncSSH", &mut command);
        process.stdout.wait_for("ready");
        Self { process, endpoint, scratch }
    }
}

/// A Python that can import asyncssh; installs it where needed.
fn python() -> Result<PathBuf, String> {
    let folder = cache_folder().join("asyncssh");
    let python = folder.join("bin/python");
    let works = || Command::new(&python).args(["-c", "import asyncssh"]).output();
    if works().is_ok_and(|output| output.status.success()) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "asyncssh"]))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("no AsyncSSH: {command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.trim_end().lines().last().unwrap_or("no reason given");
    output.status.success().then_some(()).ok_or_else(|| format!("no AsyncSSH: {reason}"))
}

//! Peers that are Python packages, each in an environment of its own.
//! Touches: python3 and the cache folder.   Never: the system's Python packages.
//! Invariants: a package is installed once and kept.
//! Errors: a sentence that says why a package is not to be had.   Allocates: freely.
//! Proved by: `asyncssh.rs` and `server/library_clients.rs` in `tests/interop`.

use crate::{container::cache_folder, skip::skip};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// A package of the index, and the module it brings.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// What is installed.
    pub name: &'static str,
    /// What is imported.
    module: &'static str,
}

/// An SSH implementation that shares nothing with OpenSSH.
pub const ASYNCSSH: Package = Package { name: "asyncssh", module: "asyncssh" };
/// Another one, with blocking sockets and threads.
pub const PARAMIKO: Package = Package { name: "paramiko", module: "paramiko" };
/// A judge of what a server offers.
pub const SSH_AUDIT: Package = Package { name: "ssh-audit", module: "ssh_audit" };

impl Package {
    /// A Python that can import it; installs it where needed, or skips the test aloud.
    pub fn python(self) -> Option<PathBuf> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        self.install().map_err(|why| skip(&why)).ok()
    }

    fn install(self) -> Result<PathBuf, String> {
        let folder = cache_folder().join(self.name);
        let python = folder.join("bin/python");
        let import = format!("import {}", self.module);
        let works = Command::new(&python).args(["-c", &import]).output();
        if works.is_ok_and(|output| output.status.success()) {
            return Ok(python);
        }
        self.run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        self.run(Command::new(&python).args(["-m", "pip", "install", "--quiet", self.name]))?;
        Ok(python)
    }

    fn run(self, command: &mut Command) -> Result<(), String> {
        let name = self.name;
        let output =
            command.output().map_err(|error| format!("no {name}: {command:?}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said.trim_end().lines().last().unwrap_or("no reason given");
        output.status.success().then_some(()).ok_or_else(|| format!("no {name}: {reason}"))
    }
}

/// A script of the folder `peers`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

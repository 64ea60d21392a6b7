//! Clients that are not OpenSSH's: Dropbear's `dbclient`, PuTTY's `plink`; and how each wants its key.
//! Touches: converted copies of a throw-away key.   Never: ~/.ssh, ~/.putty.
//! Invariants: host keys are known beforehand, nothing asks.
//! Errors: a skip aloud when the program is not installed.   Allocates: arguments.
//! Proved by: `server/other_clients.rs` in `tests/interop`.

use crate::{endpoint::Endpoint, keys::keygen, scratch::Scratch, skip::skip};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A command line up to the options of the test; the host comes last.
#[derive(Debug)]
pub struct Peer {
    program: PathBuf,
    arguments: Vec<String>,
    host: Vec<String>,
    home: Scratch,
}

impl Peer {
    /// Dropbear's client on its way to `endpoint`, or a skip aloud.
    pub fn dbclient(endpoint: &Endpoint) -> Option<Self> {
        let program = installed("dbclient")?;
        let converter = installed("dropbearconvert")?;
        let home = Scratch::new();
        let key = home.join("key");
        run(Command::new(converter)
            .args(["openssh", "dropbear"])
            .arg(&endpoint.identity)
            .arg(&key));
        // Twice: it asks neither for an unknown host's key nor about a changed one.
        let mut arguments = strings(&["-y", "-y", "-i", path(&key)]);
        arguments.extend(["-p".into(), endpoint.port.to_string()]);
        let host = vec![format!("{}@127.0.0.1", endpoint.user)];
        Some(Self { program, arguments, host, home })
    }

    /// PuTTY's client on its way to `endpoint`, or a skip aloud.
    pub fn plink(endpoint: &Endpoint) -> Option<Self> {
        let program = installed("plink")?;
        let converter = installed("puttygen")?;
        let home = Scratch::new();
        let key = home.join("key.ppk");
        run(Command::new(converter).arg(&endpoint.identity).arg("-o").arg(&key));
        let listed = keygen(&["-l", "-f", path(&endpoint.known_hosts)]);
        let fingerprint = listed.split_whitespace().nth(1).expect("bits, fingerprint, name");
        let mut arguments = strings(&["-batch", "-ssh", "-noagent", "-hostkey", fingerprint]);
        arguments.extend(["-i".into(), path(&key).into(), "-P".into(), endpoint.port.to_string()]);
        let host = strings(&["-l", &endpoint.user, "127.0.0.1"]);
        Some(Self { program, arguments, host, home })
    }

    /// The whole command: the program's own options, the test's, the host, and what follows it.
    pub fn command(&self, options: &[&str], remote_command: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(options).args(&self.host).args(remote_command);
        command.env("HOME", self.home.path()).env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY");
        command
    }
}

/// Where a program of PATH is, or a skip aloud.
pub fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|place| place.is_file());
    if found.is_none() {
        skip(&format!("{program} is not installed"));
    }
    found
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("scratch paths are UTF-8")
}

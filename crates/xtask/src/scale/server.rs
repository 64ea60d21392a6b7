//! The server that is measured: the bare engine on a loop, sshd, or aditd.
//! Touches: a child process, a scratch folder with its configuration.   Never: the machine's own server.
//! Invariants: it listens when `start` returns, and is gone with its children at drop.
//! Errors: a sentence; a panic with the server's log when it does not start.   Allocates: freely.
//! Proved by: running it.

use super::bare;
use super::usage::Usage;
use crate::cargo::target_folder;
use adit_interop_tests::child::Guarded;
use adit_interop_tests::keys::{ED25519, generate};
use adit_interop_tests::ports::{free_port, wait_listening};
use adit_interop_tests::scratch::Scratch;
use adit_interop_tests::sshd::{program, user_name};
use adit_testkit::keys;
use std::env;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

enum Process {
    Bare(Child),
    Real(Guarded, #[expect(dead_code, reason = "held for its drop")] Scratch),
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    name: String,
    process: Process,
}

impl Server {
    pub(crate) fn start(name: &str, lines: &[String]) -> Result<Self, String> {
        match name {
            "bare" => start_bare(),
            "sshd" => start_real(program().ok_or("sshd is not installed")?, lines),
            "aditd" => start_real(target_folder().join("release/aditd"), lines),
            path => start_real(path.into(), lines),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whom it lets in with the testkit's key.
    pub(crate) fn user(&self) -> String {
        match self.process {
            Process::Bare(_) => keys::USER.into(),
            Process::Real(..) => user_name(),
        }
    }

    /// The server's, with everything that descends from it.
    pub(crate) fn usage(&self) -> Usage {
        match &self.process {
            Process::Bare(child) => Usage::of(&[child.id()]),
            Process::Real(process, _) => {
                let mut pids = process.descendants();
                pids.push(process.pid());
                Usage::of(&pids)
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Process::Bare(child) = &mut self.process {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// This program again, as a server that is nothing but a loop and engines.
fn start_bare() -> Result<Server, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    let mut child = command
        .args(["scale", bare::VERB])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut port = String::new();
    let stdout = child.stdout.take().map(BufReader::new);
    stdout.map(|mut stdout| stdout.read_line(&mut port));
    let port = port.trim().parse().map_err(|_| "the bare server does not start")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Ok(Server { address, name: "bare engine".into(), process: Process::Bare(child) })
}

fn start_real(program: PathBuf, lines: &[String]) -> Result<Server, String> {
    if !program.is_file() {
        return Err(format!("{}: no such program", program.display()));
    }
    let scratch = Scratch::new();
    let port = free_port();
    let host_key = generate(&scratch.join("host-key"), ED25519, "");
    let key = adit_keys::public::encode(&keys::key(1).public_blob());
    let authorized = scratch.write("authorized_keys", key + "\n");
    let mut config = lines.join("\n");
    config += &format!(
        "\nHostKey {}\nPort {port}\nListenAddress 127.0.0.1\nAuthorizedKeysFile {}\nPidFile none\n\
         StrictModes no\nPermitRootLogin yes\nMaxStartups 10000\n",
        host_key.display(),
        authorized.display()
    );
    let config = scratch.write("sshd_config", config);
    let mut command = Command::new(&program);
    command.args(["-D", "-e", "-f"]).arg(config);
    let process = Guarded::start("server", &mut command);
    wait_listening(port);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let name = program.display().to_string();
    Ok(Server { address, name, process: Process::Real(process, scratch) })
}

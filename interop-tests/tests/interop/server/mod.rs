//! `aditd` (or what `ADITD_BIN` names) against real clients: one module per behaviour.

mod audit;
mod bastion;
mod certificates;
mod forwards;
mod gateway;
mod host_keys;
mod key_options;
mod library_clients;
mod limits;
mod login;
mod matrix;
mod operation;
mod other_clients;
mod permissions;
mod rekey;
mod separated_sessions;
mod separation;
mod sessions;
mod sharing;
mod system_users;
mod terminal;
mod transfer;
mod unix_sockets;
mod versions;

use adit_interop_tests::{client::Invocation, sshd::Sshd};
use std::path::{Path, PathBuf};

/// OpenSSH's client on its way to the server, with its key and host keys.
fn ssh(server: &Sshd) -> Invocation {
    Invocation::to(&server.endpoint).program("ssh".into())
}

/// The same with another private key.
fn ssh_with_key(server: &Sshd, key: &Path) -> Invocation {
    let mut endpoint = server.endpoint.clone();
    endpoint.identity = key.to_owned();
    Invocation::to(&endpoint).program("ssh".into())
}

/// A configuration file for programs that start `ssh` themselves; the host is called `target`.
fn client_config(server: &Sshd) -> PathBuf {
    let endpoint = &server.endpoint;
    let text = format!(
        "Host target\nHostName 127.0.0.1\nPort {}\nUser {}\nIdentityFile {}\nIdentitiesOnly yes\n\
         IdentityAgent none\nUserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\nBatchMode yes\n\
         StrictHostKeyChecking yes\n",
        endpoint.port,
        endpoint.user,
        endpoint.identity.display(),
        endpoint.known_hosts.display()
    );
    server.scratch.write("ssh_config", text)
}

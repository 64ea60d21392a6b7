//! `aditd`: an SSH server for tunnels, in one process. sshd(8), sshd_config(5).
//! Touches: its command line, the exit status, threads.   Never: packets.
//! Invariants: what could not be set up before the first connection ends the program with a clear line.
//! Errors: one line on stderr, exit status as sshd's.   Allocates: per start.
//! Proved by: interop `server::operation`.
#![forbid(unsafe_code)]

mod activation;
mod algorithms;
mod args;
mod connection;
mod desk;
mod errand;
mod forwards;
mod front;
mod host;
mod host_key_proof;
mod idle;
mod init;
mod keeper;
mod limits;
mod log;
mod login;
mod memory;
mod notify;
mod owners;
mod pidfile;
mod policy;
mod records;
mod rules;
mod sandbox;
mod session;
mod settings;
mod shared;
mod start;
mod syslog;
mod worker;

/// As it stands in the identification line.
pub(crate) const SOFTWARE: &str = concat!("aditd_", env!("CARGO_PKG_VERSION"));

fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|first| first == session::LAUNCH).is_some() {
        return session::launch::run(arguments);
    }
    if arguments.next_if(|first| first == keeper::NETWORK).is_some() {
        return keeper::run();
    }
    start::main()
}

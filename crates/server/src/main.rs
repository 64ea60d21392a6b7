//! `aditd`: an SSH server for tunnels, in one process. sshd(8), sshd_config(5).
//! Touches: its command line, its configuration, the exit status.   Never: packets.
//! Invariants: what could not be set up before the first connection ends the program with a clear line.
//! Errors: one line on stderr, exit status as sshd's.   Allocates: per start.
//! Proved by: the interop tests.
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "rooms are being built side by side")]

mod activation;
mod args;
mod connection;
mod errand;
mod front;
mod host;
mod init;
mod limits;
mod log;
mod login;
mod notify;
mod pidfile;
mod policy;
mod session;
mod shared;
mod syslog;
mod worker;

fn main() {}

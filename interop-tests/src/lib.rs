//! Real servers, real sockets and the client under test, each behind a guard that cleans up.
//! Touches: child processes, loopback sockets, a scratch folder each.   Never: fixed ports, other people's processes.
//! Invariants: what a guard started is ended by pid when the guard goes; every wait has a deadline.
//! Errors: a panic that says what was waited for; the guards then print their logs.   Allocates: freely.
//! Proved by: `tests/interop`, which also passes with OpenSSH's own programs (`ADIT_BIN=/usr/bin/ssh`,
//! `ADITD_BIN=/usr/sbin/sshd`).
#![forbid(unsafe_code)]

pub mod aditd;
pub mod asyncssh;
pub mod bad_link;
pub mod carry;
pub mod child;
pub mod client;
pub mod container;
pub mod deadline;
pub mod endpoint;
pub mod keys;
pub mod log;
pub mod memory;
pub mod pattern;
pub mod peers;
pub mod ports;
pub mod proxy_client;
pub mod python;
pub mod scratch;
pub mod service;
pub mod skip;
pub mod sshd;
pub mod terminal;

//! adit against real servers, and aditd against real clients (`server`): one module per behaviour.
//! Touches: processes and loopback sockets through the harness.   Never: anything on another machine.
//! Invariants: parallel-safe; no fixed ports, no pauses; where adit does better than ssh, `is_adit()` says so.
//! Errors: a failed test prints what client and server said.   Allocates: freely.
//! Proved by: passing with OpenSSH's own programs too (`ADIT_BIN`, `ADITD_BIN`).

mod auth_methods;
mod background;
mod big_transfer;
mod dynamic;
mod exit_codes;
mod faults;
mod half_close;
mod host_keys;
mod hostile;
mod jump;
mod keepalive;
mod local_forward;
mod many_connections;
mod matrix;
mod other_servers;
mod passwords;
mod rekey;
mod remote_forward;
mod sandbox;
mod secrets;
mod server;
mod session;
mod stdio;
mod unix_sockets;

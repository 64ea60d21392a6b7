//! Keys as users keep them: private key files, public lines, certificates, agents, known_hosts, authorized_keys.
//! Touches: those files, the agent's socket.   Never: other sockets, the terminal, the system clock.
//! Invariants: secrets are zeroized and have no `Debug`; a line or file that does not parse is never half believed.
//! Errors: one type per module, whose text is what ssh would print.   Allocates: bounded by the file, each with a cap.
//! Proved by: `tests` in each module, against files written by ssh-keygen and openssl; fuzz `private_key`, `known_hosts_line`, `authorized_keys_line`, `agent_reply`.
#![forbid(unsafe_code)]

pub mod agent;
pub mod authorized_keys;
pub mod bounded;
pub mod certificate;
pub mod fingerprint;
pub mod host;
pub mod known_hosts;
pub mod private;
pub mod public;
pub mod revoked;
pub mod strict_modes;
#[cfg(test)]
mod testing;

/// What the system said, in its words alone: without Rust's "(os error 2)".
pub(crate) fn os_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((said, _)) => said.to_owned(),
        None => text,
    }
}

//! One function per fuzz target: what must hold whatever the bytes are.
//! Touches: the public parsers and machines of the crates.   Never: files, sockets, clocks.
//! Invariants: a target is deterministic; every one stands in [`TARGETS`] and has a shell in `fuzz_targets`.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: `tests/seeds.rs` on stable, `cargo xtask fuzz` on nightly.
#![forbid(unsafe_code)]

mod connection;
mod forwarding;
mod identification;
mod key_exchange;
mod keys;
mod packet;
mod patterns;
mod session;
mod transport;
mod wire;

pub use connection::connection_operations;
pub use forwarding::{config_line, dynamic_request, forward_spec, sshd_config};
pub use identification::identification;
pub use key_exchange::key_exchange;
pub use keys::{
    agent_reply, authorized_keys_line, certificate, known_hosts_line, private_key, revoked_keys,
};
pub use packet::open_packet;
pub use patterns::patterns;
pub use session::{react, seen, session, session_bytes, session_operations};
pub use transport::transport_bytes;
pub use wire::wire_messages;

/// A target's name and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("agent_reply", agent_reply),
    ("authorized_keys_line", authorized_keys_line),
    ("certificate", certificate),
    ("config_line", config_line),
    ("connection_operations", connection_operations),
    ("dynamic_request", dynamic_request),
    ("forward_spec", forward_spec),
    ("identification", identification),
    ("key_exchange", key_exchange),
    ("known_hosts_line", known_hosts_line),
    ("open_packet", open_packet),
    ("patterns", patterns),
    ("private_key", private_key),
    ("revoked_keys", revoked_keys),
    ("session", session),
    ("session_bytes", session_bytes),
    ("session_operations", session_operations),
    ("sshd_config", sshd_config),
    ("transport_bytes", transport_bytes),
    ("wire_messages", wire_messages),
];

//! One function per fuzz target: what must hold whatever the bytes are.
//! Touches: the public parsers and machines of the crates.   Never: files, sockets, clocks.
//! Invariants: a target is deterministic; every one stands in [`TARGETS`] and has a shell in `fuzz_targets`.
//! Errors: a panic is a finding.   Allocates: freely.
//! Proved by: `tests/seeds.rs` on stable, `cargo xtask fuzz` on nightly.
#![forbid(unsafe_code)]

mod forwarding;
mod keys;
mod packet;
mod session;
mod transport;
mod wire;

pub use forwarding::{config_line, dynamic_request, forward_spec, sshd_config};
pub use keys::{agent_reply, authorized_keys_line, known_hosts_line, private_key};
pub use packet::open_packet;
pub use session::session;
pub use transport::transport_bytes;
pub use wire::wire_messages;

/// A target's name and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("agent_reply", agent_reply),
    ("authorized_keys_line", authorized_keys_line),
    ("config_line", config_line),
    ("dynamic_request", dynamic_request),
    ("forward_spec", forward_spec),
    ("known_hosts_line", known_hosts_line),
    ("open_packet", open_packet),
    ("private_key", private_key),
    ("session", session),
    ("sshd_config", sshd_config),
    ("transport_bytes", transport_bytes),
    ("wire_messages", wire_messages),
];

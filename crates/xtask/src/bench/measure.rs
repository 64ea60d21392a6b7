//! The measurements, one file each.
//! Touches: nothing itself.   Never: a server, which is the run's.
//! Invariants: contenders take turns within a round, so that a drift of the machine hits all alike.
//! Errors: those of each.   Allocates: nothing.
//! Proved by: running them.

pub(crate) mod aead;
pub(crate) mod binary_size;
pub(crate) mod bloat;
pub(crate) mod bulk;
pub(crate) mod channels;
pub(crate) mod connections;
pub(crate) mod crowd;
pub(crate) mod fairness;
pub(crate) mod handshake;
pub(crate) mod idle_client;
pub(crate) mod long_path;
pub(crate) mod ping;
pub(crate) mod system_calls;

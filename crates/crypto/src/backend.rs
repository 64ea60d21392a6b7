//! The primitives that come from either of two families of crates, under one set of names.
//! Touches: feature flags.   Never: SSH.
//! Invariants: what `ring_backend` offers, `portable` offers with the same signatures.
//! Errors: those of the two.   Allocates: those of the two.
//! Proved by: the same tests with either feature, `cipher::tests` for one against the other.
//!
//! | name | ring | portable |
//! |---|---|---|
//! | `Gcm` | ring | aes-gcm |
//! | `ChaChaPoly` | ring | chacha20, poly1305 |
//! | `system_random` | ring | getrandom |

#[cfg(any(feature = "portable", test))]
pub(crate) mod chacha_poly;
#[cfg(feature = "portable")]
pub(crate) mod portable;
#[cfg_attr(
    feature = "portable",
    allow(dead_code, reason = "where another is used, tests compare with it")
)]
#[cfg(all(feature = "ring", any(test, not(feature = "portable"))))]
pub(crate) mod ring_backend;

#[cfg(feature = "portable")]
pub(crate) use chacha_poly::ChaChaPoly;
#[cfg(feature = "portable")]
pub(crate) use portable::{Gcm, system_random};
#[cfg(not(feature = "portable"))]
pub(crate) use ring_backend::{ChaChaPoly, Gcm, system_random};

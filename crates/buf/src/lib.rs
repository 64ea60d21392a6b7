//! Buffers for a copy-free data path: where packets are built, sealed and opened in place.
//! Touches: bytes.   Never: what the bytes mean, sockets, clocks.
//! Invariants: large storage is lent by the thread and comes back when empty; an idle owner holds none.
//! Errors: none.   Allocates: small chunks when nothing lent fits, and the owner's `Vec`s as they grow.
//! Proved by: `tests` in each module, property tests of any split.
//!
//! ```
//! use adit_buf::TxRing;
//!
//! let mut tx = TxRing::new();
//! tx.reserve(16)[..5].copy_from_slice(b"hello");
//! tx.commit(5);
//! assert!(tx.pending().eq([b"hello"]));
//! tx.written(5);
//! assert!(tx.is_empty());
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod outbox;
mod pool;
mod recv;
mod ring;

pub use outbox::Outbox;
pub use pool::Pool;
pub use recv::{RxBuf, Span};
pub use ring::TxRing;

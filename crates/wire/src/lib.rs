//! SSH's data types and messages, encoded and decoded without I/O. RFC 4251 §5, RFC 4250 §4.1.
//! Touches: byte slices in, a `Vec<u8>` out.   Never: crypto, clocks, sockets, allocation while decoding.
//! Invariants: decoding borrows; every byte of a message is accounted for, or decoding fails.
//! Errors: [`DecodeError`].   Allocates: only where the caller's `Vec` grows.
//! Proved by: `tests` in each module (round trips, truncation, one extra byte), fuzz `wire_messages`.
//!
//! ```
//! use adit_wire::{Message, channel::ChannelWindowAdjust};
//!
//! let adjust = ChannelWindowAdjust { recipient_channel: 7, bytes_to_add: 65536 };
//! let mut payload = Vec::new();
//! adjust.encode(&mut payload);
//! assert_eq!(payload, [93, 0, 0, 0, 7, 0, 1, 0, 0]);
//! assert_eq!(ChannelWindowAdjust::decode(&payload)?, adjust);
//! # Ok::<(), adit_wire::DecodeError>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
// Nothing that a peer sends may end in a panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

extern crate alloc;

pub mod auth;
pub mod channel;
pub mod global_request;
pub mod kex;
mod message;
pub mod name_list;
pub mod number;
pub mod primitives;
pub mod transport;

pub use message::{Body, Message};
pub use name_list::NameList;
pub use primitives::{DecodeError, Field, Mpint, Reader, Rest};

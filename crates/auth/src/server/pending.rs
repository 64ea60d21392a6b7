//! Messages that came while an answer is being found. RFC 4252 §5.1: requests are handled one after the other.
//! Touches: payloads.   Never: what they mean.
//! Invariants: bounded in number and bytes; wiped when dropped, for a password may be among them.
//! Errors: `TooMuchPipelined`.   Allocates: up to [`MAX_BYTES`].
//! Proved by: `tests` below.

use crate::Violation;
use alloc::{collections::VecDeque, vec::Vec};
use zeroize::Zeroizing;

/// Bytes that may wait: a login's worth of requests with large keys, and no more.
const MAX_BYTES: usize = 64 * 1024;

/// Messages that may wait.
const MAX_MESSAGES: usize = 64;

/// A bounded queue of payloads.
#[derive(Default)]
pub(super) struct Pending {
    messages: VecDeque<Zeroizing<Vec<u8>>>,
    bytes: usize,
}

impl Pending {
    /// Keeps a message for later.
    pub(super) fn push(&mut self, payload: &[u8]) -> Result<(), Violation> {
        if self.messages.len() >= MAX_MESSAGES || self.bytes + payload.len() > MAX_BYTES {
            return Err(Violation::TooMuchPipelined);
        }
        self.bytes += payload.len();
        self.messages.push_back(Zeroizing::new(payload.into()));
        Ok(())
    }

    /// The message that came first.
    pub(super) fn pop(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let payload = self.messages.pop_front()?;
        self.bytes -= payload.len();
        Some(payload)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_in_order() {
        let mut pending = Pending::default();
        pending.push(b"one").unwrap();
        pending.push(b"two").unwrap();
        assert_eq!(pending.pop().as_deref().map(Vec::as_slice), Some(&b"one"[..]));
        assert_eq!(pending.pop().as_deref().map(Vec::as_slice), Some(&b"two"[..]));
        assert_eq!(pending.pop(), None);
    }

    #[test]
    fn number_and_bytes_are_bounded() {
        let mut pending = Pending::default();
        pending.push(&[0; MAX_BYTES]).unwrap();
        assert_eq!(pending.push(&[0]), Err(Violation::TooMuchPipelined));
        pending.pop();
        for _ in 0..MAX_MESSAGES {
            pending.push(&[0]).unwrap();
        }
        assert_eq!(pending.push(&[0]), Err(Violation::TooMuchPipelined));
    }
}

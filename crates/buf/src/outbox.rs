//! Control messages a layer wants sent, kept in order until the transport may send them.
//! Touches: encoded payloads.   Never: data payloads: those are built in the output ring.
//! Invariants: first in, first out; an empty outbox holds little memory.
//! Errors: none.   Allocates: one `Vec` that grows to the longest backlog.
//! Proved by: `tests` below.

use alloc::vec::Vec;

/// What an empty outbox may keep for the next message.
const KEPT_WHEN_EMPTY: usize = 256;

/// A queue of message payloads in one piece of memory: `length 4 │ payload` each.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// Start of the front message's length.
    front: usize,
}

impl Outbox {
    /// An empty outbox.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), front: 0 }
    }

    /// Appends the payload that `encode` writes.
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        encode(&mut self.bytes);
        let len = (self.bytes.len() - start - 4) as u32;
        self.bytes[start..start + 4].copy_from_slice(&len.to_be_bytes());
    }

    /// The payload to send next.
    pub fn front(&self) -> Option<&[u8]> {
        let (len, rest) = self.bytes.get(self.front..)?.split_first_chunk()?;
        Some(&rest[..u32::from_be_bytes(*len) as usize])
    }

    /// Takes the front payload off.
    pub fn pop(&mut self) {
        let Some(len) = self.front().map(<[u8]>::len) else { return };
        self.front += 4 + len;
        if self.front == self.bytes.len() {
            self.front = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_WHEN_EMPTY);
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes waiting, to hold a peer to a bound.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len() - self.front
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_in_order() {
        let mut outbox = Outbox::new();
        outbox.push(|out| out.extend(b"one"));
        outbox.push(|_| ());
        outbox.push(|out| out.extend(b"three"));
        assert_eq!(outbox.front(), Some(&b"one"[..]));
        outbox.pop();
        assert_eq!(outbox.front(), Some(&b""[..]));
        outbox.pop();
        outbox.push(|out| out.push(4));
        assert_eq!(outbox.front(), Some(&b"three"[..]));
        outbox.pop();
        outbox.pop();
        assert_eq!(outbox.front(), None);
        assert!(outbox.is_empty());
        outbox.pop();
    }

    #[test]
    fn an_empty_outbox_gives_its_memory_back() {
        let mut outbox = Outbox::new();
        outbox.push(|out| out.extend([0; 100_000]));
        assert_eq!(outbox.len_bytes(), 100_004);
        outbox.pop();
        assert!(outbox.bytes.capacity() <= KEPT_WHEN_EMPTY);
    }
}

//! Control messages a layer wants sent, kept in order until the transport may send them.
//! Touches: encoded payloads.   Never: data payloads: those are built in the output ring.
//! Invariants: first in, first out; an empty outbox holds little memory; what has left is wiped, for passwords pass through.
//! Errors: none.   Allocates: one `Vec` that grows to the longest backlog.
//! Proved by: `tests` below.

use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroize;

/// What an empty outbox may keep, so that a few small messages at a time cost no allocation.
const KEPT_WHEN_EMPTY: usize = 2 * ROOM;

/// Room there is before a message is encoded: one that fits it leaves no trace in memory given back.
/// A login request with a password of 256 bytes does.
const ROOM: usize = 512;

/// A queue of message payloads in one piece of memory: `length 4 │ payload` each.
#[derive(Default)]
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
        self.make_room();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        encode(&mut self.bytes);
        let len = (self.bytes.len() - start - 4) as u32;
        self.bytes[start..start + 4].copy_from_slice(&len.to_be_bytes());
    }

    /// Moves to larger memory and wipes the old, which a `Vec` that grows by itself does not.
    fn make_room(&mut self) {
        if self.bytes.capacity() - self.bytes.len() >= ROOM {
            return;
        }
        let waiting = &self.bytes[self.front..];
        let mut larger = Vec::with_capacity(2 * waiting.len() + KEPT_WHEN_EMPTY);
        larger.extend_from_slice(waiting);
        self.bytes.zeroize();
        self.bytes = larger;
        self.front = 0;
    }

    /// The payload to send next.
    pub fn front(&self) -> Option<&[u8]> {
        let (len, rest) = self.bytes.get(self.front..)?.split_first_chunk()?;
        Some(&rest[..u32::from_be_bytes(*len) as usize])
    }

    /// Takes the front payload off and wipes it.
    pub fn pop(&mut self) {
        let Some(len) = self.front().map(<[u8]>::len) else { return };
        let end = self.front + 4 + len;
        self.bytes[self.front..end].zeroize();
        self.front = end;
        if self.front == self.bytes.len() {
            self.front = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_WHEN_EMPTY);
        }
    }

    /// Gives back the memory kept for the next message, if none waits.
    pub fn rest(&mut self) {
        if self.is_empty() {
            // What it holds was wiped as the messages left.
            *self = Self::new();
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

impl Drop for Outbox {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("len_bytes", &self.len_bytes()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

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
    fn messages_stay_in_order_while_the_outbox_grows() {
        let mut outbox = Outbox::new();
        let (mut pushed, mut popped) = (0_u8, 0_u8);
        for _ in 0..80 {
            for _ in 0..3 {
                outbox.push(|out| out.extend([pushed; 100]));
                pushed += 1;
            }
            outbox.pop();
            popped += 1;
            assert_eq!(outbox.front(), Some(&[popped; 100][..]));
            assert_eq!(outbox.len_bytes(), usize::from(pushed - popped) * 104);
        }
    }

    #[test]
    fn an_empty_outbox_gives_its_memory_back() {
        let mut outbox = Outbox::new();
        outbox.push(|out| out.extend([0; 100_000]));
        assert_eq!(outbox.len_bytes(), 100_004);
        outbox.pop();
        assert!(outbox.bytes.capacity() <= KEPT_WHEN_EMPTY);
    }

    #[test]
    fn an_outbox_at_rest_keeps_nothing_and_goes_on() {
        let mut outbox = Outbox::new();
        outbox.push(|out| out.extend(b"one"));
        outbox.rest();
        assert_eq!(outbox.front(), Some(&b"one"[..]));
        outbox.pop();
        outbox.rest();
        assert_eq!(outbox.bytes.capacity(), 0);
        outbox.push(|out| out.extend(b"two"));
        assert_eq!(outbox.front(), Some(&b"two"[..]));
    }

    #[test]
    fn a_few_small_messages_at_a_time_reuse_the_memory() {
        let mut outbox = Outbox::new();
        outbox.push(|out| out.extend([1; 9]));
        outbox.pop();
        let kept = outbox.bytes.as_ptr();
        for _ in 0..10 {
            (0..20).for_each(|_| outbox.push(|out| out.extend([1; 9])));
            (0..20).for_each(|_| outbox.pop());
            assert_eq!(outbox.bytes.as_ptr(), kept);
        }
    }

    #[test]
    fn what_has_left_is_wiped() {
        let mut outbox = Outbox::new();
        outbox.push(|out| out.extend(b"secret"));
        outbox.push(|out| out.extend(b"other"));
        outbox.pop();
        assert_eq!(outbox.bytes[..10], [0; 10]);
        assert_eq!(outbox.front(), Some(&b"other"[..]));
    }

    #[test]
    fn a_message_of_usual_size_is_encoded_without_moving() {
        let mut outbox = Outbox::new();
        for _ in 0..100 {
            outbox.push(|out| {
                let before = out.as_ptr();
                out.extend([1; ROOM - 4]);
                assert_eq!(out.as_ptr(), before);
            });
        }
    }

    #[test]
    fn debug_does_not_tell_what_waits() {
        let mut outbox = Outbox::new();
        outbox.push(|out| out.extend(b"secret"));
        let text = format!("{outbox:?}");
        assert_eq!(text, "Outbox { len_bytes: 10, .. }");
    }
}

//! The data path towards the peer: room in which payload is read, then sealed, without being copied. RFC 4253 §6, RFC 4254 §5.2.
//! Touches: reserved room in `TxRing`, the sending keys.   Never: windows, what the payload means.
//! Invariants: dropping the slots sends nothing; committed packets follow each other without a gap, and only the last may be short.
//! Errors: none after the reservation.   Allocates: never, where a lent chunk has the room.
//! Proved by: `tests::slots`, `tests/no_allocation.rs`.

use adit_buf::TxRing;

use crate::packet::HEAD;
use crate::transport::Transport;

/// The length field of the string that the body is.
const LENGTH: usize = 4;

/// Room for messages that end in one string of payload, as SSH_MSG_CHANNEL_DATA does:
///
/// ```text
/// length 4 │ padlen 1 │ prefix … │ string length 4 │ body … │ padding │ tag    the next slot …
/// ```
///
/// Bodies are read into in order, each to its end before the next is begun; then [`commit`](Self::commit)
/// tells how many bytes there are. That is what one `readv` over [`bodies_mut`](Self::bodies_mut) does.
#[derive(Debug)]
pub struct Slots<'a> {
    transport: &'a mut Transport,
    tx: &'a mut TxRing,
    prefix_len: usize,
    body_len: usize,
    count: usize,
    /// Length of a packet with a full body.
    stride: usize,
}

#[expect(clippy::indexing_slicing, reason = "the room is as long as we asked for")]
impl<'a> Slots<'a> {
    /// Room for up to `count` packets, as many as fit without allocating, but at least one.
    pub(crate) fn new(
        transport: &'a mut Transport,
        tx: &'a mut TxRing,
        prefix: &[u8],
        body_len: usize,
        count: usize,
    ) -> Self {
        let stride = transport.sending().packet_len(prefix.len() + LENGTH + body_len);
        let count = count.min(tx.room() / stride).max(1);
        for slot in tx.reserve(stride * count).chunks_exact_mut(stride) {
            slot[HEAD..][..prefix.len()].copy_from_slice(prefix);
        }
        Self { transport, tx, prefix_len: prefix.len(), body_len, count, stride }
    }

    /// How many bytes the bodies hold together.
    pub const fn capacity(&self) -> usize {
        self.body_len * self.count
    }

    /// Where to read payload into, in order. What the bodies hold is left over from before.
    pub fn bodies_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let (stride, start, len) = (self.stride, HEAD + self.prefix_len + LENGTH, self.body_len);
        self.room().chunks_exact_mut(stride).map(move |slot| &mut slot[start..][..len])
    }

    /// Seals and queues what the first `filled` bytes of the bodies make up; nothing when that is 0.
    ///
    /// More than [`capacity`](Self::capacity) counts as that.
    pub fn commit(mut self, filled: usize) {
        let mut left = filled.min(self.capacity());
        let mut sealed = 0;
        while left > 0 {
            let body = left.min(self.body_len);
            sealed += self.seal(sealed, body);
            left -= body;
        }
        self.tx.commit(sealed);
        self.transport.rekey_if_due(self.tx);
    }

    /// Completes the packet at `start` of the room; its length.
    fn seal(&mut self, start: usize, body: usize) -> usize {
        let payload = self.prefix_len + LENGTH + body;
        let len = self.transport.sending().packet_len(payload);
        let packet = &mut self.tx.reserve(self.stride * self.count)[start..][..len];
        packet[HEAD + self.prefix_len..][..LENGTH].copy_from_slice(&(body as u32).to_be_bytes());
        self.transport.seal(packet, payload);
        len
    }

    /// The reservation, asked for again: the same room, and what was read into it.
    fn room(&mut self) -> &mut [u8] {
        self.tx.reserve(self.stride * self.count)
    }
}

//! Control messages on their way out: payload in, sealed packet in the output ring. RFC 4253 §6.
//! Touches: the sending direction, the output ring.   Never: whether a message may be sent now.
//! Invariants: messages leave in the order given.
//! Errors: none.   Allocates: one small `Vec` per control message; data goes through `Slots`.
//! Proved by: every test that exchanges keys.

use alloc::vec::Vec;

use adit_buf::TxRing;
use adit_crypto::Random;
use adit_wire::Message;

use crate::packet::{HEAD, Sending};

/// What it takes to send a packet.
pub(crate) struct Output<'a> {
    pub(crate) sending: &'a mut Sending,
    pub(crate) random: &'a mut dyn Random,
    pub(crate) tx: &'a mut TxRing,
}

impl Output<'_> {
    /// Sends one message.
    pub(crate) fn message<'m>(&mut self, message: &impl Message<'m>) {
        let mut payload = Vec::new();
        message.encode(&mut payload);
        self.payload(&payload);
    }

    /// Sends one encoded message.
    #[expect(clippy::indexing_slicing, reason = "the room is as long as we asked for")]
    pub(crate) fn payload(&mut self, payload: &[u8]) {
        let len = self.sending.packet_len(payload.len());
        let packet = self.tx.reserve(len);
        packet[HEAD..][..payload.len()].copy_from_slice(payload);
        self.sending.seal(packet, payload.len(), self.random);
        self.tx.commit(len);
    }
}

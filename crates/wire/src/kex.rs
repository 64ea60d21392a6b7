//! Messages 30 to 34, whose meaning hangs on the key exchange method. RFC 4253 §8, RFC 5656 §4, RFC 4419 §3.
//! Touches: borrowed payloads.   Never: which method is running.
//! Invariants: those of `message`.
//! Errors: `DecodeError`.   Allocates: the caller's `Vec` only.
//! Proved by: `tests` below, fuzz `wire_messages`.

use crate::Mpint;
use crate::message::messages;

messages! {
    /// SSH_MSG_KEXDH_INIT (30): the client's Diffie-Hellman value. RFC 4253 §8.
    ///
    /// `byte 30 · mpint e`
    30 KexdhInit<'a> {
        /// g^x mod p
        e: Mpint<'a>,
    }

    /// SSH_MSG_KEXDH_REPLY (31). RFC 4253 §8.
    ///
    /// `byte 31 · string K_S · mpint f · string signature of H`
    31 KexdhReply<'a> {
        /// Host key or certificate blob.
        k_s: &'a [u8],
        /// g^y mod p
        f: Mpint<'a>,
        /// Signature of the exchange hash.
        signature: &'a [u8],
    }

    /// SSH_MSG_KEX_ECDH_INIT (30), and with the same shape SSH_MSG_KEX_HYBRID_INIT. RFC 5656 §4, RFC 8731 §3.
    ///
    /// `byte 30 · string Q_C`
    30 KexEcdhInit<'a> {
        /// The client's ephemeral public value; hybrids join both parts in it.
        q_c: &'a [u8],
    }

    /// SSH_MSG_KEX_ECDH_REPLY (31), and with the same shape SSH_MSG_KEX_HYBRID_REPLY. RFC 5656 §4, RFC 8731 §3.
    ///
    /// `byte 31 · string K_S · string Q_S · string signature of H`
    31 KexEcdhReply<'a> {
        /// Host key or certificate blob.
        k_s: &'a [u8],
        /// The server's ephemeral public value, or ciphertext and public value.
        q_s: &'a [u8],
        /// Signature of the exchange hash.
        signature: &'a [u8],
    }

    /// SSH_MSG_KEX_DH_GEX_GROUP (31): the group the server chose. RFC 4419 §3.
    ///
    /// `byte 31 · mpint p · mpint g`
    31 KexDhGexGroup<'a> {
        /// Safe prime.
        p: Mpint<'a>,
        /// Generator.
        g: Mpint<'a>,
    }

    /// SSH_MSG_KEX_DH_GEX_INIT (32). RFC 4419 §3.
    ///
    /// `byte 32 · mpint e`
    32 KexDhGexInit<'a> {
        /// g^x mod p
        e: Mpint<'a>,
    }

    /// SSH_MSG_KEX_DH_GEX_REPLY (33). RFC 4419 §3.
    ///
    /// `byte 33 · string K_S · mpint f · string signature of H`
    33 KexDhGexReply<'a> {
        /// Host key or certificate blob.
        k_s: &'a [u8],
        /// g^y mod p
        f: Mpint<'a>,
        /// Signature of the exchange hash.
        signature: &'a [u8],
    }

    /// SSH_MSG_KEX_DH_GEX_REQUEST (34): the sizes the client takes. RFC 4419 §3.
    ///
    /// `byte 34 · uint32 min · uint32 n · uint32 max`
    34 KexDhGexRequest {
        /// Smallest acceptable size of the prime in bits.
        min: u32,
        /// Preferred size in bits.
        n: u32,
        /// Largest acceptable size in bits.
        max: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::round_trip;

    #[test]
    fn every_message_round_trips() {
        let value = Mpint::new(&[0x80, 1, 2]);
        round_trip(KexdhInit { e: value });
        round_trip(KexdhReply { k_s: b"key", f: value, signature: b"sig" });
        round_trip(KexEcdhInit { q_c: &[1; 32] });
        round_trip(KexEcdhReply { k_s: b"key", q_s: &[2; 32], signature: b"sig" });
        round_trip(KexDhGexGroup { p: value, g: Mpint::new(&[2]) });
        round_trip(KexDhGexInit { e: value });
        round_trip(KexDhGexReply { k_s: b"key", f: value, signature: b"sig" });
        round_trip(KexDhGexRequest { min: 2048, n: 3072, max: 8192 });
    }
}

//! Binary packets: framing, padding, sequence numbers. RFC 4253 §6, RFC 4344 §3.
//! Touches: bytes in `RxBuf` and in reserved room, the current keys.   Never: sockets, clocks, payload beyond its first byte.
//! Invariants: a sealed packet is complete; `seq` moves once per packet and starts again only under strict key exchange.
//! Errors: `InvalidMessage` (length, padding), `Decrypt`, `Violation` (a worn-out number or key).   Allocates: never.
//! Proved by: `tests` below, `tests::pair` (any split, every cipher), fuzz `transport_bytes`, `session_bytes`.

use adit_buf::{RxBuf, Span};
use adit_crypto::{OpeningKey, Random, SealingKey};

use crate::error::{Error, InvalidMessage, Violation};

/// `packet_length` and `padding_length`.
pub(crate) const HEAD: usize = 5;

/// RFC 4253 §6: at least four bytes of padding.
const MIN_PADDING: usize = 4;

/// RFC 4253 §6: a packet is at least 16 bytes long.
const MIN_PACKET: usize = 16;

/// RFC 4344 §3.1: packets under one key, after which the sequence number repeats.
const MAX_PACKETS_PER_KEY: u64 = 1 << 32;

/// What a direction has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes of packets: length, padding and payload, without tags.
    pub bytes: u64,
}

impl Traffic {
    const fn count(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// The direction towards the peer.
#[derive(Debug)]
pub(crate) struct Sending {
    key: SealingKey,
    seq: u32,
    /// Under this key.
    pub(crate) used: Traffic,
    /// Under the keys before it.
    before: Traffic,
}

impl Sending {
    pub(crate) const fn new() -> Self {
        let none = Traffic { packets: 0, bytes: 0 };
        Self { key: SealingKey::none(), seq: 0, used: none, before: none }
    }

    /// From NEWKEYS on. RFC 4253 §7.3.
    pub(crate) fn switch(&mut self, key: SealingKey, strict: bool) {
        self.key = key;
        self.before = self.total();
        self.used = Traffic::default();
        if strict {
            self.seq = 0;
        }
    }

    pub(crate) const fn total(&self) -> Traffic {
        total(self.before, self.used)
    }

    pub(crate) fn block_len(&self) -> usize {
        self.key.block_len()
    }

    /// Length of the padding behind a payload of `payload` bytes.
    fn padding(&self, payload: usize) -> usize {
        let block = self.key.block_len();
        let padded = payload + if self.key.length_is_padded() { HEAD } else { HEAD - 4 };
        let mut padding = block - padded % block;
        while padding < MIN_PADDING || HEAD + payload + padding < MIN_PACKET {
            padding += block;
        }
        padding
    }

    /// Length of the whole packet around a payload of `payload` bytes.
    pub(crate) fn packet_len(&self, payload: usize) -> usize {
        HEAD + payload + self.padding(payload) + self.key.tag_len()
    }

    /// Completes and seals `packet`, whose payload of `payload` bytes stands behind the head already.
    ///
    /// `packet` is [`packet_len`](Self::packet_len) long.
    #[expect(
        clippy::indexing_slicing,
        reason = "the packet is ours, and as long as its payload says"
    )]
    pub(crate) fn seal(&mut self, packet: &mut [u8], payload: usize, random: &mut dyn Random) {
        let padding = self.padding(payload);
        let end = HEAD + payload + padding;
        packet[..4].copy_from_slice(&((end - 4) as u32).to_be_bytes());
        packet[4] = padding as u8;
        random.fill(&mut packet[HEAD + payload..end]);
        self.key.seal(self.seq, packet);
        self.seq = self.seq.wrapping_add(1);
        self.used.count(end);
    }
}

/// A packet opened in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The payload, at least one byte.
    pub(crate) payload: Span,
    pub(crate) seq: u32,
}

/// The direction from the peer.
#[derive(Debug)]
pub(crate) struct Receiving {
    key: OpeningKey,
    seq: u32,
    /// `packet_length` of the packet that is coming in, once its head has been opened.
    length: Option<u32>,
    max_packet: u32,
    /// Under this key.
    pub(crate) used: Traffic,
    /// Under the keys before it.
    before: Traffic,
    /// A key is in use.
    encrypted: bool,
}

impl Receiving {
    pub(crate) const fn new(max_packet: u32) -> Self {
        let none = Traffic { packets: 0, bytes: 0 };
        let key = OpeningKey::none();
        Self { key, seq: 0, length: None, max_packet, used: none, before: none, encrypted: false }
    }

    /// From NEWKEYS on. RFC 4253 §7.3.
    pub(crate) fn switch(&mut self, key: OpeningKey, strict: bool) {
        self.key = key;
        self.before = self.total();
        self.used = Traffic::default();
        self.encrypted = true;
        if strict {
            self.seq = 0;
        }
    }

    pub(crate) const fn total(&self) -> Traffic {
        total(self.before, self.used)
    }

    pub(crate) fn block_len(&self) -> usize {
        self.key.block_len()
    }

    /// Takes the next packet off `rx` once it is there whole.
    pub(crate) fn next_packet(&mut self, rx: &mut RxBuf) -> Result<Option<Packet>, Error> {
        let Some(length) = self.packet_length(rx)? else { return Ok(None) };
        let end = 4 + length as usize;
        let whole = end + self.key.tag_len();
        let Some(packet) = rx.unread_mut().get_mut(..whole) else { return Ok(None) };
        self.key.open(self.seq, packet).map_err(|_| Error::Decrypt)?;
        let padding = packet.get(4).ok_or(InvalidMessage::EmptyPacket)?;
        let len = payload_len(*padding, length)?;
        let payload = Span { start: rx.position() + HEAD, len };
        rx.consume(whole);
        let seq = self.count(end)?;
        Ok(Some(Packet { payload, seq }))
    }

    /// The length of the packet that is coming in, opened once and remembered.
    fn packet_length(&mut self, rx: &mut RxBuf) -> Result<Option<u32>, Error> {
        if self.length.is_none() {
            let Some(head) = rx.unread_mut().get_mut(..self.key.head_len()) else {
                return Ok(None);
            };
            let length = self.key.open_length(self.seq, head);
            self.check_length(length)?;
            self.length = Some(length);
        }
        Ok(self.length)
    }

    /// RFC 4253 §6, §6.1.
    fn check_length(&self, length: u32) -> Result<(), Error> {
        let head = if self.key.length_is_padded() { 4 } else { 0 };
        let whole_blocks = (length as usize + head) % self.key.block_len() == 0;
        let least = (HEAD - 4 + MIN_PADDING) as u32;
        if whole_blocks && length >= least && length <= self.max_packet {
            return Ok(());
        }
        Err(InvalidMessage::PacketLength { length, encrypted: self.encrypted }.into())
    }

    /// One packet more; the number it had.
    fn count(&mut self, bytes: usize) -> Result<u32, Error> {
        let seq = self.seq;
        self.length = None;
        self.seq = seq.wrapping_add(1);
        self.used.count(bytes);
        if self.seq == 0 && !self.encrypted {
            return Err(Violation::SequenceNumberWrapped.into());
        }
        if self.used.packets >= MAX_PACKETS_PER_KEY {
            return Err(Violation::KeyWornOut.into());
        }
        Ok(seq)
    }
}

/// What is left of a packet without its padding.
fn payload_len(padding: u8, length: u32) -> Result<usize, InvalidMessage> {
    let padding = usize::from(padding);
    if padding < MIN_PADDING {
        return Err(InvalidMessage::Padding);
    }
    match (length as usize).checked_sub(1 + padding) {
        None => Err(InvalidMessage::Padding),
        Some(0) => Err(InvalidMessage::EmptyPacket),
        Some(len) => Ok(len),
    }
}

const fn total(before: Traffic, used: Traffic) -> Traffic {
    Traffic { packets: before.packets + used.packets, bytes: before.bytes + used.bytes }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use adit_crypto::{CipherAlgorithm, MacAlgorithm};
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    struct Zeros;
    impl Random for Zeros {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0);
        }
    }

    impl Receiving {
        /// As if that many packets had come.
        pub(crate) const fn wind_to(&mut self, seq: u32, packets: u64) {
            self.seq = seq;
            self.used.packets = packets;
        }
    }

    /// Every cipher with every MAC.
    fn suites() -> impl Iterator<Item = (CipherAlgorithm, MacAlgorithm)> {
        let macs = |cipher| MacAlgorithm::ALL.iter().map(move |mac| (cipher, *mac));
        CipherAlgorithm::ALL.iter().copied().flat_map(macs)
    }

    fn keyed(cipher: CipherAlgorithm, mac: MacAlgorithm) -> (Sending, Receiving) {
        let (mut sending, mut receiving) = unkeyed();
        let (key, iv, mac_key) = ([1; 64], [2; 16], [3; 64]);
        sending.switch(cipher.sealing(Some(mac), &key, &iv, &mac_key), true);
        receiving.switch(cipher.opening(Some(mac), &key, &iv, &mac_key), true);
        (sending, receiving)
    }

    fn unkeyed() -> (Sending, Receiving) {
        (Sending::new(), Receiving::new(1 << 18))
    }

    fn pairs() -> Vec<(Sending, Receiving)> {
        let keyed = suites().map(|(cipher, mac)| keyed(cipher, mac));
        keyed.chain([unkeyed()]).collect()
    }

    fn sealed(sending: &mut Sending, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0xee; sending.packet_len(payload.len())];
        packet[HEAD..][..payload.len()].copy_from_slice(payload);
        sending.seal(&mut packet, payload.len(), &mut Zeros);
        packet
    }

    #[test]
    fn packets_of_every_size_round_trip_byte_by_byte() {
        for (mut sending, mut receiving) in pairs() {
            let mut rx = RxBuf::new();
            for len in (1..70).chain([255, 256, 32_768, 35_000]) {
                let payload = vec![len as u8; len];
                let packet = sealed(&mut sending, &payload);
                let (last, most) = packet.split_last().unwrap();
                let step = if len < 70 { 1 } else { 4093 };
                for piece in most.chunks(step) {
                    rx.extend(piece);
                    assert_eq!(receiving.next_packet(&mut rx), Ok(None));
                }
                rx.extend(&[*last]);
                let opened = receiving.next_packet(&mut rx).unwrap().unwrap();
                assert_eq!(rx.bytes(opened.payload), payload);
                assert!(rx.is_empty());
            }
        }
    }

    #[test]
    fn packets_are_whole_blocks_with_four_bytes_of_padding_or_more() {
        for (sending, _) in pairs() {
            for payload in 1..600 {
                let padding = sending.padding(payload);
                let uncounted = if sending.key.length_is_padded() { 0 } else { 4 };
                assert!((4..256).contains(&padding));
                assert_eq!((HEAD + payload + padding - uncounted) % sending.key.block_len(), 0);
                assert!(HEAD + payload + padding >= 16);
            }
        }
    }

    fn received(bytes: &[u8]) -> Result<Option<Packet>, Error> {
        let mut rx = RxBuf::new();
        rx.extend(bytes);
        Receiving::new(1 << 18).next_packet(&mut rx)
    }

    #[test]
    fn lengths_out_of_bounds_are_refused_before_anything_is_kept() {
        for length in [0, 1, 4, 11, 13, 262_145, 262_148, 0x7fff_fffc, u32::MAX - 3] {
            let refused = InvalidMessage::PacketLength { length, encrypted: false };
            assert_eq!(received(&length.to_be_bytes()), Err(refused.into()), "{length}");
        }
        assert_eq!(received(&262_140_u32.to_be_bytes()), Ok(None));
    }

    #[test]
    fn padding_must_fit_and_leave_a_message() {
        let packet = |padding: u8| {
            let mut packet = [0; 16];
            packet[..5].copy_from_slice(&[0, 0, 0, 12, padding]);
            received(&packet)
        };
        for padding in [0, 3, 12, 255] {
            assert_eq!(packet(padding), Err(InvalidMessage::Padding.into()), "{padding}");
        }
        assert_eq!(packet(11), Err(InvalidMessage::EmptyPacket.into()));
        assert_eq!(packet(10).unwrap().unwrap().payload.len, 1);
    }

    #[test]
    fn a_number_that_wraps_before_the_first_keys_is_refused() {
        let packet = sealed(&mut Sending::new(), b"x");
        let mut rx = RxBuf::new();
        rx.extend(&packet);
        rx.extend(&packet);
        let mut receiving = Receiving::new(1 << 18);
        receiving.wind_to(u32::MAX - 1, 0);
        assert_eq!(receiving.next_packet(&mut rx).unwrap().unwrap().seq, u32::MAX - 1);
        let wrapped = Err(Violation::SequenceNumberWrapped.into());
        assert_eq!(receiving.next_packet(&mut rx), wrapped);
    }

    #[test]
    fn a_key_is_refused_once_it_has_opened_four_billion_packets() {
        let (mut sending, mut receiving) =
            keyed(CipherAlgorithm::Aes128Ctr, MacAlgorithm::HmacSha2_256);
        let mut rx = RxBuf::new();
        rx.extend(&sealed(&mut sending, b"x"));
        receiving.wind_to(0, MAX_PACKETS_PER_KEY - 1);
        assert_eq!(receiving.next_packet(&mut rx), Err(Violation::KeyWornOut.into()));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found() {
        for (cipher, mac) in suites() {
            let packet = sealed(&mut keyed(cipher, mac).0, b"some payload");
            for bit in 0..packet.len() * 8 {
                let mut rx = RxBuf::new();
                rx.extend(&packet);
                // What a longer length would wait for.
                rx.extend(&[0; 1000]);
                rx.unread_mut()[bit / 8] ^= 1 << (bit % 8);
                match keyed(cipher, mac).1.next_packet(&mut rx) {
                    Err(error) => assert_eq!(error.reason(), Some(5), "{error}"),
                    Ok(None) => assert!(bit < 32, "only a length may make us wait"),
                    Ok(Some(_)) => panic!("bit {bit} went unnoticed"),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_packet_or_an_error(bytes: Vec<u8>, which in any::<proptest::sample::Index>()) {
            let (_, mut receiving) = pairs().remove(which.index(pairs().len()));
            let mut rx = RxBuf::new();
            rx.extend(&bytes);
            while let Ok(Some(packet)) = receiving.next_packet(&mut rx) {
                prop_assert_eq!(rx.bytes(packet.payload).len(), packet.payload.len);
            }
        }
    }
}

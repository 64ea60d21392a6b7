//! The data path: payload read into slots arrives as messages. RFC 4254 §5.2.

use alloc::vec;
use alloc::vec::Vec;

use adit_buf::TxRing;
use adit_crypto::{CipherAlgorithm, MacAlgorithm};
use adit_wire::Message;
use adit_wire::channel::{ChannelData, ChannelExtendedData};
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{Pair, Seen, Side, client, server};
use crate::Config;

const DATA: [u8; 5] = [94, 0, 0, 0, 3];

/// Reads `bytes` into the bodies as one `readv` would.
fn fill(side: &mut Side, prefix: &[u8], body_len: usize, count: usize, bytes: &[u8]) {
    let Side { transport, tx, .. } = side;
    let mut slots = transport.reserve(prefix, body_len, count, tx).unwrap();
    assert!(bytes.len() <= slots.capacity());
    for (body, bytes) in slots.bodies_mut().zip(bytes.chunks(body_len)) {
        body[..bytes.len()].copy_from_slice(bytes);
    }
    slots.commit(bytes.len());
}

/// The bodies of the data messages that arrived.
fn arrived(side: &mut Side) -> Vec<Vec<u8>> {
    let seen = side.take_seen();
    let bodies = seen.into_iter().map(|seen| {
        let Seen::Packet(payload) = seen else { panic!("{seen:?}") };
        let message = ChannelData::decode(&payload).unwrap();
        assert_eq!(message.recipient_channel, 3);
        message.data.to_vec()
    });
    bodies.collect()
}

fn pair_with(cipher: CipherAlgorithm, mac: MacAlgorithm) -> Pair {
    let with = |config| Config { ciphers: vec![cipher], macs: vec![mac], ..config };
    Pair::established(with(client()), with(server()))
}

#[test]
fn a_batch_arrives_as_full_messages_and_one_short_one() {
    for cipher in CipherAlgorithm::ALL {
        for mac in MacAlgorithm::ALL {
            let mut pair = pair_with(*cipher, *mac);
            pair.client.tx.lend(vec![0xaa; 10_000].into());
            let bytes: Vec<u8> = (0..=255).cycle().take(2500).collect();
            fill(&mut pair.client, &DATA, 1000, 4, &bytes);
            pair.client.send(&[98, 1]);
            pair.server.receive(&pair.client.take_output());
            assert_eq!(pair.server.seen.pop(), Some(Seen::Packet([98, 1].into())));
            let expected: Vec<_> = bytes.chunks(1000).map(<[u8]>::to_vec).collect();
            assert_eq!(arrived(&mut pair.server), expected);
        }
    }
}

#[test]
fn what_is_not_committed_is_not_sent() {
    let mut pair = Pair::established(client(), server());
    let Side { transport, tx, .. } = &mut pair.client;
    transport.reserve(&DATA, 1000, 4, tx).unwrap().bodies_mut().for_each(|body| body.fill(1));
    transport.reserve(&DATA, 1000, 4, tx).unwrap().commit(0);
    assert!(tx.is_empty());
    pair.assert_talks();
}

#[test]
fn a_batch_is_as_large_as_the_room_that_was_lent() {
    let mut pair = Pair::established(client(), server());
    let Side { transport, tx, .. } = &mut pair.client;
    let mut capacity = |lent: usize, count| {
        let mut tx = TxRing::new();
        tx.lend(vec![0; lent].into());
        let slots = transport.reserve(&DATA, 1000, count, &mut tx).unwrap();
        slots.capacity()
    };
    assert_eq!(capacity(100_000, 4), 4000);
    assert_eq!(capacity(2500, 4), 2000);
    assert_eq!(capacity(0, 4), 1000, "one is always possible");
    assert!(tx.is_empty());
}

#[test]
fn a_longer_prefix_makes_other_messages() {
    let mut pair = Pair::established(client(), server());
    fill(&mut pair.client, &[95, 0, 0, 0, 3, 0, 0, 0, 1], 100, 1, b"to standard error");
    pair.run();
    let Some(Seen::Packet(payload)) = pair.server.seen.pop() else { panic!() };
    let expected =
        ChannelExtendedData { recipient_channel: 3, data_type_code: 1, data: b"to standard error" };
    assert_eq!(ChannelExtendedData::decode(&payload), Ok(expected));
}

#[test]
fn more_than_the_capacity_counts_as_the_capacity() {
    let mut pair = Pair::established(client(), server());
    let Side { transport, tx, .. } = &mut pair.client;
    transport.reserve(&DATA, 10, 1, tx).unwrap().commit(usize::MAX);
    transport.reserve(&DATA, 0, 1, tx).unwrap().commit(5);
    pair.run();
    assert_eq!(arrived(&mut pair.server).iter().map(Vec::len).collect::<Vec<_>>(), [10]);
}

proptest! {
    #[test]
    fn bytes_come_out_as_they_went_in(
        bytes in proptest::collection::vec(any::<u8>(), 1..20_000),
        body_len in 1..4000_usize,
        lent in 0..40_000_usize,
        which in any::<proptest::sample::Index>(),
    ) {
        let cipher = CipherAlgorithm::ALL[which.index(CipherAlgorithm::ALL.len())];
        let mut pair = pair_with(cipher, MacAlgorithm::HmacSha2_512);
        pair.client.tx.lend(vec![0; lent].into());
        let mut left = &bytes[..];
        while !left.is_empty() {
            let Side { transport, tx, .. } = &mut pair.client;
            let capacity = transport.reserve(&DATA, body_len, 8, tx).unwrap().capacity();
            let (now, later) = left.split_at(capacity.min(left.len()));
            fill(&mut pair.client, &DATA, body_len, 8, now);
            left = later;
        }
        pair.run();
        prop_assert_eq!(arrived(&mut pair.server).concat(), bytes);
    }
}

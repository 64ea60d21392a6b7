//! The data path costs no allocation and no copy, in either direction.
//!
//! `docs/DATA_PATH.md` says so; this holds it to its word.

use adit_buf::{RxBuf, Span, TxRing};
use adit_crypto::{CipherAlgorithm, MacAlgorithm};
use adit_engine::{Blocked, Channel, Engine, Event};
use adit_testkit::Pair;
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_transport::Config;
use std::ops::Range;

/// What a thread lends a connection to read into and to seal in.
const LENT: usize = 1 << 20;

/// More packets than any batch here has.
const MOST: usize = 64;

/// One end without an application: nothing but the data path.
struct Bare {
    engine: Engine,
    rx: RxBuf,
    tx: TxRing,
    channel: Channel,
}

/// A client and a server with one channel, both with lent storage.
fn bare(cipher: CipherAlgorithm) -> [Bare; 2] {
    let with = |config| Config {
        ciphers: vec![cipher],
        macs: vec![MacAlgorithm::HmacSha2_256Etm],
        ..config
    };
    let client = client_config(with(client_transport()));
    let server = server_config(with(server_transport()));
    let mut pair = Pair::new(client, server).logged_in();
    let (ours, theirs) = pair.channel();
    [(pair.client, ours), (pair.server, theirs)].map(|(end, channel)| {
        let (mut rx, mut tx) = (end.rx, end.tx);
        assert!(rx.is_empty() && tx.is_empty());
        rx.lend(vec![0; LENT].into());
        tx.lend(vec![0; LENT].into());
        Bare { engine: end.engine, rx, tx, channel }
    })
}

/// Addresses, to compare and never to follow.
fn addresses(bytes: &[u8]) -> Range<usize> {
    let range = bytes.as_ptr_range();
    range.start as usize..range.end as usize
}

fn within(inner: &Range<usize>, outer: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// What one batch did, with room that is there before anything is counted.
struct Sent {
    bodies: [Range<usize>; MOST],
    packets: usize,
    bytes: usize,
}

/// Fills what the window and the room take, as a `readv` would.
fn send(end: &mut Bare, len: usize) -> Result<Sent, Blocked> {
    let mut sent = Sent { bodies: [const { 0..0 }; MOST], packets: 0, bytes: 0 };
    let mut batch = end.engine.reserve(end.channel, len, &mut end.tx)?;
    for body in batch.bodies() {
        body.fill(0x5a);
        sent.bodies[sent.packets] = addresses(body);
        sent.packets += 1;
        sent.bytes += body.len();
    }
    batch.commit(sent.bytes);
    Ok(sent)
}

/// What one read did.
struct Received {
    spans: [Option<Span>; MOST],
    packets: usize,
    bytes: usize,
}

/// Opens everything that came.
fn receive(end: &mut Bare) -> Received {
    let mut received = Received { spans: [None; MOST], packets: 0, bytes: 0 };
    while let Some(event) = end.engine.next_event(&mut end.rx, &mut end.tx).expect("honest peers") {
        match event {
            Event::Data { channel, span } => {
                received.spans[received.packets] = Some(span);
                received.packets += 1;
                received.bytes += span.len;
                end.engine.delivered(channel, span.len);
            }
            Event::WindowAdjusted { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    end.engine.pump(&mut end.tx);
    received
}

/// The link: the kernel's two copies, which are not ours to save.
fn carry(from: &mut Bare, to: &mut Bare) {
    let count = from.tx.pending_len();
    let mut spare = &mut to.rx.spare_mut()[..count];
    for bytes in from.tx.pending() {
        let (head, tail) = spare.split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        spare = tail;
    }
    to.rx.filled(count);
    from.tx.written(count);
}

/// A batch from the first end to the second and the answers back, with the allocations of each.
fn round([from, to]: [&mut Bare; 2], len: usize) -> (Sent, Received, u64) {
    let mut sent = None;
    let mut allocations = allocation_counter::measure(|| sent = send(from, len).ok()).count_total;
    let sent = sent.expect("the window was refilled");
    check_sealed_in_place(from, &sent);
    carry(from, to);
    let came = addresses(to.rx.unread());
    let mut received = None;
    allocations += allocation_counter::measure(|| received = Some(receive(to))).count_total;
    let received = received.expect("it was called");
    check_opened_in_place(to, &received, &came);
    carry(to, from);
    let answered = || {
        receive(from);
    };
    allocations += allocation_counter::measure(answered).count_total;
    (sent, received, allocations)
}

/// The bodies that were read into are part of what will be written, and are sealed.
fn check_sealed_in_place(end: &Bare, sent: &Sent) {
    for body in &sent.bodies[..sent.packets] {
        let piece = end.tx.pending().find(|piece| within(body, &addresses(piece)));
        let piece = piece.expect("a body was moved before it was sealed");
        let start = body.start - addresses(piece).start;
        assert_ne!(piece[start..][..16], [0x5a; 16], "the body is not sealed");
    }
}

/// The payloads handed on are part of what was read, and are opened.
fn check_opened_in_place(end: &Bare, received: &Received, came: &Range<usize>) {
    for span in received.spans.iter().flatten() {
        let payload = end.rx.bytes(*span);
        assert!(within(&addresses(payload), came), "a payload was moved when it was opened");
        assert!(payload.iter().all(|byte| *byte == 0x5a));
    }
}

/// Half a mebibyte and small packets, from client to server and back.
fn assert_free(cipher: CipherAlgorithm) {
    let [mut client, mut server] = bare(cipher);
    for len in [500_000, 100, 32 * 1024, 1] {
        for warm_up in [true, true, false, false] {
            for reverse in [false, true] {
                let ends =
                    if reverse { [&mut server, &mut client] } else { [&mut client, &mut server] };
                let (sent, received, allocations) = round(ends, len);
                assert_eq!(received.bytes, sent.bytes);
                assert_eq!(received.packets, sent.packets);
                assert!(len < 32 * 1024 || sent.bytes >= 32 * 1024);
                if !warm_up {
                    let name = cipher.name();
                    assert_eq!(allocations, 0, "{name}: {} packets of {len}", sent.packets);
                }
            }
        }
    }
}

#[test]
fn aes_gcm_data_is_sealed_and_opened_where_it_lies_without_allocating() {
    assert_free(CipherAlgorithm::Aes128Gcm);
    assert_free(CipherAlgorithm::Aes256Gcm);
}

#[test]
fn chacha20_data_is_sealed_and_opened_where_it_lies_without_allocating() {
    assert_free(CipherAlgorithm::ChaCha20Poly1305);
}

#[test]
fn aes_ctr_data_is_sealed_and_opened_where_it_lies_without_allocating() {
    assert_free(CipherAlgorithm::Aes256Ctr);
}

#[test]
fn the_counter_counts() {
    let info = allocation_counter::measure(|| drop(Box::new(1)));
    assert_eq!(info.count_total, 1);
}

//! New keys while data flows. RFC 4253 §7.1, §9; OpenSSH PROTOCOL §1.10.

use alloc::vec;
use alloc::vec::Vec;

use adit_crypto::{CipherAlgorithm, KexAlgorithm, MacAlgorithm};
use adit_wire::transport::Ping;

use super::{Pair, Seen, Side, client, encoded, server};
use crate::{Blocked, Config, Error, RekeyLimits, Violation};

/// Who begins.
#[derive(Clone, Copy, Debug)]
enum By {
    Client,
    Server,
    Both,
}

/// Sends numbered messages both ways and takes them in, whatever else happens.
struct Traffic {
    pair: Pair,
    sent: [u32; 2],
    received: [u32; 2],
    key_exchanges: [u32; 2],
}

impl Traffic {
    fn new(pair: Pair) -> Self {
        Self { pair, sent: [0; 2], received: [0; 2], key_exchanges: [0; 2] }
    }

    /// As many messages as may be sent, up to three each way.
    fn send(&mut self) {
        let sides = [&mut self.pair.client, &mut self.pair.server];
        for (side, sent) in sides.into_iter().zip(&mut self.sent) {
            for _ in 0..3 {
                if side.transport.can_send() {
                    side.send(&[&[94][..], &sent.to_be_bytes(), &[0; 40]].concat());
                    *sent += 1;
                }
            }
        }
    }

    /// One exchange of what is pending, not until all is quiet: more is sent in the middle of it.
    fn step(&mut self) {
        let Pair { client, server, piece } = &mut self.pair;
        let (up, down) = (client.take_output(), server.take_output());
        up.chunks(*piece).for_each(|bytes| server.receive(bytes));
        down.chunks(*piece).for_each(|bytes| client.receive(bytes));
        self.take();
    }

    fn take(&mut self) {
        let sides = [&mut self.pair.client, &mut self.pair.server];
        for (at, side) in sides.into_iter().enumerate() {
            for seen in side.take_seen() {
                match seen {
                    Seen::Packet(payload) => {
                        let number = u32::from_be_bytes(payload[1..5].try_into().unwrap());
                        assert_eq!(number, self.received[at], "exactly what was sent, in order");
                        self.received[at] += 1;
                    }
                    Seen::KexDone { first: false } => self.key_exchanges[at] += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn rekey(&mut self, by: By) {
        let Pair { client, server, .. } = &mut self.pair;
        if matches!(by, By::Client | By::Both) {
            client.transport.rekey(&mut client.tx);
        }
        if matches!(by, By::Server | By::Both) {
            server.transport.rekey(&mut server.tx);
        }
    }

    /// Everything that was sent has come.
    fn settle(&mut self) {
        self.pair.run();
        self.take();
        assert_eq!([self.received[1], self.received[0]], self.sent);
    }
}

fn ten_rekeys(client: Config, server: Config, by: By, piece: usize) {
    let mut traffic = Traffic::new(Pair::established(client, server));
    traffic.pair.piece = piece;
    for _ in 0..10 {
        traffic.send();
        traffic.rekey(by);
        for _ in 0..6 {
            traffic.send();
            traffic.step();
        }
    }
    traffic.settle();
    assert_eq!(traffic.key_exchanges, [10; 2], "{by:?}");
    assert!(traffic.sent.iter().all(|sent| *sent >= 60));
}

#[test]
fn ten_rekeys_lose_nothing_whoever_begins() {
    for cipher in CipherAlgorithm::ALL {
        for mac in [MacAlgorithm::HmacSha2_256Etm, MacAlgorithm::HmacSha2_256] {
            for strict_kex in [true, false] {
                for by in [By::Client, By::Server, By::Both] {
                    let with = |config| Config {
                        ciphers: vec![*cipher],
                        macs: vec![mac],
                        strict_kex,
                        ..config
                    };
                    ten_rekeys(with(client()), with(server()), by, usize::MAX);
                }
            }
        }
    }
}

#[test]
fn ten_rekeys_lose_nothing_byte_by_byte() {
    for cipher in CipherAlgorithm::ALL {
        let with = |config| Config { ciphers: vec![*cipher], ..config };
        ten_rekeys(with(client()), with(server()), By::Both, 1);
    }
}

#[test]
fn ten_rekeys_lose_nothing_with_any_method() {
    let slow = [KexAlgorithm::DhGroup16Sha512, KexAlgorithm::DhGroup18Sha512];
    for kex in KexAlgorithm::ALL.iter().filter(|kex| !slow.contains(kex)) {
        let with = |config| Config { kex: vec![*kex], ..config };
        ten_rekeys(with(client()), with(server()), By::Both, usize::MAX);
    }
}

#[test]
fn numbers_begin_again_with_every_key_under_strict_key_exchange_only() {
    for strict_kex in [true, false] {
        let with = |config| Config { strict_kex, ..config };
        let mut pair = Pair::established(with(client()), with(server()));
        for _ in 0..3 {
            pair.client.transport.rekey(&mut pair.client.tx);
            pair.run();
            pair.client.take_seen();
            pair.client.send(&[83]);
            pair.run();
            let Some(Seen::Unimplemented(number)) = pair.client.take_seen().pop() else { panic!() };
            assert_eq!(number == 0, strict_kex);
        }
    }
}

#[test]
fn what_a_peer_sent_before_it_saw_our_kexinit_still_arrives() {
    let mut pair = Pair::established(client(), server());
    pair.client.transport.rekey(&mut pair.client.tx);
    pair.server.send(&[94, 1]);
    pair.server.send(&[94, 2]);
    let before = pair.server.take_output();
    pair.client.receive(&before);
    assert_eq!(
        pair.client.take_seen(),
        [Seen::Packet([94, 1].into()), Seen::Packet([94, 2].into())]
    );
    pair.run();
    assert_eq!(pair.client.take_seen(), [Seen::KexDone { first: false }]);
}

#[test]
fn nothing_but_the_exchange_is_sent_until_our_new_keys_are_in_use() {
    let mut pair = Pair::established(client(), server());
    let Pair { client, server, .. } = &mut pair;
    client.transport.rekey(&mut client.tx);
    assert!(client.transport.is_rekeying());
    assert_eq!(client.transport.send(&[94], &mut client.tx), Err(Blocked::KeyExchange));
    let slots = client.transport.reserve(&[94, 0, 0, 0, 0], 100, 1, &mut client.tx);
    assert_eq!(slots.err(), Some(Blocked::KeyExchange));
    assert!(!client.transport.ping(b"x", &mut client.tx));
    server.receive(&client.take_output());
    // The server still waits for the client's value.
    assert!(!server.transport.can_send());
    client.receive(&server.take_output());
    assert!(!client.transport.can_send());
    server.receive(&client.take_output());
    assert!(server.transport.can_send() && server.transport.is_rekeying());
    client.receive(&server.take_output());
    assert!(client.transport.can_send() && !client.transport.is_rekeying());
}

#[test]
fn a_pong_waits_for_the_end_of_our_exchange() {
    let mut pair = Pair::established(client(), server());
    let Pair { client, server, .. } = &mut pair;
    client.transport.rekey(&mut client.tx);
    let kexinit = client.take_output();
    server.force(&encoded(&Ping { data: b"in between" }));
    client.receive(&server.take_output());
    assert!(client.tx.is_empty(), "no pong between KEXINIT and NEWKEYS");
    server.receive(&kexinit);
    pair.run();
    assert_eq!(pair.client.take_seen(), [Seen::KexDone { first: false }]);
    let done = Seen::KexDone { first: false };
    assert_eq!(pair.server.take_seen(), [done, Seen::Pong(b"in between".into())]);
}

#[test]
fn nobody_begins_a_rekey_before_login() {
    let limits = RekeyLimits { bytes: 1, packets: 1, after_ms: 10 };
    let mut pair =
        Pair::connected(Config { rekey: limits, ..client() }, Config { rekey: limits, ..server() });
    pair.client.transport.rekey(&mut pair.client.tx);
    pair.client.send(&[50; 1000]);
    pair.run();
    assert!(pair.client.transport.handle_timeout(1000, &mut pair.client.tx).is_ok());
    assert_eq!(pair.client.transport.next_deadline(), None);
    assert!(pair.client.tx.is_empty());
    pair.client.transport.authenticated();
    assert_eq!(pair.client.transport.next_deadline(), Some(1000));
}

/// Key exchanges after a second of messages of 1000 bytes from one side.
fn exchanges_after(
    sender: fn(&mut Pair) -> &mut Side,
    limits: RekeyLimits,
    messages: usize,
) -> u64 {
    let client = Config { rekey: limits, ..client() };
    let mut pair = Pair::established(client, server());
    for _ in 0..messages {
        sender(&mut pair).send(&[94; 1000]);
        pair.run();
    }
    pair.client.transport.counters().key_exchanges - 1
}

#[test]
fn bytes_and_packets_in_either_direction_call_for_new_keys() {
    let senders: [fn(&mut Pair) -> &mut Side; 2] =
        [|pair| &mut pair.client, |pair| &mut pair.server];
    for sender in senders {
        let bytes = RekeyLimits { bytes: 10_000, ..RekeyLimits::default() };
        assert_eq!(exchanges_after(sender, bytes, 8), 0);
        assert_eq!(exchanges_after(sender, bytes, 10), 1);
        assert_eq!(exchanges_after(sender, bytes, 100), 10);
        let packets = RekeyLimits { packets: 20, ..RekeyLimits::default() };
        assert_eq!(exchanges_after(sender, packets, 17), 0);
        assert_eq!(exchanges_after(sender, packets, 20), 1);
    }
}

#[test]
fn data_sent_through_slots_calls_for_new_keys_too() {
    let rekey = RekeyLimits { bytes: 10_000, ..RekeyLimits::default() };
    let mut pair = Pair::established(Config { rekey, ..client() }, server());
    let Side { transport, tx, .. } = &mut pair.client;
    transport.reserve(&[94, 0, 0, 0, 0], 11_000, 1, tx).unwrap().commit(11_000);
    assert!(transport.is_rekeying());
    pair.run();
    assert_eq!(pair.client.take_seen(), [Seen::KexDone { first: false }]);
}

#[test]
fn the_clock_calls_for_new_keys_on_time() {
    let rekey = RekeyLimits { after_ms: 60_000, ..RekeyLimits::default() };
    let mut pair = Pair::established(Config { rekey, ..client() }, server());
    let tell = |pair: &mut Pair, now| {
        let Side { transport, tx, .. } = &mut pair.client;
        transport.handle_timeout(now, tx).unwrap();
        let begun = transport.is_rekeying();
        pair.run();
        begun
    };
    let start = 1000;
    assert!(!tell(&mut pair, start));
    for round in 1..4 {
        let due = start + round * 60_000;
        assert_eq!(pair.client.transport.next_deadline(), Some(due));
        assert!(!tell(&mut pair, due - 1));
        assert!(tell(&mut pair, due));
        assert_eq!(pair.client.take_seen(), [Seen::KexDone { first: false }]);
        // Counted from when it was done, which is told now.
        assert!(!tell(&mut pair, due));
    }
}

#[test]
fn a_peer_that_ignores_our_kexinit_is_left_after_thirty_seconds() {
    let mut pair = Pair::established(client(), server());
    let Side { transport, tx, .. } = &mut pair.client;
    transport.rekey(tx);
    assert_eq!(transport.next_deadline(), Some(0), "the time must be told");
    assert_eq!(transport.handle_timeout(5000, tx), Ok(()));
    assert_eq!(transport.next_deadline(), Some(35_000));
    assert_eq!(transport.handle_timeout(34_999, tx), Ok(()));
    let timeout = Error::from(Violation::KexTimeout);
    assert_eq!(timeout.reason(), Some(2));
    assert_eq!(transport.handle_timeout(35_000, tx), Err(timeout.clone()));
    assert_eq!(transport.handle_timeout(35_001, tx), Err(timeout));
    assert_eq!(transport.next_deadline(), None);
    pair.server.receive(&pair.client.take_output());
    assert!(pair.server.seen.iter().any(|seen| matches!(seen, Seen::Disconnected(2, _))));
}

#[test]
fn a_peer_that_begins_an_exchange_and_stops_is_left_too() {
    let mut pair = Pair::established(client(), server());
    pair.server.transport.rekey(&mut pair.server.tx);
    pair.client.receive(&pair.server.take_output());
    let Side { transport, tx, .. } = &mut pair.client;
    assert_eq!(transport.handle_timeout(0, tx), Ok(()));
    assert_eq!(transport.handle_timeout(30_000, tx), Err(Violation::KexTimeout.into()));
}

#[test]
fn data_on_a_slow_line_buys_time() {
    let mut pair = Pair::established(client(), server());
    let Pair { client, server, .. } = &mut pair;
    client.transport.rekey(&mut client.tx);
    client.transport.handle_timeout(0, &mut client.tx).unwrap();
    for round in 1..=10 {
        // Sent long ago, arriving now.
        server.send(&[94, round]);
        client.receive(&server.take_output());
        let now = u64::from(round) * 30_000;
        assert_eq!(client.transport.handle_timeout(now, &mut client.tx), Ok(()), "{round}");
    }
    server.send(&[94, 0]);
    client.receive(&server.take_output());
    let timeout = Err(Violation::KexTimeout.into());
    assert_eq!(client.transport.handle_timeout(330_000, &mut client.tx), timeout);
}

#[test]
fn the_first_exchange_has_no_deadline_of_its_own() {
    let pair = Pair::new(client(), server());
    assert_eq!(pair.client.transport.next_deadline(), None);
    let seen: Vec<Seen> = pair.client.seen;
    assert!(seen.is_empty());
}

//! An honest client and an honest server. RFC 4253.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use adit_crypto::{CipherAlgorithm, KexAlgorithm, MacAlgorithm, SigningKey};
use adit_wire::transport::{Debug, ServiceAccept, ServiceRequest, reason};
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{Pair, Seen, Side, client, encoded, server};
use crate::{Blocked, Config, Error, Transport};

#[test]
fn both_sides_learn_the_same() {
    let mut pair = Pair::new(client(), server());
    pair.run();
    let [client, server] = [&pair.client, &pair.server];
    let host_key = SigningKey::ed25519(&[7; 32]).public_blob();
    assert_eq!(client.seen[..2], [Seen::HostKey(host_key.clone()), Seen::KexDone { first: true }]);
    assert_eq!(server.seen[0], Seen::KexDone { first: true });
    assert_eq!(client.transport.host_key(), host_key);
    assert_eq!(server.transport.host_key(), host_key);
    assert_eq!(client.transport.session_id(), server.transport.session_id());
    assert_eq!(client.transport.session_id().unwrap().len(), 32);
    assert_eq!(client.transport.negotiated(), server.transport.negotiated());
    let ours = client.transport.own_identification();
    assert_eq!(server.transport.peer_identification(), Some(ours));
    assert!(ours.starts_with(b"SSH-2.0-adit_"));
    assert!(client.transport.is_strict() && server.transport.is_strict());
}

#[test]
fn every_key_exchange_method_agrees() {
    for kex in KexAlgorithm::ALL {
        let with = |config| Config { kex: vec![*kex], ..config };
        let mut pair = Pair::established(with(client()), with(server()));
        assert_eq!(pair.client.transport.negotiated().unwrap().kex, *kex);
        pair.assert_talks();
    }
}

#[test]
fn every_cipher_works_with_every_mac_each_strict_and_not() {
    for cipher in CipherAlgorithm::ALL {
        for mac in MacAlgorithm::ALL {
            for strict_kex in [true, false] {
                let with = |config| Config {
                    ciphers: vec![*cipher],
                    macs: vec![*mac],
                    strict_kex,
                    ..config
                };
                let mut pair = Pair::established(with(client()), with(server()));
                pair.assert_talks();
                pair.client.transport.rekey(&mut pair.client.tx);
                pair.run();
                assert_eq!(pair.client.take_seen(), [Seen::KexDone { first: false }]);
                assert_eq!(pair.server.take_seen(), [Seen::KexDone { first: false }]);
                pair.assert_talks();
            }
        }
    }
}

/// What both sides see of a whole connection whose bytes arrive in pieces.
fn in_pieces(piece: usize, cipher: CipherAlgorithm) -> [Vec<Seen>; 2] {
    let with = |config| Config { ciphers: vec![cipher], ..config };
    let mut pair = Pair::new(with(client()), with(server()));
    pair.piece = piece;
    pair.run();
    pair.client.send(&encoded(&ServiceRequest { service_name: "ssh-userauth" }));
    pair.run();
    pair.server.send(&encoded(&ServiceAccept { service_name: "ssh-userauth" }));
    pair.run();
    pair.client.transport.authenticated();
    pair.server.transport.authenticated();
    pair.client.send(&[94; 500]);
    pair.server.transport.rekey(&mut pair.server.tx);
    pair.run();
    pair.client.send(&[95, 1]);
    pair.client.transport.disconnect(reason::BY_APPLICATION, "bye", &mut pair.client.tx);
    pair.run();
    [pair.client.seen, pair.server.seen]
}

#[test]
fn bytes_that_come_one_by_one_make_the_same_events() {
    for cipher in CipherAlgorithm::ALL {
        let whole = in_pieces(usize::MAX, *cipher);
        assert_eq!(in_pieces(1, *cipher), whole);
        assert_eq!(whole[1].last(), Some(&Seen::Failed(Error::Disconnected { reason_code: 11 })));
    }
}

proptest! {
    #[test]
    fn any_split_makes_the_same_events(piece in 2..3000_usize, gcm: bool) {
        let cipher = if gcm { CipherAlgorithm::Aes256Gcm } else { CipherAlgorithm::Aes128Ctr };
        prop_assert_eq!(in_pieces(piece, cipher), in_pieces(usize::MAX, cipher));
    }

    #[test]
    fn payloads_come_back(payload in proptest::collection::vec(any::<u8>(), 0..40_000)) {
        let payload = [&[94], &payload[..]].concat();
        let mut pair = Pair::established(client(), server());
        pair.client.send(&payload);
        pair.run();
        prop_assert_eq!(pair.server.take_seen(), [Seen::Packet(payload)]);
    }

    #[test]
    fn any_bytes_end_in_an_error_or_in_waiting(bytes: Vec<u8>, as_server: bool, identified: bool) {
        let mut side = Side::new(if as_server { server() } else { client() }, 1);
        side.take_output();
        if identified {
            side.receive(b"SSH-2.0-x\r\n");
        }
        side.receive(&bytes);
        let pending = side.tx.pending_len();
        assert!(pending <= 2 * bytes.len() + 256, "{pending} bytes of answer");
    }
}

#[test]
fn lines_before_the_identification_are_reported() {
    let mut client = Side::new(client(), 1);
    client.receive(b"Welcome\r\nSSH-2.0-x\r\n");
    assert_eq!(client.take_seen(), [Seen::Banner(b"Welcome".into())]);
    assert_eq!(client.transport.peer_identification(), Some(&b"SSH-2.0-x"[..]));
}

#[test]
fn nothing_goes_on_before_the_host_key_was_judged() {
    let mut pair = Pair::new(client(), server());
    pair.client.accepts_host_key = false;
    pair.run();
    assert!(matches!(pair.client.take_seen()[..], [Seen::HostKey(_)]));
    assert_eq!(pair.server.take_seen(), []);
    let payload = encoded(&ServiceRequest { service_name: "ssh-userauth" });
    assert_eq!(
        pair.client.transport.send(&payload, &mut pair.client.tx),
        Err(Blocked::KeyExchange)
    );
    assert!(pair.client.tx.is_empty());
    pair.client.transport.accept_host_key(&mut pair.client.tx);
    assert_eq!(pair.client.transport.send(&payload, &mut pair.client.tx), Ok(()));
    pair.client.poll();
    pair.run();
    assert_eq!(pair.client.seen[0], Seen::KexDone { first: true });
    assert_eq!(pair.server.seen.last(), Some(&Seen::ServiceRequest(b"ssh-userauth".into())));
}

#[test]
fn a_host_key_that_is_not_accepted_ends_the_connection_with_reason_9() {
    let mut pair = Pair::new(client(), server());
    pair.client.accepts_host_key = false;
    pair.run();
    pair.client.transport.reject_host_key(&mut pair.client.tx);
    pair.client.poll();
    pair.run();
    assert_eq!(pair.client.error(), Some(Error::HostKeyRejected));
    assert_eq!(pair.server.seen[0], Seen::Disconnected(9, b"host key not accepted".into()));
}

#[test]
fn extensions_are_exchanged_right_behind_the_first_keys() {
    let mut pair = Pair::new(client(), server());
    pair.run();
    let Seen::ExtInfo(to_client) = &pair.client.seen[2] else { panic!("{:?}", pair.client.seen) };
    let names = |pairs: &[(alloc::string::String, Vec<u8>)]| {
        pairs.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        names(to_client),
        ["server-sig-algs", "publickey-hostbound@openssh.com", "ping@openssh.com"]
    );
    assert!(to_client[0].1.starts_with(b"ssh-ed25519,"));
    let Seen::ExtInfo(to_server) = &pair.server.seen[1] else { panic!("{:?}", pair.server.seen) };
    assert_eq!(names(to_server), ["ext-info-in-auth@openssh.com", "ping@openssh.com"]);
}

#[test]
fn pings_are_answered_and_not_sent_to_who_never_said_so() {
    let mut alone = Side::new(client(), 1);
    assert!(!alone.transport.ping(b"x", &mut alone.tx));
    let mut pair = Pair::connected(client(), server());
    assert!(pair.client.transport.ping(b"are you there", &mut pair.client.tx));
    pair.run();
    assert_eq!(pair.client.take_seen(), [Seen::Pong(b"are you there".into())]);
    assert_eq!(pair.server.take_seen(), []);
}

#[test]
fn unknown_messages_are_answered_with_their_number() {
    let mut pair = Pair::established(client(), server());
    let sent = pair.client.transport.counters().sent.packets;
    pair.client.send(&[83]);
    pair.client.send(&[255, 1, 2]);
    pair.run();
    // Under strict key exchange numbers began at 0 with the keys: EXT_INFO was 0.
    assert_eq!(pair.client.take_seen(), [Seen::Unimplemented(1), Seen::Unimplemented(2)]);
    assert_eq!(pair.client.transport.counters().sent.packets, sent + 2);
}

#[test]
fn debug_texts_are_reported_and_ignore_is_ignored() {
    let mut pair = Pair::established(client(), server());
    pair.client.send(&[2, 0xff, 0xff]);
    pair.client.send(&encoded(&Debug { always_display: true, message: b"hi", language_tag: b"" }));
    pair.run();
    assert_eq!(pair.server.take_seen(), [Seen::Debug(b"hi".into())]);
}

#[test]
fn a_disconnect_is_reported_once_and_not_answered() {
    let mut pair = Pair::established(client(), server());
    pair.client.transport.disconnect(reason::BY_APPLICATION, "bye", &mut pair.client.tx);
    pair.run();
    let gone = Error::Disconnected { reason_code: 11 };
    assert_eq!(
        pair.server.take_seen(),
        [Seen::Disconnected(11, b"bye".into()), Seen::Failed(gone)]
    );
    assert_eq!(pair.server.transport.send(&[94], &mut pair.server.tx), Err(Blocked::Closed));
    assert_eq!(pair.client.transport.send(&[94], &mut pair.client.tx), Err(Blocked::Closed));
    assert!(pair.server.tx.is_empty());
    pair.client.transport.disconnect(reason::BY_APPLICATION, "again", &mut pair.client.tx);
    assert!(pair.client.tx.is_empty());
}

#[test]
fn a_login_request_after_login_is_passed_over() {
    let mut pair = Pair::established(client(), server());
    pair.client.send(&[50, 1, 2, 3]);
    pair.run();
    assert_eq!(pair.server.take_seen(), []);
    pair.assert_talks();
}

#[test]
fn counters_count_both_directions() {
    let mut pair = Pair::established(client(), server());
    pair.assert_talks();
    let (ours, theirs) = (pair.client.transport.counters(), pair.server.transport.counters());
    assert_eq!((ours.sent, ours.received), (theirs.received, theirs.sent));
    assert_eq!(ours.key_exchanges, 1);
    assert!(ours.sent.packets >= 6);
}

#[test]
fn a_connection_can_move_to_another_thread_and_is_small() {
    const fn can_move<T: Send>() {}
    const { can_move::<Transport>() };
    assert!(size_of::<Transport>() <= 1024, "{}", size_of::<Transport>());
}

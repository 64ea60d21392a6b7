//! Guesses, markers and lists that do not meet, between whole sides. RFC 4253 §7.1.

use alloc::vec;

use adit_crypto::{CipherAlgorithm, KexAlgorithm, KeyAlgorithm, MacAlgorithm, SignatureAlgorithm};
use adit_wire::transport::KexInit;
use adit_wire::{Message, NameList};

use super::{Pair, Seen, Side, clear, client, encoded, server};
use crate::{Config, Error, Incompatible, List, Role, Violation};

const METHODS: [KexAlgorithm; 2] = [KexAlgorithm::Curve25519Sha256, KexAlgorithm::EcdhSha2Nistp256];

#[test]
fn a_right_guess_saves_a_message_and_a_wrong_one_is_passed_over() {
    for strict_kex in [true, false] {
        for (wish, offer, right) in [
            (vec![METHODS[0]], vec![METHODS[0]], true),
            (vec![METHODS[0], METHODS[1]], vec![METHODS[0], METHODS[1]], true),
            // The same method is agreed on, but the server wants another one more.
            (vec![METHODS[0], METHODS[1]], vec![METHODS[1], METHODS[0]], false),
            (vec![METHODS[0], METHODS[1]], vec![METHODS[1]], false),
        ] {
            let host_key = vec![SignatureAlgorithm::Ed25519.plain()];
            let client = Config { kex: wish, host_key, guess_kex: true, strict_kex, ..client() };
            let mut pair = Pair::established(client, Config { kex: offer, ..server() });
            // KEXINIT, one or two INITs, NEWKEYS, EXT_INFO.
            let sent = pair.client.transport.counters().sent.packets;
            assert_eq!(sent, if right { 4 } else { 5 });
            pair.assert_talks();
        }
    }
}

#[test]
fn a_right_guess_gets_its_answer_at_once() {
    let guess_kex = true;
    let host_key = vec![SignatureAlgorithm::Ed25519.plain()];
    let mut client = Side::new(Config { guess_kex, host_key, ..client() }, 1);
    let mut server = Side::new(server(), 2);
    server.receive(&client.take_output());
    client.receive(&server.take_output());
    assert!(client.transport.can_send(), "one round trip");
}

#[test]
fn group_exchange_is_not_guessed() {
    let kex = vec![KexAlgorithm::DhGroupExchangeSha256];
    let config = Config { kex: kex.clone(), guess_kex: true, ..client() };
    let mut pair = Pair::established(config, Config { kex, ..server() });
    pair.assert_talks();
}

/// A client's KEXINIT with these names first.
fn kexinit<'a>(kex: &'a str, host_key: &'a str, follows: bool) -> KexInit<'a> {
    let cipher = NameList::new("aes128-gcm@openssh.com");
    let (mac, none) = (NameList::new("hmac-sha2-256"), NameList::new("none"));
    KexInit {
        cookie: [9; 16],
        kex_algorithms: NameList::new(kex),
        server_host_key_algorithms: NameList::new(host_key),
        encryption_algorithms_client_to_server: cipher,
        encryption_algorithms_server_to_client: cipher,
        mac_algorithms_client_to_server: mac,
        mac_algorithms_server_to_client: mac,
        compression_algorithms_client_to_server: none,
        compression_algorithms_server_to_client: none,
        languages_client_to_server: NameList::new(""),
        languages_server_to_client: NameList::new(""),
        first_kex_packet_follows: follows,
        reserved: 0,
    }
}

/// What a server made of a client that sends these payloads.
fn server_after(payloads: &[&[u8]]) -> Side {
    let mut server = Side::new(server(), 2);
    server.take_output();
    server.receive(b"SSH-2.0-x\r\n");
    payloads.iter().for_each(|payload| server.receive(&clear(payload)));
    server
}

#[test]
fn a_server_passes_over_one_wrong_guess_and_no_more() {
    let follows = encoded(&kexinit("ecdh-sha2-nistp256,curve25519-sha256", "ssh-ed25519", true));
    let wrong = [30, 0, 0, 0, 1, 4];
    let right = [&[30, 0, 0, 0, 32][..], &[9; 32]].concat();
    let server = server_after(&[&follows, &wrong]);
    assert_eq!(server.error(), None);
    let mut server = server_after(&[&follows, &wrong, &right]);
    assert_eq!(server.error(), None);
    assert!(server.take_output().windows(11).any(|bytes| bytes == b"ssh-ed25519"), "it answers");
    let server = server_after(&[&follows, &wrong, &wrong]);
    assert_eq!(server.error().unwrap().reason(), Some(3));
}

#[test]
fn a_client_passes_over_a_servers_wrong_guess_whatever_its_number() {
    let mut client = Side::new(client(), 1);
    client.receive(b"SSH-2.0-x\r\n");
    let kex = "ecdh-sha2-nistp256,curve25519-sha256";
    client.receive(&clear(&encoded(&kexinit(kex, "ssh-ed25519", true))));
    client.receive(&clear(&[33]));
    assert_eq!(client.error(), None);
    client.receive(&clear(&[33]));
    assert_eq!(client.error(), Some(Violation::UnexpectedKexMessage(33).into()));
}

#[test]
fn markers_the_peer_sends_back_are_not_negotiated() {
    let echo = encoded(&kexinit("ext-info-s,kex-strict-s-v00@openssh.com", "ssh-ed25519", false));
    let server = server_after(&[&echo]);
    assert!(matches!(
        server.error(),
        Some(Error::PeerIncompatible(Incompatible::NoMatch { list: List::Kex, .. }))
    ));
}

#[test]
fn a_server_never_compresses_whatever_the_client_prefers() {
    let after = |compression| {
        let compression = NameList::new(compression);
        let mut offer = kexinit("curve25519-sha256", "ssh-ed25519", false);
        offer.compression_algorithms_client_to_server = compression;
        offer.compression_algorithms_server_to_client = compression;
        server_after(&[&encoded(&offer)]).error()
    };
    assert_eq!(after("zlib@openssh.com,zlib,none"), None);
    let offer = "zlib@openssh.com,zlib".into();
    let refused = Error::from(Incompatible::NoMatch { list: List::Compression, offer });
    assert_eq!(after("zlib@openssh.com,zlib"), Some(refused));
}

#[test]
fn strict_key_exchange_needs_both() {
    for (ours, theirs) in [(true, false), (false, true), (false, false)] {
        let client = Config { strict_kex: ours, ..client() };
        let mut pair = Pair::established(client, Config { strict_kex: theirs, ..server() });
        assert!(!pair.client.transport.is_strict() && !pair.server.transport.is_strict());
        pair.assert_talks();
    }
}

#[test]
fn a_ctr_cipher_without_a_common_mac_is_refused_with_reason_3_and_an_aead_works() {
    let run = |cipher| {
        let ciphers = vec![cipher];
        let client =
            Config { ciphers: ciphers.clone(), macs: vec![MacAlgorithm::HmacSha2_256], ..client() };
        let server = Config { ciphers, macs: vec![MacAlgorithm::HmacSha2_512], ..server() };
        let mut pair = Pair::new(client, server);
        pair.run();
        pair
    };
    assert_eq!(run(CipherAlgorithm::ChaCha20Poly1305).client.error(), None);
    let pair = run(CipherAlgorithm::Aes256Ctr);
    let offer = "hmac-sha2-512".into();
    let refused = Error::from(Incompatible::NoMatch { list: List::Mac, offer });
    assert_eq!(refused.reason(), Some(3));
    assert_eq!(pair.client.error(), Some(refused));
}

#[test]
fn a_server_offers_only_what_it_has_keys_for() {
    let mut server = Side::new(server(), 2);
    let output = server.take_output();
    let packet = &output[output.iter().position(|byte| *byte == b'\n').unwrap() + 1..];
    let payload = &packet[5..packet.len() - usize::from(packet[4])];
    let kexinit = KexInit::decode(payload).unwrap();
    assert_eq!(kexinit.server_host_key_algorithms.as_str(), "ssh-ed25519");
}

#[test]
fn the_first_packet_of_a_connection_says_what_its_role_may_say() {
    for (config, role) in [(client(), Role::Client), (server(), Role::Server)] {
        assert_eq!(config.role, role);
        let mut side = Side::new(config, 1);
        let output = side.take_output();
        assert!(output.starts_with(b"SSH-2.0-adit_0"));
        assert_eq!(side.take_seen(), [] as [Seen; 0]);
    }
    assert!(KeyAlgorithm::DEFAULT_HOST_KEY.contains(&SignatureAlgorithm::Ed25519.plain()));
}

//! One test for each thing a peer must not do, and for the bytes it must not send.

use alloc::vec;
use alloc::vec::Vec;

use adit_wire::transport::{
    Debug, Disconnect, ExtInfo, Ping, Pong, ServiceAccept, ServiceRequest, Unimplemented,
};
use adit_wire::{DecodeError, Message};

use super::{Pair, Seen, Side, clear, client, encoded, server};
use crate::gate::{Verdict, allowed};
use crate::{Config, Error, InvalidMessage, Phase, Role, Violation};

const IGNORE: [u8; 5] = [2, 0, 0, 0, 0];

fn strict(strict_kex: bool) -> [Config; 2] {
    [Config { strict_kex, ..client() }, Config { strict_kex, ..server() }]
}

/// A pair whose client's KEXINIT has arrived.
fn in_first_kex(strict_kex: bool) -> Pair {
    let [client, server] = strict(strict_kex);
    let mut pair = Pair::new(client, server);
    pair.server.receive(&pair.client.take_output());
    pair
}

/// The server refuses, and its peer learns the reason.
fn assert_refused(pair: &mut Pair, error: impl Into<Error>) {
    let error = error.into();
    assert_eq!(pair.server.error(), Some(error.clone()));
    let reason = error.reason().unwrap();
    pair.run();
    let heard = pair.client.seen.iter().find_map(|seen| match seen {
        Seen::Disconnected(code, text) => Some((*code, text.clone())),
        _ => None,
    });
    let text = alloc::format!("{error}").into_bytes();
    assert_eq!(heard, Some((reason, text)));
}

fn not_allowed(number: u8, phase: Phase) -> Error {
    Violation::MessageNotAllowed { number, phase }.into()
}

#[test]
fn ignore_within_the_first_exchange_is_refused_when_strict_and_accepted_when_not() {
    let mut pair = in_first_kex(true);
    pair.client.force(&IGNORE);
    pair.server.receive(&pair.client.take_output());
    assert_refused(&mut pair, not_allowed(2, Phase::StrictKex));

    let mut pair = in_first_kex(false);
    pair.client.force(&IGNORE);
    pair.run();
    pair.client.transport.authenticated();
    pair.server.transport.authenticated();
    pair.client.take_seen();
    pair.server.take_seen();
    pair.assert_talks();
}

#[test]
fn every_message_that_strict_key_exchange_forbids_is_refused() {
    for number in (0..=255).filter(|number| !matches!(number, 1 | 21 | 30..=49)) {
        let mut pair = in_first_kex(true);
        pair.client.force(&[number, 0, 0, 0, 0]);
        pair.server.receive(&pair.client.take_output());
        assert_refused(&mut pair, not_allowed(number, Phase::StrictKex));
    }
}

#[test]
fn a_packet_before_kexinit_is_refused_once_strict_was_agreed() {
    for (strict_kex, refused) in [(true, true), (false, false)] {
        let [client, server] = strict(strict_kex);
        let mut pair = Pair::new(client, server);
        let output = pair.client.take_output();
        let line = output.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        pair.server.receive(&output[..line]);
        pair.server.receive(&clear(&IGNORE));
        assert_eq!(pair.server.error(), None);
        pair.server.receive(&output[line..]);
        let error = refused.then_some(Violation::KexInitNotFirst.into());
        assert_eq!(pair.server.error(), error);
    }
}

#[test]
fn a_disconnect_as_first_packet_is_taken_quietly() {
    for config in [client(), server()] {
        let mut us = Side::new(config, 2);
        us.take_output();
        us.receive(b"SSH-2.0-x\r\n");
        let leaving = Disconnect { reason_code: 11, description: b"no", language_tag: b"" };
        us.receive(&clear(&encoded(&leaving)));
        let gone = Error::Disconnected { reason_code: 11 };
        assert_eq!(us.seen, [Seen::Disconnected(11, b"no".into()), Seen::Failed(gone)]);
        assert!(us.tx.is_empty());
    }
}

#[test]
fn a_badly_made_disconnect_is_a_disconnect() {
    let long = [1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, b'x'];
    let no_tag = [1, 0, 0, 0, 2, 0, 0, 0, 1, b'x'];
    for (payload, reason_code, text) in
        [(&long[..], 2, &b""[..]), (&no_tag, 2, b"x"), (&[1], 0, b""), (&[1, 0, 0], 0, b"")]
    {
        let mut pair = Pair::connected(client(), server());
        pair.client.force(payload);
        pair.run();
        let gone = Error::Disconnected { reason_code };
        let expected = [Seen::Disconnected(reason_code, text.into()), Seen::Failed(gone)];
        assert_eq!(pair.server.seen, expected);
    }
}

#[test]
fn a_wrapped_number_in_the_first_exchange_is_refused() {
    let mut pair = in_first_kex(false);
    pair.server.transport.receiving_mut().wind_to(u32::MAX, 9);
    pair.client.force(&IGNORE);
    pair.server.receive(&pair.client.take_output());
    assert_refused(&mut pair, Violation::SequenceNumberWrapped);
}

#[test]
fn a_wrapped_number_after_it_is_none_of_our_business() {
    let [client, server] = strict(false);
    let mut pair = Pair::established(client, server);
    pair.server.transport.receiving_mut().wind_to(u32::MAX, 0);
    pair.client.force(&IGNORE);
    pair.run();
    assert_eq!(pair.server.error(), None, "AES-GCM does not use it");
}

#[test]
fn connection_messages_before_login_are_refused() {
    for number in 80..=127 {
        let mut pair = Pair::connected(client(), server());
        pair.client.force(&[number]);
        pair.server.receive(&pair.client.take_output());
        assert_refused(&mut pair, not_allowed(number, Phase::Login));
    }
}

#[test]
fn a_key_exchange_before_login_does_not_let_anything_through() {
    let mut pair = Pair::connected(client(), server());
    pair.client.transport.force_rekey(&mut pair.client.tx);
    pair.run();
    assert_eq!(pair.server.take_seen(), [Seen::KexDone { first: false }]);
    pair.client.force(&[90, 0, 0, 0, 0]);
    pair.server.receive(&pair.client.take_output());
    assert_refused(&mut pair, not_allowed(90, Phase::Login));
}

#[test]
fn a_servers_messages_from_a_client_are_refused() {
    for number in [6, 51, 52, 53, 60] {
        let mut pair = Pair::connected(client(), server());
        pair.client.force(&[number]);
        pair.server.receive(&pair.client.take_output());
        assert_refused(&mut pair, not_allowed(number, Phase::Login));
    }
}

#[test]
fn a_clients_ext_info_is_taken_right_behind_its_keys_and_nowhere_else() {
    let mut pair = Pair::connected(client(), server());
    let mut info = Vec::new();
    ExtInfo::encode_pairs(&[], &mut info);
    pair.client.force(&info);
    pair.server.receive(&pair.client.take_output());
    assert_refused(&mut pair, not_allowed(7, Phase::Login));

    let mut pair = in_first_kex(false);
    pair.client.force(&info);
    pair.server.receive(&pair.client.take_output());
    assert_refused(&mut pair, not_allowed(7, Phase::FirstKex));
}

#[test]
fn a_servers_ext_info_is_taken_until_login() {
    let mut info = Vec::new();
    ExtInfo::encode_pairs(&[("x", b"y")], &mut info);
    let mut pair = Pair::connected(client(), server());
    pair.server.force(&info);
    pair.run();
    assert_eq!(pair.client.take_seen(), [Seen::ExtInfo(vec![("x".into(), b"y".into())])]);
    pair.client.transport.authenticated();
    pair.server.force(&info);
    pair.run();
    assert_eq!(pair.client.error(), Some(not_allowed(7, Phase::Established)));
}

#[test]
fn a_login_answer_after_login_is_refused() {
    for number in [51, 52, 53, 60] {
        let mut pair = Pair::established(client(), server());
        pair.server.force(&[number]);
        pair.run();
        assert_eq!(pair.client.error(), Some(not_allowed(number, Phase::Established)));
    }
}

#[test]
fn key_exchange_messages_outside_an_exchange_are_refused() {
    for number in [21, 30, 31, 32, 33, 34, 49] {
        let mut pair = Pair::established(client(), server());
        pair.client.force(&[number]);
        pair.server.receive(&pair.client.take_output());
        assert_refused(&mut pair, not_allowed(number, Phase::Established));
    }
}

#[test]
fn key_exchange_messages_out_of_turn_are_refused() {
    for number in [21, 31, 32, 33, 34, 49] {
        let mut pair = in_first_kex(true);
        pair.client.force(&[number]);
        pair.server.receive(&pair.client.take_output());
        assert_refused(&mut pair, Violation::UnexpectedKexMessage(number));
    }
}

#[test]
fn a_second_kexinit_within_an_exchange_is_refused() {
    let mut pair = Pair::established(client(), server());
    pair.client.transport.rekey(&mut pair.client.tx);
    pair.server.receive(&pair.client.take_output());
    pair.client.force(&[20; 100]);
    pair.server.receive(&pair.client.take_output());
    assert_refused(&mut pair, not_allowed(20, Phase::Rekey));
}

#[test]
fn data_between_a_peers_kexinit_and_its_newkeys_is_refused() {
    for number in [5, 6, 7, 50, 80, 94, 192, 193] {
        let mut pair = Pair::established(client(), server());
        pair.client.transport.rekey(&mut pair.client.tx);
        pair.client.force(&[number]);
        pair.server.receive(&pair.client.take_output());
        assert_refused(&mut pair, not_allowed(number, Phase::Rekey));
    }
}

#[test]
fn ignore_and_debug_within_a_later_exchange_are_fine_even_when_strict() {
    let mut pair = Pair::established(client(), server());
    pair.client.transport.rekey(&mut pair.client.tx);
    pair.client.force(&IGNORE);
    pair.client.force(&encoded(&Debug { always_display: false, message: b"m", language_tag: b"" }));
    pair.run();
    let expected = [Seen::Debug(b"m".into()), Seen::KexDone { first: false }];
    assert_eq!(pair.server.take_seen(), expected);
}

#[test]
fn pings_without_end_while_our_keys_are_due_are_refused() {
    let mut pair = Pair::established(client(), server());
    // The server's KEXINIT never arrives.
    pair.server.transport.rekey(&mut pair.server.tx);
    let ping = encoded(&Ping { data: &[7; 1000] });
    for _ in 0..40 {
        pair.client.force(&ping);
    }
    pair.server.receive(&pair.client.take_output());
    assert_eq!(pair.server.error(), Some(Violation::TooManyPings.into()));
}

#[test]
fn message_number_0_is_refused() {
    let mut pair = Pair::established(client(), server());
    pair.client.force(&[0]);
    pair.server.receive(&pair.client.take_output());
    assert_refused(&mut pair, not_allowed(0, Phase::Established));
}

/// Every message a logged-in server or client reads itself, well made.
fn well_made(from_server: bool) -> Vec<(Vec<u8>, bool)> {
    let mut info = Vec::new();
    ExtInfo::encode_pairs(&[("name", b"value")], &mut info);
    let service = match from_server {
        true => encoded(&ServiceAccept { service_name: "ssh-userauth" }),
        false => encoded(&ServiceRequest { service_name: "ssh-userauth" }),
    };
    let debug = Debug { always_display: true, message: b"text", language_tag: b"en" };
    vec![
        (encoded(&Unimplemented { packet_sequence_number: 3 }), true),
        (encoded(&debug), true),
        (service, true),
        (encoded(&Ping { data: b"data" }), true),
        (encoded(&Pong { data: b"data" }), true),
        (info, from_server),
    ]
}

/// What the other side makes of a payload before login.
fn error_after(payload: &[u8], from_server: bool) -> Option<Error> {
    let mut pair = Pair::connected(client(), server());
    let Pair { client, server, .. } = &mut pair;
    let (from, to) = if from_server { (server, client) } else { (client, server) };
    from.force(payload);
    to.receive(&from.take_output());
    to.error()
}

#[test]
fn one_byte_more_or_less_than_a_message_has_is_refused() {
    for from_server in [true, false] {
        for (payload, allowed) in well_made(from_server) {
            if !allowed {
                continue;
            }
            let bad = |error| {
                let number = payload[0];
                Some(Error::from(InvalidMessage::Message { number, error }))
            };
            assert_eq!(error_after(&payload, from_server), None);
            let longer = [&payload[..], &[0]].concat();
            assert_eq!(error_after(&longer, from_server), bad(DecodeError::TrailingBytes));
            let shorter = &payload[..payload.len() - 1];
            assert_eq!(error_after(shorter, from_server), bad(DecodeError::Truncated));
        }
    }
}

#[test]
fn lengths_in_messages_that_lie_are_refused_without_growth() {
    for from_server in [true, false] {
        for (payload, allowed) in well_made(from_server) {
            // A number and nothing else has no length in it.
            if !allowed || payload[0] == Unimplemented::NUMBER {
                continue;
            }
            for at in 1..payload.len().saturating_sub(4) {
                for length in [0x7fff_ffff_u32, u32::MAX] {
                    let mut lying = payload.clone();
                    lying[at..at + 4].copy_from_slice(&length.to_be_bytes());
                    if let Some(error) = error_after(&lying, from_server) {
                        assert_eq!(error.reason(), Some(2));
                    }
                }
            }
            let mut lying = payload.clone();
            let length = if payload[0] == Debug::NUMBER { 2..6 } else { 1..5 };
            lying[length].fill(0xff);
            assert!(error_after(&lying, from_server).is_some(), "{}", payload[0]);
        }
    }
}

#[test]
fn every_length_in_a_kexinit_may_lie_and_is_found_out() {
    let mut client = Side::new(client(), 1);
    let output = client.take_output();
    let packet = &output[output.iter().position(|byte| *byte == b'\n').unwrap() + 1..];
    let kexinit = &packet[5..packet.len() - usize::from(packet[4])];
    let mut at = 17;
    for _ in 0..10 {
        let length = u32::from_be_bytes(kexinit[at..at + 4].try_into().unwrap());
        for lie in [0x7fff_ffff, u32::MAX, length + 1] {
            let mut lying = kexinit.to_vec();
            lying[at..at + 4].copy_from_slice(&lie.to_be_bytes());
            let mut server = Side::new(server(), 2);
            server.receive(b"SSH-2.0-x\r\n");
            server.receive(&clear(&lying));
            let reason = server.error().and_then(|error| error.reason());
            // One more byte may still be a list, then one that holds nothing of ours.
            assert!(matches!(reason, Some(2 | 3)), "{at} {lie}");
        }
        at += 4 + length as usize;
    }
}

#[test]
fn a_packet_that_was_tampered_with_ends_everything_with_reason_5() {
    let mut pair = Pair::established(client(), server());
    pair.client.send(&[94; 100]);
    let mut bytes = pair.client.take_output();
    bytes[20] ^= 1;
    pair.server.receive(&bytes);
    assert_refused(&mut pair, Error::Decrypt);
    assert_eq!(Error::Decrypt.reason(), Some(5));
}

#[test]
fn a_packet_cut_out_or_said_twice_is_found_out() {
    for (strict_kex, cut) in [(true, true), (true, false), (false, true), (false, false)] {
        let [client, server] = strict(strict_kex);
        let mut pair = Pair::established(client, server);
        pair.client.send(&[94, 1]);
        let one = pair.client.take_output();
        pair.client.send(&[94, 2]);
        pair.client.take_output();
        pair.client.send(&[94, 3]);
        let three = pair.client.take_output();
        pair.server.receive(&one);
        pair.server.receive(if cut { &three } else { &one });
        assert_eq!(pair.server.error(), Some(Error::Decrypt));
    }
}

#[test]
fn what_is_no_ssh_is_told_so_and_left() {
    let mut server = Side::new(server(), 2);
    server.take_output();
    server.receive(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(server.error(), Some(InvalidMessage::NotSsh.into()));
}

/// A side of this role whose peer is in this phase, and that peer.
fn in_phase(role: Role, phase: Phase) -> (Side, Side) {
    let [client, server] = strict(phase == Phase::StrictKex);
    let pair = match phase {
        Phase::Start | Phase::FirstKex | Phase::StrictKex => Pair::new(client, server),
        Phase::FirstPacket | Phase::Login => Pair::connected(client, server),
        Phase::Established | Phase::Rekey => Pair::established(client, server),
    };
    let (mut us, mut peer) = match role {
        Role::Client => (pair.client, pair.server),
        Role::Server => (pair.server, pair.client),
    };
    match phase {
        Phase::Login => peer.force(&IGNORE),
        Phase::Rekey => peer.transport.rekey(&mut peer.tx),
        _ => {}
    }
    let mut said = peer.take_output();
    if phase == Phase::Start {
        let line = said.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        said.truncate(line);
    }
    us.receive(&said);
    assert_eq!(us.error(), None);
    (us, peer)
}

#[test]
fn both_roles_do_in_every_phase_what_the_gate_says_of_every_number() {
    for role in [Role::Client, Role::Server] {
        // The packet behind the first keys is EXT_INFO here, and the phase over: the table alone tells it from `Login`.
        for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::FirstPacket) {
            for number in 0..=255 {
                let expected = match allowed(role, phase, number) {
                    Verdict::Refuse => Some(not_allowed(number, phase)),
                    Verdict::Unimplemented => None,
                    _ => continue,
                };
                let (mut us, mut peer) = in_phase(role, phase);
                peer.force(&[number, 0, 0, 0, 0]);
                us.receive(&peer.take_output());
                assert_eq!(us.error(), expected, "{role:?} {phase:?} {number}");
            }
        }
    }
}

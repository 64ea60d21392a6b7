//! Every way a peer may break the protocol, sent by a scripted one: the reason and the words it is left with.

use adit_connection::Channel;
use adit_engine::{Forward, Open};
use adit_testkit::script::{self, Offer, RawScript, payload};
use adit_testkit::{End, FixedRng, Manners, Script, Seen, keys};
use adit_transport::{Config, HostKeys, SignFailed};
use adit_wire::auth::{
    Publickey, UserauthFailure, UserauthInfoRequest, UserauthInfoResponse, UserauthPkOk,
    UserauthRequest, UserauthSuccess,
};
use adit_wire::channel::{
    ChannelClose, ChannelData, ChannelEof, ChannelOpen, ChannelOpenConfirmation, ChannelRequest,
    ChannelSuccess, ChannelWindowAdjust,
};
use adit_wire::global_request::{GlobalRequest, RequestSuccess};
use adit_wire::kex::{KexEcdhInit, KexEcdhReply};
use adit_wire::transport::{Ignore, Ping, ServiceAccept, ServiceRequest};
use adit_wire::{Message, NameList, Rest};

/// Message numbers of the connection protocol. RFC 4254 §9.
const CONNECTION: [u8; 14] = [80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100];

mod before_keys {
    use super::*;

    fn ends() -> [End; 2] {
        [script::client(), script::server()]
    }

    /// Both roles are sent these bytes instead of an identification.
    fn refuses_line(line: &[u8], reason: u32, words: &str) {
        for us in ends() {
            let mut script = RawScript::new(us);
            script.sends_bytes(line);
            script.expects_disconnect(reason, words);
        }
    }

    #[test]
    fn another_major_version_is_left_with_reason_8() {
        refuses_line(b"SSH-1.5-old\r\n", 8, "Protocol major versions differ");
    }

    #[test]
    fn a_client_that_speaks_http_is_left() {
        let mut script = RawScript::new(script::server());
        script.sends_bytes(b"GET / HTTP/1.1\r\n");
        script.expects_disconnect(2, "invalid SSH identification string");
    }

    #[test]
    fn a_nul_in_the_identification_is_left() {
        refuses_line(b"SSH-2.0-x\0\r\n", 2, "NUL in SSH identification string");
    }

    #[test]
    fn an_endless_identification_is_left() {
        let line = [b"SSH-2.0-", &[b'x'; 300][..]].concat();
        refuses_line(&line, 2, "SSH identification string too long");
    }

    #[test]
    fn a_packet_of_impossible_length_is_left() {
        for length in [0_u32, 5, 0x7fff_ffff, u32::MAX] {
            for us in ends() {
                let mut script = RawScript::identified(us);
                script.sends_bytes(&length.to_be_bytes());
                script.sends_bytes(&[0; 4]);
                script.expects_disconnect(2, &format!("bad packet length {length}"));
            }
        }
    }

    #[test]
    fn padding_that_leaves_no_message_is_left() {
        for (padding, words) in [(11, "packet without a message"), (200, "bad packet padding")] {
            let mut script = RawScript::identified(script::server());
            script.sends_bytes(&[&[0, 0, 0, 12, padding][..], &[0; 11]].concat());
            script.expects_disconnect(2, words);
        }
    }

    #[test]
    fn no_message_of_another_layer_comes_before_keys() {
        for us in [script::client, script::server] {
            for number in [5, 6, 7, 21, 30, 31, 50, 51, 52, 60].into_iter().chain(CONNECTION) {
                let mut script = RawScript::identified(us());
                script.sends_payload(&[number, 0, 0, 0, 0]);
                let name = adit_wire::number::name(number);
                let words =
                    format!("{name} message ({number}) not allowed before the key exchange");
                script.expects_disconnect(2, &words);
            }
        }
    }

    #[test]
    fn ignore_within_a_strict_exchange_is_left() {
        let strict = [
            (script::client as fn() -> End, "kex-strict-s-v00@openssh.com,curve25519-sha256"),
            (script::server, "kex-strict-c-v00@openssh.com,curve25519-sha256"),
        ];
        for (us, kex) in strict {
            let mut script = RawScript::identified(us());
            script.sends_payload(&Offer { kex, ..Offer::default() }.payload());
            script.sends_payload(&payload(&Ignore { data: b"" }));
            let words = "IGNORE message (2) not allowed during the first key exchange";
            script.expects_disconnect(2, words);
        }
    }

    #[test]
    fn ignore_within_an_exchange_that_is_not_strict_is_ignored() {
        for us in ends() {
            let mut script = RawScript::identified(us);
            script.sends_payload(&Offer::default().payload());
            script.sends_payload(&payload(&Ignore { data: b"" }));
            assert_eq!(script.us.error(), None);
        }
    }

    #[test]
    fn a_strict_peer_must_begin_with_its_kexinit() {
        let mut script = RawScript::identified(script::server());
        script.sends_payload(&payload(&Ignore { data: b"" }));
        let kex = "kex-strict-c-v00@openssh.com,curve25519-sha256";
        script.sends_payload(&Offer { kex, ..Offer::default() }.payload());
        let words = "strict key exchange violation: KEXINIT was not the first packet";
        script.expects_disconnect(2, words);
    }

    #[test]
    fn nothing_in_common_is_left_with_reason_3_and_the_offer() {
        let ours = Offer::default();
        let cases = [
            (Offer { kex: "kex-of-old", ..ours }, "key exchange method", "kex-of-old"),
            (Offer { host_key: "ssh-dss", ..ours }, "host key type", "ssh-dss"),
            (Offer { cipher: "3des-cbc", ..ours }, "cipher", "3des-cbc"),
            (Offer { compression: "zlib", ..ours }, "compression method", "zlib"),
        ];
        for (offer, list, names) in cases {
            for us in ends() {
                let mut script = RawScript::identified(us);
                script.sends_payload(&offer.payload());
                let words = format!("no matching {list} found. Their offer: {names}");
                script.expects_disconnect(3, &words);
            }
        }
    }

    #[test]
    fn no_mac_in_common_matters_only_without_an_aead() {
        let offer = Offer { mac: "hmac-md5", ..Offer::default() };
        for us in ends() {
            let mut script = RawScript::identified(us);
            script.sends_payload(&offer.payload());
            assert_eq!(script.us.error(), None);
        }
        let ctr =
            |config| Config { ciphers: vec![adit_crypto::CipherAlgorithm::Aes128Ctr], ..config };
        let config = keys::server_config(ctr(keys::server_transport()));
        let us = End::server(config, Manners::default(), 1);
        let mut script = RawScript::identified(us);
        script.sends_payload(&Offer { cipher: "aes128-ctr", ..offer }.payload());
        script.expects_disconnect(3, "no matching MAC found. Their offer: hmac-md5");
    }

    #[test]
    fn a_public_value_of_small_order_is_left_with_reason_3() {
        let mut script = RawScript::identified(script::server());
        script.sends_payload(&Offer::default().payload());
        script.sends_payload(&payload(&KexEcdhInit { q_c: &[0; 32] }));
        script.expects_disconnect(3, "key exchange failed: invalid public value");

        let mut script = RawScript::identified(script::client());
        script.sends_payload(&Offer::default().payload());
        let k_s = keys::key(7).public_blob();
        script.sends_payload(&payload(&KexEcdhReply { k_s: &k_s, q_s: &[0; 32], signature: b"" }));
        script.expects_disconnect(3, "key exchange failed: invalid public value");
    }

    #[test]
    fn a_signature_that_does_not_hold_is_left_with_reason_3() {
        let mut script = RawScript::offering(script::client(), Offer::default());
        script.answers_with(&keys::key(7).public_blob(), &keys::key(8), |_| {});
        script.expects_disconnect(3, "key exchange failed: incorrect signature");
        assert!(!script.us.seen.contains(&Seen::HostKey), "an impostor's key is not even shown");
    }
}

mod under_keys {
    use super::*;

    #[test]
    fn any_damage_to_a_packet_is_left_with_reason_5() {
        let bits = 8 * payload(&ServiceRequest { service_name: "ssh-userauth" }).len();
        for bit in 32..bits {
            let mut script = Script::connected(script::server());
            let message = payload(&ServiceRequest { service_name: "ssh-userauth" });
            script.sends_damaged(&message, bit);
            script.expects_disconnect(5, "message authentication code incorrect");
        }
    }

    #[test]
    fn no_message_of_the_connection_comes_before_login() {
        for us in [script::client, script::server] {
            for number in CONNECTION {
                for mut script in [Script::connected(us()), Script::at_login(us())] {
                    script.sends_payload(&[number, 0, 0, 0, 0]);
                    let name = adit_wire::number::name(number);
                    let words = format!("{name} message ({number}) not allowed before login");
                    script.expects_disconnect(2, &words);
                }
            }
        }
    }

    #[test]
    fn a_peer_must_not_speak_the_lines_of_the_other_role() {
        let refuses = |us: fn() -> End, number| {
            let mut script = Script::at_login(us());
            script.sends_payload(&[number, 0, 0, 0, 0]);
            let name = adit_wire::number::name(number);
            let words = format!("{name} message ({number}) not allowed before login");
            script.expects_disconnect(2, &words);
        };
        [5, 50, 61].into_iter().for_each(|number| refuses(script::client, number));
        [6, 7, 51, 52, 53, 60].into_iter().for_each(|number| refuses(script::server, number));
    }

    #[test]
    fn key_exchange_messages_outside_an_exchange_are_left() {
        for number in [21, 30, 31] {
            let mut script = Script::established(script::client());
            script.sends_payload(&[number]);
            let name = adit_wire::number::name(number);
            script.expects_disconnect(
                2,
                &format!("{name} message ({number}) not allowed after login"),
            );
        }
    }

    #[test]
    fn a_login_message_after_login_is_left_by_a_client() {
        let mut script = Script::established(script::client());
        script.sends(&UserauthSuccess {});
        let words = "USERAUTH_SUCCESS message (52) not allowed after login";
        script.expects_disconnect(2, words);
    }

    #[test]
    fn nothing_of_the_connection_comes_between_kexinit_and_newkeys() {
        for us in [script::client, script::server] {
            let mut script = Script::established(us());
            script.sends_payload(&Offer::default().payload());
            script.sends(&ChannelEof { recipient_channel: 0 });
            let words = "CHANNEL_EOF message (96) not allowed during a key exchange";
            script.expects_disconnect(2, words);
        }
    }

    #[test]
    fn pings_without_end_during_a_key_exchange_are_left() {
        let mut script = Script::established(script::client());
        script.us.rekey();
        for _ in 0..17 {
            script.sends(&Ping { data: &[0; 1024] });
        }
        script.expects_disconnect(2, "too many pings during a key exchange");
    }

    #[test]
    fn a_peer_that_ignores_our_kexinit_is_left_in_time() {
        for us in [script::client, script::server] {
            let mut script = Script::established(us());
            script.us.rekey();
            script.us.tick(1000);
            script.us.tick(30_999);
            assert_eq!(script.us.error(), None);
            script.us.tick(31_000);
            script.expects_disconnect(2, "key exchange timed out");
        }
    }

    #[test]
    fn a_host_key_that_changes_is_left_with_reason_9() {
        use std::sync::atomic::{AtomicU8, Ordering};
        /// Another key for each exchange.
        struct Turncoat(AtomicU8);
        impl HostKeys for Turncoat {
            fn algorithms(&self) -> Vec<adit_crypto::KeyAlgorithm> {
                keys::key(7).public_key().algorithms().collect()
            }
            fn public_blob(&self, _: adit_crypto::KeyAlgorithm) -> Option<Vec<u8>> {
                Some(keys::key(self.0.load(Ordering::Relaxed)).public_blob())
            }
            fn sign(
                &self,
                algorithm: adit_crypto::KeyAlgorithm,
                hash: &[u8],
            ) -> Result<Vec<u8>, SignFailed> {
                let key = keys::key(self.0.fetch_add(1, Ordering::Relaxed));
                key.sign(algorithm.signature, hash, &mut FixedRng::new(1)).map_err(|_| SignFailed)
            }
        }
        let turncoat = std::sync::Arc::new(Turncoat(AtomicU8::new(7)));
        let arrange = |config| Config { host_keys: Some(turncoat), ..config };
        let mut script = Script::connected_by(script::client(), arrange);
        script.sends(&ServiceAccept { service_name: "ssh-userauth" });
        script.sends(&UserauthSuccess {});
        script.us.take_seen();
        script.us.rekey();
        script.peer_is_logged_in();
        script.rekeys();
        script.expects_disconnect(9, "host key changed during the connection");
    }
}

mod logins {
    use super::*;

    fn left(mut script: Script, reason: u32, words: &str) {
        script.expects_disconnect(reason, words);
    }

    /// A client in the middle of the method that `manners` leave it, past `none`.
    fn client_at(methods: &'static str, arrange: impl FnOnce(&mut Manners)) -> Script {
        let mut us = script::client();
        arrange(&mut us.manners);
        let mut script = Script::at_login(us);
        script.sends(&failure(methods));
        script.expects_number(UserauthRequest::NUMBER);
        script
    }

    fn failure(methods: &str) -> UserauthFailure<'_> {
        let authentications_that_can_continue = NameList::new(methods);
        UserauthFailure { authentications_that_can_continue, partial_success: false }
    }

    fn prompts(count: usize) -> Vec<u8> {
        let prompts = vec![(&b"?"[..], true); count];
        let mut payload = vec![];
        UserauthInfoRequest::encode_prompts(b"", b"", &prompts, &mut payload);
        payload
    }

    #[test]
    fn a_service_not_asked_for_must_not_be_accepted() {
        let mut script = Script::connected(script::client());
        script.sends(&ServiceAccept { service_name: "ssh-connection" });
        left(script, 2, "service accepted that was not asked for");
    }

    #[test]
    fn success_for_the_service_request_is_no_success() {
        let mut script = Script::connected(script::client());
        script.sends(&UserauthSuccess {});
        left(script, 2, "authentication success without a request");
    }

    #[test]
    fn success_for_a_probed_key_is_no_success() {
        let mut script = client_at("publickey", |_| ());
        script.sends(&UserauthSuccess {});
        left(script, 2, "authentication success for a key that was only probed");
    }

    #[test]
    fn failure_without_a_request_is_a_violation() {
        let mut script = client_at("publickey", |manners| manners.secrets.clear());
        script.sends(&failure("publickey"));
        script.sends(&failure("publickey"));
        left(script, 2, "authentication failure without a request");
    }

    #[test]
    fn message_60_belongs_to_a_method() {
        let mut script = client_at("publickey", |manners| manners.sign_at_once = true);
        script.sends(&UserauthPkOk { algorithm_name: "ssh-ed25519", public_key: b"" });
        left(script, 2, "method message while no such method runs");
    }

    #[test]
    fn another_key_than_offered_must_not_be_accepted() {
        let mut script = client_at("publickey", |_| ());
        let public_key = keys::key(9).public_blob();
        script.sends(&UserauthPkOk { algorithm_name: "ssh-ed25519", public_key: &public_key });
        left(script, 2, "server accepts a key that was not offered");
    }

    #[test]
    fn a_hundred_and_one_prompts_are_too_many() {
        let mut script = client_at("keyboard-interactive", |_| ());
        script.sends_payload(&prompts(101));
        left(script, 2, "too many prompts");
    }

    #[test]
    fn rounds_without_end_are_too_many() {
        let mut script = client_at("keyboard-interactive", |_| ());
        for _ in 0..101 {
            script.sends_payload(&prompts(0));
        }
        left(script, 2, "too many rounds of questions");
    }

    #[test]
    fn a_login_message_with_a_byte_too_many_is_malformed() {
        let mut script = client_at("publickey", |_| ());
        script.sends_payload(&[52, 0]);
        left(script, 2, "bad authentication message: bytes after the end of the message");
    }

    #[test]
    fn another_service_than_authentication_is_left_with_reason_7() {
        let mut script = Script::connected(script::server());
        script.sends(&ServiceRequest { service_name: "ssh-connection" });
        left(script, 7, "service not available");
    }

    #[test]
    fn a_request_before_the_service_is_a_violation() {
        let mut script = Script::connected(script::server());
        script.asks_to_log_in("none", b"");
        left(script, 2, "authentication request before the service request");
    }

    #[test]
    fn a_login_to_another_service_is_left_with_reason_7() {
        let mut script = Script::at_login(script::server());
        let method = Rest(b"");
        script.sends(&UserauthRequest {
            user_name: "ada",
            service_name: "ssh-userauth",
            method_name: "none",
            method,
        });
        left(script, 7, "service not available");
    }

    #[test]
    fn another_user_half_way_is_a_violation() {
        let mut script = Script::at_login(script::server());
        script.asks_to_log_in("none", b"");
        script.sends(&UserauthRequest {
            user_name: "root",
            service_name: "ssh-connection",
            method_name: "none",
            method: Rest(b""),
        });
        left(script, 2, "change of user name or service not allowed");
    }

    #[test]
    fn a_user_name_without_end_is_left_with_reason_15() {
        let mut script = Script::at_login(script::server());
        script.sends(&UserauthRequest {
            user_name: &"a".repeat(100_000),
            service_name: "ssh-connection",
            method_name: "none",
            method: Rest(b""),
        });
        left(script, 15, "user name too long");
    }

    #[test]
    fn answers_to_nothing_are_a_violation() {
        let mut script = Script::at_login(script::server());
        script.asks_to_log_in("none", b"");
        let mut payload = vec![];
        UserauthInfoResponse::encode_responses([&b"x"[..]].into_iter(), &mut payload);
        script.sends_payload(&payload);
        left(script, 2, "answers to questions that were not asked");
    }

    #[test]
    fn a_server_without_a_way_in_is_left_with_reason_14() {
        let mut us = script::server();
        us.manners.policy.methods = vec![];
        us.manners.policy.required = vec![vec![adit_auth::Method::Password]];
        let mut script = Script::at_login(us);
        script.asks_to_log_in("none", b"");
        left(script, 14, "no authentication methods enabled");
    }

    #[test]
    fn a_key_request_that_is_cut_short_is_malformed() {
        let mut script = Script::at_login(script::server());
        let mut body = vec![];
        let key = keys::key(1).public_blob();
        Publickey {
            algorithm_name: "ssh-ed25519",
            public_key: &key,
            server_host_key: None,
            signature: None,
        }
        .encode(&mut body);
        body.pop();
        script.asks_to_log_in("publickey", &body);
        left(script, 2, "bad authentication message: message ends too early");
    }

    #[test]
    fn a_signature_over_another_session_is_a_failure_like_any_other() {
        let mut script = Script::at_login(script::server());
        script.asks_to_log_in("none", b"");
        script.expects_number(UserauthFailure::NUMBER);
        let key = keys::key(1);
        let algorithm = adit_crypto::SignatureAlgorithm::Ed25519;
        let signature = key.sign(algorithm, b"another session", &mut FixedRng::new(1)).unwrap();
        let public_key = key.public_blob();
        let mut body = vec![];
        Publickey {
            algorithm_name: "ssh-ed25519",
            public_key: &public_key,
            server_host_key: None,
            signature: Some(&signature),
        }
        .encode(&mut body);
        script.asks_to_log_in("publickey", &body);
        script.expects_number(UserauthFailure::NUMBER);
        assert!(!script.us.engine.is_established());
    }
}

mod channels {
    use super::*;

    /// The number a hostile peer gives its channel.
    const THEIRS: u32 = 77;

    /// A client with one channel open, of window and packets as confirmed.
    fn with_channel() -> (Script, Channel) {
        let mut script = Script::established(script::client());
        let channel = asked(&mut script);
        script.sends(&confirmation(channel, THEIRS));
        (script, channel)
    }

    fn asked(script: &mut Script) -> Channel {
        let channel = script.us.open(&Open::direct_tcpip("db", 1, "127.0.0.1", 2));
        script.us.settle();
        script.expects_number(ChannelOpen::NUMBER);
        channel
    }

    fn confirmation(channel: Channel, sender_channel: u32) -> ChannelOpenConfirmation<'static> {
        ChannelOpenConfirmation {
            recipient_channel: channel.number().0,
            sender_channel,
            initial_window_size: 1 << 20,
            maximum_packet_size: 32 << 10,
            data: Rest(b""),
        }
    }

    fn data(channel: Channel, data: &[u8]) -> ChannelData<'_> {
        ChannelData { recipient_channel: channel.number().0, data }
    }

    fn session(sender_channel: u32) -> ChannelOpen<'static> {
        ChannelOpen {
            channel_type: "session",
            sender_channel,
            initial_window_size: 1 << 20,
            maximum_packet_size: 32 << 10,
            data: Rest(b""),
        }
    }

    /// A client with an open channel is sent this after that.
    fn refuses(messages: impl FnOnce(Channel) -> Vec<Vec<u8>>, words: &str) {
        let (mut script, channel) = with_channel();
        for message in messages(channel) {
            assert_eq!(script.us.error(), None, "left too early");
            script.sends_payload(&message);
        }
        script.expects_disconnect(2, words);
    }

    #[test]
    fn a_malformed_message_is_left() {
        refuses(
            |_| vec![vec![96, 0, 0, 0, 0, 0]],
            "malformed message 96: bytes after the end of the message",
        );
    }

    #[test]
    fn a_length_past_the_end_is_left_for_every_message_with_a_string() {
        for length in [9, 0x7fff_ffff, u32::MAX] {
            refuses(
                |_| vec![[&[94, 0, 0, 0, 0][..], &length.to_be_bytes(), b"short"].concat()],
                "malformed message 94: message ends too early",
            );
        }
    }

    #[test]
    fn a_channel_nobody_opened_is_left() {
        refuses(
            |_| vec![payload(&ChannelEof { recipient_channel: 5 })],
            "message for channel 5, which is not open",
        );
    }

    #[test]
    fn data_before_the_open_is_answered_is_left() {
        let mut script = Script::established(script::client());
        let channel = asked(&mut script);
        script.sends(&data(channel, b"x"));
        script.expects_disconnect(2, "message for channel 0 before its open was answered");
    }

    #[test]
    fn an_open_answered_twice_is_left() {
        refuses(
            |channel| vec![payload(&confirmation(channel, 78))],
            "open of channel 0 answered twice",
        );
    }

    #[test]
    fn a_number_opened_twice_is_left() {
        let mut script = Script::established(script::server());
        script.opens(&session(3));
        script.sends(&session(3));
        script.expects_disconnect(2, "channel 3 opened while it is open");
    }

    #[test]
    fn a_maximum_packet_of_nothing_is_left() {
        let mut script = Script::established(script::client());
        let channel = asked(&mut script);
        script.sends(&ChannelOpenConfirmation {
            maximum_packet_size: 0,
            ..confirmation(channel, THEIRS)
        });
        script.expects_disconnect(2, "channel 0 confirmed with maximum packet size 0");
    }

    #[test]
    fn data_beyond_the_window_is_left() {
        let most = vec![0; 32 << 10];
        refuses(
            |channel| {
                let mut messages = vec![payload(&data(channel, &most)); 8];
                messages.push(payload(&data(channel, b"xy")));
                messages
            },
            "2 bytes beyond the window of channel 0",
        );
    }

    #[test]
    fn data_beyond_the_maximum_packet_is_left() {
        let most = vec![0; (32 << 10) + 1];
        refuses(
            |channel| vec![payload(&data(channel, &most))],
            "32769 bytes in one message for channel 0",
        );
    }

    #[test]
    fn an_adjust_past_32_bits_is_left() {
        refuses(
            |channel| {
                vec![payload(&ChannelWindowAdjust {
                    recipient_channel: channel.number().0,
                    bytes_to_add: u32::MAX,
                })]
            },
            "window of channel 0 adjusted past 2^32 - 1",
        );
    }

    #[test]
    fn data_after_eof_is_left() {
        refuses(
            |channel| {
                let eof = ChannelEof { recipient_channel: channel.number().0 };
                vec![payload(&eof), payload(&data(channel, b"x"))]
            },
            "data after EOF on channel 0",
        );
    }

    #[test]
    fn anything_after_close_is_left() {
        refuses(
            |channel| {
                let close = ChannelClose { recipient_channel: channel.number().0 };
                vec![payload(&close), payload(&data(channel, b"x"))]
            },
            "message after CLOSE on channel 0",
        );
    }

    #[test]
    fn a_reply_to_nothing_is_left() {
        refuses(|_| vec![vec![82]], "reply to a request that was not made");
        refuses(
            |channel| vec![payload(&ChannelSuccess { recipient_channel: channel.number().0 })],
            "reply to a request that was not made on channel 0",
        );
    }

    #[test]
    fn an_impossible_port_is_left() {
        let mut script = Script::established(script::client());
        script.us.engine.request_forward(Forward::tcpip("", 0)).unwrap();
        script.us.settle();
        script.expects_number(GlobalRequest::NUMBER);
        script.sends(&RequestSuccess { data: Rest(&70_000_u32.to_be_bytes()) });
        script.expects_disconnect(2, "allocated port 70000");
    }

    #[test]
    fn channel_requests_without_end_are_left() {
        let mut script = Script::established(script::server());
        let channel = script.opens(&session(3));
        let shell = ChannelRequest {
            recipient_channel: channel.number().0,
            request_type: "shell",
            want_reply: true,
            data: Rest(b""),
        };
        for _ in 0..65 {
            script.sends(&shell);
        }
        script.expects_disconnect(2, "too many requests at once");
    }

    #[test]
    fn questions_whose_answers_are_not_read_are_left() {
        let mut script = Script::established(script::client());
        let ask = GlobalRequest { request_name: "x", want_reply: true, data: Rest(b"") };
        // Nothing leaves while we exchange keys and the peer does not.
        script.us.rekey();
        while script.us.error().is_none() {
            script.sends(&ask);
        }
        script.expects_disconnect(2, "requests sent but their answers not read");
    }

    #[test]
    fn a_server_is_not_asked_for_what_only_it_may_ask() {
        let mut script = Script::established(script::client());
        let open = session(4);
        script.sends(&open);
        script.expects_number(92);
        assert_eq!(script.us.error(), None, "refused, and the connection goes on");
    }
}

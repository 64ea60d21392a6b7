//! One bit of a sealed flow arrives as its opposite: the connection ends, and nothing forged is handed on.

use adit_crypto::{CipherAlgorithm, MacAlgorithm};
use adit_engine::{Error, Open};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{End, Manners, Pair, Seen};
use adit_transport::Config;

const SENT: &[u8] = b"exactly this and nothing else";

fn with(cipher: CipherAlgorithm, mac: MacAlgorithm) -> impl Fn(Config) -> Config {
    move |config| Config { ciphers: vec![cipher], macs: vec![mac], ..config }
}

/// A server whose client opens a channel and sends; the client's bytes.
fn recorded(arrange: &impl Fn(Config) -> Config) -> Vec<u8> {
    let client = client_config(arrange(client_transport()));
    let mut pair = Pair::new(client, server_config(arrange(server_transport())));
    pair.up.keep();
    pair.client.reaction = Some(Box::new(|end, seen| {
        if *seen == Seen::Established {
            let channel = end.open(&Open::direct_tcpip("db", 1, "127.0.0.1", 2));
            end.send(channel, SENT);
            end.send_eof(channel);
        }
    }));
    pair.run();
    pair.up.kept().into()
}

/// What a server like the recorded one makes of `bytes`.
fn heard(arrange: &impl Fn(Config) -> Config, bytes: &[u8]) -> End {
    let config = server_config(arrange(server_transport()));
    let mut server = End::server(config, Manners::default(), !1);
    server.receive(bytes);
    // What a longer length would wait for.
    server.receive(&[0; 300_000]);
    server
}

/// Where the first packet under keys begins: behind the identification and three clear packets.
fn keys_begin(bytes: &[u8]) -> usize {
    let mut at = bytes.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    for _ in ["KEXINIT", "KEX_ECDH_INIT", "NEWKEYS"] {
        let length = bytes[at..].first_chunk().map(|length| u32::from_be_bytes(*length));
        at += 4 + length.expect("a packet") as usize;
    }
    at
}

fn every_flip_is_found(cipher: CipherAlgorithm, mac: MacAlgorithm) {
    let arrange = with(cipher, mac);
    let bytes = recorded(&arrange);
    let whole = heard(&arrange, &bytes[..bytes.len()]);
    assert!(whole.flows.values().any(|flow| flow.received == SENT), "{:#?}", whole.seen);
    for at in (keys_begin(&bytes)..bytes.len()).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let server = heard(&arrange, &damaged);
        let Some(Error::Transport(error)) = server.error() else {
            panic!("byte {at} of {}: {:#?}", cipher.name(), server.seen)
        };
        assert_eq!(error.reason(), Some(5), "byte {at} of {}: {error}", cipher.name());
        for flow in server.flows.values() {
            assert!(SENT.starts_with(&flow.received));
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_ends_aes_gcm() {
    every_flip_is_found(CipherAlgorithm::Aes256Gcm, MacAlgorithm::HmacSha2_256);
}

#[test]
fn a_flipped_bit_anywhere_ends_chacha20() {
    every_flip_is_found(CipherAlgorithm::ChaCha20Poly1305, MacAlgorithm::HmacSha2_256);
}

#[test]
fn a_flipped_bit_anywhere_ends_aes_ctr() {
    every_flip_is_found(CipherAlgorithm::Aes128Ctr, MacAlgorithm::HmacSha2_256);
    every_flip_is_found(CipherAlgorithm::Aes256Ctr, MacAlgorithm::HmacSha2_512Etm);
}

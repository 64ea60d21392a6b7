//! However the bytes are split on their way, an end sees the same and says the same.

use adit_crypto::{CipherAlgorithm, MacAlgorithm};
use adit_engine::{ClientConfig, Forward, Open, ServerConfig};
use adit_testkit::keys::{client_config, client_transport, server_config, server_transport};
use adit_testkit::{End, FixedRng, Hospitality, Manners, Pair, Pieces, Seen};
use adit_transport::Config;
use proptest::prelude::{ProptestConfig, prop_assert, proptest};
use std::sync::LazyLock;

const CIPHERS: [CipherAlgorithm; 3] =
    [CipherAlgorithm::Aes128Gcm, CipherAlgorithm::ChaCha20Poly1305, CipherAlgorithm::Aes256Ctr];

fn configs(cipher: CipherAlgorithm) -> (ClientConfig, ServerConfig) {
    let macs = vec![MacAlgorithm::HmacSha2_256];
    let with = |config| Config { ciphers: vec![cipher], macs: macs.clone(), ..config };
    (client_config(with(client_transport())), server_config(with(server_transport())))
}

/// A client that sends, exchanges keys half way, and asks for a forward.
fn client(cipher: CipherAlgorithm) -> End {
    let mut end = End::client(configs(cipher).0, Manners::default(), 11);
    end.reaction = Some(Box::new(|end, seen| match seen {
        Seen::Established => {
            let channel = end.open(&Open::direct_tcpip("db", 1, "127.0.0.1", 2));
            end.send(channel, &[0xaa; 90_000]);
            end.send_eof(channel);
            end.engine.request_forward(Forward::tcpip("localhost", 0)).expect("few requests");
        }
        Seen::Data { channel, bytes } => {
            let came = end.flow(*channel).received.len();
            if (came - bytes.len()..came).contains(&40_000) {
                end.rekey();
            }
        }
        Seen::Eof(channel) => end.close(*channel),
        _ => {}
    }));
    end
}

/// A server that sends everything back, and opens the forward it is asked for.
fn server(cipher: CipherAlgorithm) -> End {
    let manners = Manners { hospitality: Hospitality::Echo, ..Manners::default() };
    let mut end = End::server(configs(cipher).1, manners, 12);
    end.reaction = Some(Box::new(|end, seen| match seen {
        Seen::ForwardRequested(_) => {
            let open = Open::forwarded_tcpip("localhost", 40_000, "10.0.0.1", 5);
            let channel = end.open(&open);
            end.send(channel, b"knock");
            end.send_eof(channel);
        }
        Seen::Closed { channel, .. } => end.close(*channel),
        _ => {}
    }));
    end
}

/// One connection's bytes, and what each end saw.
struct Flow {
    up: Vec<u8>,
    down: Vec<u8>,
    client: Vec<Seen>,
    server: Vec<Seen>,
}

static FLOWS: LazyLock<Vec<Flow>> = LazyLock::new(|| CIPHERS.map(record).into());

fn record(cipher: CipherAlgorithm) -> Flow {
    let (client_config, server_config) = configs(cipher);
    let mut pair = Pair::new(client_config, server_config);
    (pair.client, pair.server) = (client(cipher), server(cipher));
    pair.up.keep();
    pair.down.keep();
    pair.run();
    let rekeyed = Seen::KeysExchanged { first: false };
    for end in [&pair.client, &pair.server] {
        assert!(end.error().is_none() && end.seen.contains(&rekeyed), "{:#?}", end.error());
        assert!(end.seen.iter().any(|seen| matches!(seen, Seen::Closed { .. })));
    }
    Flow {
        up: pair.up.kept().into(),
        down: pair.down.kept().into(),
        client: pair.client.seen,
        server: pair.server.seen,
    }
}

/// What an end says and sees when `bytes` come in `pieces`.
fn replay(mut end: End, bytes: &[u8], mut pieces: Pieces) -> (Vec<u8>, Vec<Seen>) {
    let mut said = end.take_output();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(pieces.size().min(rest.len()));
        end.receive(piece);
        said.extend(end.take_output());
        rest = after;
    }
    (said, end.seen)
}

fn same_in(pieces: &Pieces, which: usize) -> bool {
    let (flow, cipher) = (&FLOWS[which], CIPHERS[which]);
    let (up, seen) = replay(client(cipher), &flow.down, pieces.clone());
    let client = up == flow.up && seen == flow.client;
    let (down, seen) = replay(server(cipher), &flow.up, pieces.clone());
    client && down == flow.down && seen == flow.server
}

#[test]
fn all_at_once_is_the_same_as_a_conversation() {
    for (which, cipher) in CIPHERS.iter().enumerate() {
        assert!(same_in(&Pieces::Whole, which), "{cipher:?}");
    }
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    for (which, cipher) in CIPHERS.iter().enumerate() {
        assert!(same_in(&Pieces::Of(1), which), "{cipher:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_is_the_same(seed: u64, most in 1..70_000_usize, which in 0..CIPHERS.len()) {
        prop_assert!(same_in(&Pieces::UpTo(most, FixedRng::new(seed)), which));
    }
}

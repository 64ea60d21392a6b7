//! Recorded flows: what a real server answered, and our randomness fixed, so that its bytes can be opened again.
//! Touches: a stream while recording; text files of hex afterwards.   Never: the server's or anybody's real keys.
//! Invariants: a client of a recipe says the same bytes whenever it is told the same, however they are split.
//! Errors: panics, but for a text that is no transcript.   Allocates: freely.
//! Proved by: `tests` below, the engine's `tests/transcripts.rs`.

use crate::end::End;
use crate::keys::client_config;
use crate::link::Pieces;
use crate::manners::Manners;
use crate::seen::Seen;
use adit_crypto::{CipherAlgorithm, KexAlgorithm, MacAlgorithm, SignatureAlgorithm};
use adit_engine::Open;
use adit_transport::Config;
use std::io::{Read, Write};

/// What a recorded connection does: log in by key, open a channel to an echo, send, take everything back, leave.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Name of the file.
    pub name: &'static str,
    /// The one method offered.
    pub kex: KexAlgorithm,
    /// The one cipher offered.
    pub cipher: CipherAlgorithm,
    /// The one MAC offered.
    pub mac: MacAlgorithm,
    /// Bytes sent to the echo.
    pub len: usize,
    /// New keys are asked for once so many bytes have come back.
    pub rekey_at: Option<usize>,
}

/// All of them.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "curve25519-aes128-gcm",
        kex: KexAlgorithm::Curve25519Sha256,
        cipher: CipherAlgorithm::Aes128Gcm,
        mac: MacAlgorithm::HmacSha2_256,
        len: 3000,
        rekey_at: None,
    },
    Recipe {
        name: "sntrup761-chacha20",
        kex: KexAlgorithm::Sntrup761X25519Sha512Openssh,
        cipher: CipherAlgorithm::ChaCha20Poly1305,
        mac: MacAlgorithm::HmacSha2_256,
        len: 3000,
        rekey_at: None,
    },
    Recipe {
        name: "curve25519-aes256-ctr-etm-rekey",
        kex: KexAlgorithm::Curve25519Sha256,
        cipher: CipherAlgorithm::Aes256Ctr,
        mac: MacAlgorithm::HmacSha2_512Etm,
        len: 20_000,
        rekey_at: Some(5000),
    },
    Recipe {
        name: "group-exchange-aes256-gcm",
        kex: KexAlgorithm::DhGroupExchangeSha256,
        cipher: CipherAlgorithm::Aes256Gcm,
        mac: MacAlgorithm::HmacSha2_256,
        len: 1000,
        rekey_at: None,
    },
    Recipe {
        name: "group14-aes128-ctr-rekey",
        kex: KexAlgorithm::DhGroup14Sha256,
        cipher: CipherAlgorithm::Aes128Ctr,
        mac: MacAlgorithm::HmacSha2_256,
        len: 3000,
        rekey_at: Some(1),
    },
];

/// The randomness of every recorded client.
const SEED: u64 = 0x00ad_1700;

const REKEYED: Seen = Seen::KeysExchanged { first: false };

impl Recipe {
    /// What is sent to the echo.
    pub fn sent(&self) -> Vec<u8> {
        (0..self.len).map(|at| (at.wrapping_mul(31) >> 3) as u8).collect()
    }

    /// The client: it does everything by itself as events come.
    pub fn client(&self, user: &str, echo_port: u32) -> End {
        let mut config = client_config(Config {
            kex: vec![self.kex],
            ciphers: vec![self.cipher],
            macs: vec![self.mac],
            // A recording outlives the version that made it, and the defaults.
            software: "adit".into(),
            host_key: vec![SignatureAlgorithm::Ed25519.plain()],
            guess_kex: true,
            strict_kex: true,
            extensions: Vec::new(),
            ..Config::client()
        });
        config.login.user = user.into();
        let mut end = End::client(config, Manners::default(), SEED);
        let (sent, rekey_at) = (self.sent(), self.rekey_at);
        end.reaction = Some(Box::new(move |end, seen| {
            match seen {
                Seen::Established => {
                    let echo = Open::direct_tcpip("127.0.0.1", echo_port, "127.0.0.1", 1);
                    let channel = end.open(&echo);
                    end.send(channel, &sent);
                    end.send_eof(channel);
                }
                Seen::Data { channel, bytes } => {
                    let came = end.flow(*channel).received.len();
                    if rekey_at.is_some_and(|at| (came - bytes.len()..came).contains(&at)) {
                        end.rekey();
                    }
                }
                Seen::Eof(channel) => end.close(*channel),
                _ => {}
            }
            let closed = end.flows.values().any(|flow| flow.closed_seen);
            if closed && (rekey_at.is_none() || end.seen.contains(&REKEYED)) {
                end.engine.disconnect("done", &mut end.tx);
            }
        }));
        end
    }
}

/// A recorded connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Who logged in.
    pub user: String,
    /// Where the echo was.
    pub echo_port: u32,
    /// What the client said.
    pub up: Vec<u8>,
    /// What the server said.
    pub down: Vec<u8>,
}

/// Talks to a server over `stream` until the client has left. The server must know [`key(1)`](crate::keys::key).
///
/// # Errors
/// Those of the stream.
///
/// # Panics
/// When the connection ends in another way than the recipe's.
pub fn record(
    recipe: &Recipe,
    mut stream: impl Read + Write,
    user: &str,
    echo_port: u32,
) -> std::io::Result<Transcript> {
    let mut end = recipe.client(user, echo_port);
    let (mut up, mut down) = (vec![], vec![]);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let said = end.take_output();
        stream.write_all(&said)?;
        up.extend(said);
        if end.error().is_some() {
            break;
        }
        let count = stream.read(&mut buffer)?;
        assert_ne!(count, 0, "the server has closed: {:#?}", end.seen);
        down.extend(&buffer[..count]);
        end.receive(&buffer[..count]);
    }
    check(recipe, &end);
    Ok(Transcript { user: user.into(), echo_port, up, down })
}

/// Everything came back, and the client left by itself.
fn check(recipe: &Recipe, end: &End) {
    let [flow] = &end.flows.values().collect::<Vec<_>>()[..] else { panic!("{:#?}", end.seen) };
    assert!(flow.received == recipe.sent() && flow.eof_seen, "{:#?}", end.seen);
    let closed = adit_engine::Error::Transport(adit_transport::Error::Closed);
    assert_eq!(end.error(), Some(&closed), "{:#?}", end.seen);
    let rekeys = end.seen.iter().filter(|seen| **seen == REKEYED);
    assert_eq!(rekeys.count(), usize::from(recipe.rekey_at.is_some()));
}

/// Tells a client what the server said, and holds it against what it said then.
///
/// # Panics
/// When anything differs.
pub fn replay(recipe: &Recipe, transcript: &Transcript, mut pieces: Pieces) {
    let mut end = recipe.client(&transcript.user, transcript.echo_port);
    let mut said = end.take_output();
    let mut rest = &transcript.down[..];
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(pieces.size().min(rest.len()));
        end.receive(piece);
        said.extend(end.take_output());
        rest = after;
    }
    check(recipe, &end);
    assert!(said == transcript.up, "{}: it says something else today", recipe.name);
}

/// Bytes in a line of the text.
const LINE: usize = 48;

impl Transcript {
    /// As text: `user NAME`, `echo PORT`, then `>` lines of the client's bytes and `<` lines of the server's.
    pub fn to_text(&self) -> String {
        let mut text = format!("user {}\necho {}\n", self.user, self.echo_port);
        for (mark, bytes) in [('>', &self.up), ('<', &self.down)] {
            for line in bytes.chunks(LINE) {
                let hex: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
                text.push_str(&format!("{mark} {hex}\n"));
            }
        }
        text
    }

    /// What [`to_text`](Self::to_text) wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut transcript =
            Self { user: String::new(), echo_port: 0, up: Vec::new(), down: Vec::new() };
        for line in text.lines() {
            match line.split_once(' ')? {
                ("user", name) => transcript.user = name.into(),
                ("echo", port) => transcript.echo_port = port.parse().ok()?,
                (">", hex) => transcript.up.extend(from_hex(hex)?),
                ("<", hex) => transcript.down.extend(from_hex(hex)?),
                _ => return None,
            }
        }
        Some(transcript)
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_comes_back_from_its_text() {
        let bytes = |len| (0..len).map(|at| at as u8).collect();
        let transcript =
            Transcript { user: "ada".into(), echo_port: 7, up: bytes(100), down: bytes(48) };
        assert_eq!(Transcript::from_text(&transcript.to_text()), Some(transcript));
        assert_eq!(Transcript::from_text("what"), None);
        assert_eq!(Transcript::from_text("< 0g"), None);
    }
}

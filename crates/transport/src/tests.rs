//! Two sides in memory, and hostile ones: what tests of the whole layer share.
//! Touches: both sides' buffers.   Never: sockets, clocks, real randomness.
//! Invariants: every run is the same as the last.
//! Errors: panics.   Allocates: freely.
//! Proved by: the tests that use it.

mod kex;
mod negotiation;
mod pair;
mod rekey;
mod slots;
mod violations;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use adit_buf::{RxBuf, TxRing};
use adit_crypto::{CipherAlgorithm, KexAlgorithm, KeyAlgorithm, Random, SigningKey};
use adit_wire::Message;
use adit_wire::transport::ExtInfo;

use crate::packet::HEAD;
use crate::{Config, Error, HostKeys, Incoming, SignFailed, Transport};

/// Bytes that are the same in every run, and different for each seed.
pub(crate) struct Fixed(pub(crate) u64);

impl Random for Fixed {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

/// One Ed25519 key.
pub(crate) struct OneKey(pub(crate) u8);

impl OneKey {
    fn key(&self) -> SigningKey {
        SigningKey::ed25519(&[self.0; 32])
    }
}

impl HostKeys for OneKey {
    fn algorithms(&self) -> Vec<KeyAlgorithm> {
        self.key().public_key().algorithms().collect()
    }

    fn public_blob(&self, _: KeyAlgorithm) -> Option<Vec<u8>> {
        Some(self.key().public_blob())
    }

    fn sign(&self, algorithm: KeyAlgorithm, hash: &[u8]) -> Result<Vec<u8>, SignFailed> {
        self.key().sign(algorithm.signature, hash, &mut Fixed(1)).map_err(|_| SignFailed)
    }
}

/// Defaults with the quickest algorithms; tests are many.
pub(crate) fn client() -> Config {
    Config { guess_kex: false, ..quick(Config::client()) }
}

pub(crate) fn server() -> Config {
    quick(Config::server(Arc::new(OneKey(7))))
}

fn quick(config: Config) -> Config {
    let kex = [KexAlgorithm::Curve25519Sha256].into();
    let ciphers = [CipherAlgorithm::Aes128Gcm].into();
    Config { kex, ciphers, ..config }
}

/// What a side was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Packet(Vec<u8>),
    Banner(Vec<u8>),
    HostKey(Vec<u8>),
    KexDone { first: bool },
    ExtInfo(Vec<(String, Vec<u8>)>),
    ServiceRequest(Vec<u8>),
    ServiceAccept(Vec<u8>),
    Pong(Vec<u8>),
    Unimplemented(u32),
    Debug(Vec<u8>),
    Disconnected(u32, Vec<u8>),
    Failed(Error),
}

/// One side with its buffers.
pub(crate) struct Side {
    pub(crate) transport: Transport,
    pub(crate) rx: RxBuf,
    pub(crate) tx: TxRing,
    pub(crate) seen: Vec<Seen>,
    pub(crate) accepts_host_key: bool,
}

impl Side {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        let transport = Transport::new(Arc::new(config), Box::new(Fixed(seed)), 0);
        let (rx, tx) = (RxBuf::new(), TxRing::new());
        let mut side = Self { transport, rx, tx, seen: Vec::new(), accepts_host_key: true };
        side.transport.start(&mut side.tx);
        side
    }

    /// Takes bytes in and everything that comes of them.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        if self.error().is_none() {
            self.rx.extend(bytes);
            self.poll();
        }
    }

    pub(crate) fn poll(&mut self) {
        loop {
            match self.transport.next_packet(&mut self.rx, &mut self.tx) {
                Ok(None) => return,
                Ok(Some(incoming)) => self.note(incoming),
                Err(error) => {
                    assert_eq!(
                        self.transport.next_packet(&mut self.rx, &mut self.tx),
                        Err(error.clone())
                    );
                    return self.seen.push(Seen::Failed(error));
                }
            }
        }
    }

    fn note(&mut self, incoming: Incoming) {
        let bytes = |span| self.rx.bytes(span).to_vec();
        let seen = match incoming {
            Incoming::Packet(span) => Seen::Packet(bytes(span)),
            Incoming::Banner(span) => Seen::Banner(bytes(span)),
            Incoming::Identified => return,
            Incoming::HostKey => Seen::HostKey(self.transport.host_key().to_vec()),
            Incoming::KexDone { first } => Seen::KexDone { first },
            Incoming::ExtInfo(span) => {
                let payload = bytes(span);
                let info = ExtInfo::decode(&payload).unwrap();
                Seen::ExtInfo(
                    info.iter().map(|(name, value)| (name.into(), value.into())).collect(),
                )
            }
            Incoming::ServiceRequest(span) => Seen::ServiceRequest(bytes(span)),
            Incoming::ServiceAccept(span) => Seen::ServiceAccept(bytes(span)),
            Incoming::Pong(span) => Seen::Pong(bytes(span)),
            Incoming::Unimplemented { sequence_number } => Seen::Unimplemented(sequence_number),
            Incoming::Debug { message, .. } => Seen::Debug(bytes(message)),
            Incoming::Disconnected { reason_code, description } => {
                Seen::Disconnected(reason_code, bytes(description))
            }
        };
        let shown = matches!(seen, Seen::HostKey(_));
        self.seen.push(seen);
        if shown && self.accepts_host_key {
            self.transport.accept_host_key(&mut self.tx);
        }
    }

    /// Everything that waits to be written.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        let bytes: Vec<u8> = self.tx.pending().flatten().copied().collect();
        self.tx.written(bytes.len());
        bytes
    }

    pub(crate) fn error(&self) -> Option<Error> {
        match self.seen.last() {
            Some(Seen::Failed(error)) => Some(error.clone()),
            _ => None,
        }
    }

    /// Everything seen since the last time.
    pub(crate) fn take_seen(&mut self) -> Vec<Seen> {
        core::mem::take(&mut self.seen)
    }

    pub(crate) fn send(&mut self, payload: &[u8]) {
        assert_eq!(self.transport.send(payload, &mut self.tx), Ok(()));
    }

    /// Sends without asking whether it may be sent, as the hostile do.
    pub(crate) fn force(&mut self, payload: &[u8]) {
        self.transport.force(payload, &mut self.tx);
    }
}

/// A client and a server, and the line between them.
pub(crate) struct Pair {
    pub(crate) client: Side,
    pub(crate) server: Side,
    /// Bytes that arrive at once.
    pub(crate) piece: usize,
}

impl Pair {
    pub(crate) fn new(client: Config, server: Config) -> Self {
        let (client, server) = (Side::new(client, 1), Side::new(server, 2));
        Self { client, server, piece: usize::MAX }
    }

    /// Both with their first keys, and what they saw on the way forgotten.
    pub(crate) fn connected(client: Config, server: Config) -> Self {
        let mut pair = Self::new(client, server);
        pair.run();
        for side in [&mut pair.client, &mut pair.server] {
            let seen = side.take_seen();
            assert!(seen.contains(&Seen::KexDone { first: true }), "{seen:?}");
        }
        pair
    }

    /// Both logged in.
    pub(crate) fn established(client: Config, server: Config) -> Self {
        let mut pair = Self::connected(client, server);
        pair.client.transport.authenticated();
        pair.server.transport.authenticated();
        pair
    }

    /// Carries bytes until nobody has any.
    pub(crate) fn run(&mut self) {
        loop {
            let (up, down) = (self.client.take_output(), self.server.take_output());
            if up.is_empty() && down.is_empty() {
                return;
            }
            let piece = self.piece;
            up.chunks(piece).for_each(|bytes| self.server.receive(bytes));
            down.chunks(piece).for_each(|bytes| self.client.receive(bytes));
        }
    }

    /// Whether the keys of both directions work on both sides.
    pub(crate) fn assert_talks(&mut self) {
        for round in 0..3 {
            let payload = [94, round, 1, 2, 3];
            self.client.send(&payload);
            self.server.send(&payload);
            self.run();
            assert_eq!(self.client.take_seen(), [Seen::Packet(payload.into())]);
            assert_eq!(self.server.take_seen(), [Seen::Packet(payload.into())]);
        }
    }
}

/// A packet before the first keys.
pub(crate) fn clear(payload: &[u8]) -> Vec<u8> {
    let padding = 4 + (8 - (HEAD + payload.len() + 4) % 8) % 8;
    let mut packet = ((1 + payload.len() + padding) as u32).to_be_bytes().to_vec();
    packet.push(padding as u8);
    packet.extend_from_slice(payload);
    packet.extend(core::iter::repeat_n(0, padding));
    packet
}

/// The payload of a message.
pub(crate) fn encoded<'m>(message: &impl Message<'m>) -> Vec<u8> {
    let mut payload = Vec::new();
    message.encode(&mut payload);
    payload
}

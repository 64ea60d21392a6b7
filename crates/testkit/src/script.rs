//! A scripted peer: its cryptography is right, and what it sends is whatever the test says.
//! Touches: an end under test, in memory or behind a socket; the peer's half is a bare transport ([`Script`]), or packets by
//! hand ([`RawScript`]).   Never: honest layers above.
//! Invariants: the peer reads only when the test expects something, so it can speak out of turn.
//! Errors: panics where the end under test does something else.   Allocates: freely.
//! Proved by: the tests that use it.
//!
//! ```
//! use adit_testkit::{Script, script};
//! use adit_wire::channel::ChannelEof;
//!
//! let mut script = Script::established(script::client());
//! script.sends(&ChannelEof { recipient_channel: 3 });
//! script.expects_disconnect(2, "message for channel 3, which is not open");
//! ```

mod offer;
mod raw;
mod socket;
mod under_test;

pub use offer::Offer;
pub use raw::RawScript;
pub use socket::Socket;
pub use under_test::UnderTest;

use crate::FixedRng;
use crate::end::End;
use crate::keys::{USER, client_config, client_transport, server_config, server_transport};
use crate::manners::{Hospitality, Manners};
use crate::seen::Seen;
use adit_buf::{RxBuf, TxRing};
use adit_crypto::{SignatureAlgorithm, SigningKey};
use adit_transport::{Config, Incoming, Role, Transport};
use adit_wire::auth::{Password, Publickey, UserauthRequest, UserauthSuccess};
use adit_wire::channel::{ChannelOpen, ChannelOpenConfirmation};
use adit_wire::transport::{Disconnect, Pong, ServiceAccept, ServiceRequest, Unimplemented};
use adit_wire::{Field, Message, Rest};
use std::collections::VecDeque;
use std::sync::Arc;

/// A client to be put before a hostile server. It does nothing by itself but its login.
pub fn client() -> End {
    End::client(client_config(client_transport()), quiet(), 1)
}

/// A server to be put before a hostile client. Channels are for the test to answer.
pub fn server() -> End {
    End::server(server_config(server_transport()), quiet(), 1)
}

fn quiet() -> Manners {
    Manners { hospitality: Hospitality::Leave, delivers: false, ..Manners::default() }
}

/// The payload of a message.
pub fn payload<'m>(message: &impl Message<'m>) -> Vec<u8> {
    let mut payload = Vec::new();
    message.encode(&mut payload);
    payload
}

/// A hostile peer with keys, and the end under test.
#[derive(Debug)]
pub struct Script<U = End> {
    /// The end under test.
    pub us: U,
    peer: Transport,
    rx: RxBuf,
    tx: TxRing,
    /// What the end under test said and no test has asked for yet, oldest first.
    heard: VecDeque<Vec<u8>>,
}

/// How far a script begins.
impl<U: UnderTest> Script<U> {
    /// Keys are in use; nothing was said under them.
    pub fn connected(us: U) -> Self {
        Self::connected_by(us, |config| config)
    }

    /// The same with a peer whose transport is arranged by the test.
    pub fn connected_by(us: U, arrange: impl FnOnce(Config) -> Config) -> Self {
        let config = match us.role() {
            Role::Client => server_transport(),
            Role::Server => client_transport(),
        };
        let mut peer = Transport::new(Arc::new(arrange(config)), Box::new(FixedRng::new(2)), 0);
        let mut tx = TxRing::new();
        peer.start(&mut tx);
        let mut script = Self { us, peer, rx: RxBuf::new(), tx, heard: VecDeque::new() };
        script.talk();
        while script.peer.counters().key_exchanges == 0 {
            assert!(script.listen(), "no keys: {:?}, {:#?}", script.peer, script.us);
            script.talk();
        }
        script.us.must_have_seen(&Seen::KeysExchanged { first: true });
        script
    }

    /// Past the service request: login requests and their replies are next.
    pub fn at_login(us: U) -> Self {
        let mut script = Self::connected(us);
        let (asks, accepts) = (
            ServiceRequest { service_name: "ssh-userauth" },
            ServiceAccept { service_name: "ssh-userauth" },
        );
        match script.us.role() {
            Role::Client => {
                script.expects(&asks);
                script.sends(&accepts);
                script.expects_number(UserauthRequest::NUMBER);
            }
            Role::Server => {
                script.sends(&asks);
                script.expects(&accepts);
            }
        }
        script
    }

    /// Logged in; nothing was said since.
    pub fn established(us: U) -> Self {
        Self::established_by(us, |script| script.asks_to_log_in("password", &password()))
    }

    /// The same where a hostile client logs in as the server under test wants it: with one request of the test's.
    pub fn established_by(us: U, logs_in: impl FnOnce(&mut Self)) -> Self {
        let mut script = Self::at_login(us);
        match script.us.role() {
            Role::Client => {
                script.sends(&UserauthSuccess {});
                script.peer.authenticated();
            }
            Role::Server => {
                logs_in(&mut script);
                script.expects(&UserauthSuccess {});
            }
        }
        script.us.must_have_seen(&Seen::Established);
        script
    }
}

fn password() -> Vec<u8> {
    let mut body = Vec::new();
    Password { password: b"secret", new_password: None }.encode(&mut body);
    body
}

/// What the peer does.
impl<U: UnderTest> Script<U> {
    /// Sends a message.
    pub fn sends<'m>(&mut self, message: &impl Message<'m>) {
        self.sends_payload(&payload(message));
    }

    /// Sends anything, whenever.
    pub fn sends_payload(&mut self, payload: &[u8]) {
        self.peer.send(payload, &mut self.tx).expect("the peer has not begun to exchange keys");
        self.talk();
    }

    /// Sends a message, and one bit of its packet arrives as its opposite.
    pub fn sends_damaged(&mut self, payload: &[u8], bit: usize) {
        self.peer.send(payload, &mut self.tx).expect("the peer has not begun to exchange keys");
        let mut bytes = self.take_output();
        bytes[bit / 8] ^= 1 << (bit % 8);
        self.us.receive(&bytes);
    }

    /// Asks to log in by a method with this body.
    pub fn asks_to_log_in(&mut self, method_name: &str, method: &[u8]) {
        let (service_name, method) = ("ssh-connection", Rest(method));
        self.sends(&UserauthRequest { user_name: USER, service_name, method_name, method });
    }

    /// Asks to log in as `user_name` with an Ed25519 key and its signature. RFC 4252 §7.
    pub fn asks_with_key(&mut self, user_name: &str, key: &SigningKey) {
        let public_key = key.public_blob();
        let algorithm = SignatureAlgorithm::Ed25519;
        let mut request = Publickey {
            algorithm_name: algorithm.name(),
            public_key: &public_key,
            server_host_key: None,
            signature: None,
        };
        let (service_name, method_name) = ("ssh-connection", "publickey");
        let mut body = vec![];
        request.encode_unsigned(true, &mut body);
        let method = Rest(&body);
        let mut signed = vec![];
        self.peer.session_id().expect("keys are in use").encode(&mut signed);
        UserauthRequest { user_name, service_name, method_name, method }.encode(&mut signed);
        let signature =
            key.sign(algorithm, &signed, &mut FixedRng::new(1)).expect("an Ed25519 key");
        request.signature = Some(&signature);
        let mut body = vec![];
        request.encode(&mut body);
        let method = Rest(&body);
        self.sends(&UserauthRequest { user_name, service_name, method_name, method });
    }

    /// The peer takes the login for done, whatever the end under test thinks.
    pub fn peer_is_logged_in(&mut self) {
        self.peer.authenticated();
    }

    /// Exchanges keys as an honest peer, with whatever the test has arranged.
    pub fn rekeys(&mut self) {
        let before = self.peer.counters().key_exchanges;
        self.peer.rekey(&mut self.tx);
        self.talk();
        while self.peer.counters().key_exchanges == before && self.listen() {
            self.talk();
        }
    }

    fn talk(&mut self) {
        let bytes = self.take_output();
        self.us.receive(&bytes);
    }

    fn take_output(&mut self) -> Vec<u8> {
        let mut bytes = vec![];
        self.tx.pending().for_each(|piece| bytes.extend_from_slice(piece));
        self.tx.written(bytes.len());
        bytes
    }
}

/// Before an end in memory.
impl Script {
    /// Opens a channel of the peer's under its number `sender_channel`, and lets the end under test take it.
    pub fn opens(&mut self, open: &ChannelOpen<'_>) -> adit_engine::Channel {
        self.sends(open);
        let Some(Seen::Open { channel, .. }) = self.us.seen.last() else {
            panic!("{:#?}", self.us.seen)
        };
        let channel = *channel;
        self.us.accept(channel);
        self.us.settle();
        self.expects_number(ChannelOpenConfirmation::NUMBER);
        channel
    }
}

/// What the peer hears.
impl<U: UnderTest> Script<U> {
    /// The next message of the end under test.
    pub fn hears(&mut self) -> Option<Vec<u8>> {
        while self.heard.is_empty() && self.listen() {}
        self.heard.pop_front()
    }

    /// The next message must be this one.
    pub fn expects<'m>(&mut self, message: &impl Message<'m>) {
        assert_eq!(self.hears(), Some(payload(message)));
    }

    /// The next message must have this number; its payload.
    pub fn expects_number(&mut self, number: u8) -> Vec<u8> {
        let heard = self.hears().unwrap_or_default();
        assert_eq!(heard.first(), Some(&number), "{heard:?}, {:#?}", self.us);
        heard
    }

    /// Nothing more may have been said.
    pub fn expects_nothing(&mut self) {
        assert_eq!(self.hears(), None);
    }

    /// The end under test must leave for this reason with these words, and have said so last.
    pub fn expects_disconnect(&mut self, reason_code: u32, description: &str) {
        let last = std::iter::from_fn(|| self.hears()).last().unwrap_or_default();
        check_disconnect(&last, reason_code, description, &mut self.us);
    }

    /// Whether anything came.
    fn listen(&mut self) -> bool {
        let bytes = self.us.take_output();
        self.rx.extend(&bytes);
        while let Ok(Some(incoming)) = self.peer.next_packet(&mut self.rx, &mut self.tx) {
            self.note(incoming);
        }
        !bytes.is_empty()
    }

    fn note(&mut self, incoming: Incoming) {
        let text = |span| String::from_utf8_lossy(self.rx.bytes(span)).into_owned();
        let heard = match incoming {
            Incoming::HostKey => return self.peer.accept_host_key(&mut self.tx),
            Incoming::Packet(span) | Incoming::ExtInfo(span) => self.rx.bytes(span).to_vec(),
            Incoming::ServiceRequest(span) => {
                payload(&ServiceRequest { service_name: &text(span) })
            }
            Incoming::ServiceAccept(span) => payload(&ServiceAccept { service_name: &text(span) }),
            Incoming::Pong(span) => payload(&Pong { data: self.rx.bytes(span) }),
            Incoming::Unimplemented { sequence_number } => {
                payload(&Unimplemented { packet_sequence_number: sequence_number })
            }
            Incoming::Disconnected { reason_code, description } => {
                let description = self.rx.bytes(description);
                payload(&Disconnect { reason_code, description, language_tag: b"" })
            }
            Incoming::Identified
            | Incoming::KexDone { .. }
            | Incoming::Banner(_)
            | Incoming::Debug { .. } => return,
        };
        // What follows a success may have come with it.
        if heard.first() == Some(&UserauthSuccess::NUMBER) {
            self.peer.authenticated();
        }
        // Extensions are announced to everybody.
        if heard.first() != Some(&7) {
            self.heard.push_back(heard);
        }
    }
}

fn check_disconnect(last: &[u8], reason_code: u32, description: &str, us: &mut impl UnderTest) {
    let Ok(found) = Disconnect::decode(last) else { panic!("{last:?}, {us:#?}") };
    let words = String::from_utf8_lossy(found.description);
    assert_eq!((found.reason_code, &*words), (reason_code, description), "{us:#?}");
    assert!(us.has_left());
}

//! A scripted peer: its cryptography is right, and what it sends is whatever the test says.
//! Touches: an end under test; the peer's half is a bare transport, or nothing but clear bytes.   Never: honest layers above.
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

use crate::FixedRng;
use crate::end::End;
use crate::keys::{USER, client_config, client_transport, server_config, server_transport};
use crate::manners::{Hospitality, Manners};
use crate::seen::Seen;
use adit_buf::{RxBuf, TxRing};
use adit_transport::{Config, Incoming, Role, Transport};
use adit_wire::auth::{Password, UserauthRequest, UserauthSuccess};
use adit_wire::channel::{ChannelOpen, ChannelOpenConfirmation};
use adit_wire::transport::{
    Disconnect, KexInit, Pong, ServiceAccept, ServiceRequest, Unimplemented,
};
use adit_wire::{Message, NameList, Rest};
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
pub struct Script {
    /// The end under test.
    pub us: End,
    peer: Transport,
    rx: RxBuf,
    tx: TxRing,
    /// What the end under test said and no test has asked for yet, oldest first.
    heard: VecDeque<Vec<u8>>,
}

/// How far a script begins.
impl Script {
    /// Keys are in use; nothing was said under them.
    pub fn connected(us: End) -> Self {
        Self::connected_by(us, |config| config)
    }

    /// The same with a peer whose transport is arranged by the test.
    pub fn connected_by(us: End, arrange: impl FnOnce(Config) -> Config) -> Self {
        let config = match us.role {
            Role::Client => server_transport(),
            Role::Server => client_transport(),
        };
        let mut peer = Transport::new(Arc::new(arrange(config)), Box::new(FixedRng::new(2)), 0);
        let mut tx = TxRing::new();
        peer.start(&mut tx);
        let mut script = Self { us, peer, rx: RxBuf::new(), tx, heard: VecDeque::new() };
        for _ in 0..4 {
            script.talk();
            script.listen();
        }
        assert!(script.us.take_seen().contains(&Seen::KeysExchanged { first: true }));
        script
    }

    /// Past the service request: login requests and their replies are next.
    pub fn at_login(us: End) -> Self {
        let mut script = Self::connected(us);
        let (asks, accepts) = (
            ServiceRequest { service_name: "ssh-userauth" },
            ServiceAccept { service_name: "ssh-userauth" },
        );
        match script.us.role {
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
    pub fn established(us: End) -> Self {
        let mut script = Self::at_login(us);
        match script.us.role {
            Role::Client => script.sends(&UserauthSuccess {}),
            Role::Server => {
                script.asks_to_log_in("password", &password());
                script.expects(&UserauthSuccess {});
            }
        }
        script.peer.authenticated();
        // A server notices with what comes next.
        script.us.turn();
        assert!(script.us.take_seen().contains(&Seen::Established));
        script
    }
}

fn password() -> Vec<u8> {
    let mut body = Vec::new();
    Password { password: b"secret", new_password: None }.encode(&mut body);
    body
}

/// What the peer does.
impl Script {
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

    /// The peer takes the login for done, whatever the end under test thinks.
    pub fn peer_is_logged_in(&mut self) {
        self.peer.authenticated();
    }

    /// Exchanges keys as an honest peer, with whatever the test has arranged.
    pub fn rekeys(&mut self) {
        self.peer.rekey(&mut self.tx);
        for _ in 0..4 {
            self.talk();
            self.listen();
        }
    }

    fn talk(&mut self) {
        let bytes = self.take_output();
        self.us.receive(&bytes);
    }

    fn take_output(&mut self) -> Vec<u8> {
        let bytes: Vec<u8> = self.tx.pending().flatten().copied().collect();
        self.tx.written(bytes.len());
        bytes
    }
}

/// What the peer hears.
impl Script {
    /// The next message of the end under test.
    pub fn hears(&mut self) -> Option<Vec<u8>> {
        self.listen();
        self.heard.pop_front()
    }

    /// The next message must be this one.
    pub fn expects<'m>(&mut self, message: &impl Message<'m>) {
        assert_eq!(self.hears(), Some(payload(message)));
    }

    /// The next message must have this number; its payload.
    pub fn expects_number(&mut self, number: u8) -> Vec<u8> {
        let heard = self.hears().unwrap_or_default();
        assert_eq!(heard.first(), Some(&number), "{heard:?}, {:#?}", self.us.seen);
        heard
    }

    /// Nothing more may have been said.
    pub fn expects_nothing(&mut self) {
        assert_eq!(self.hears(), None);
    }

    /// The end under test must leave for this reason with these words, and have said so last.
    pub fn expects_disconnect(&mut self, reason_code: u32, description: &str) {
        let last = std::iter::from_fn(|| self.hears()).last().unwrap_or_default();
        check_disconnect(&last, reason_code, description, &self.us);
    }

    fn listen(&mut self) {
        let bytes = self.us.take_output();
        self.rx.extend(&bytes);
        while let Ok(Some(incoming)) = self.peer.next_packet(&mut self.rx, &mut self.tx) {
            self.note(incoming);
        }
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
        // Extensions are announced to everybody.
        if heard.first() != Some(&7) {
            self.heard.push_back(heard);
        }
    }
}

/// What a peer offers, list by list; one name each unless changed.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Key exchange methods and markers.
    pub kex: &'static str,
    /// Host key algorithms.
    pub host_key: &'static str,
    /// Ciphers.
    pub cipher: &'static str,
    /// MACs.
    pub mac: &'static str,
    /// Compression.
    pub compression: &'static str,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            kex: "curve25519-sha256",
            host_key: "ssh-ed25519",
            cipher: "aes128-gcm@openssh.com",
            mac: "hmac-sha2-256",
            compression: "none",
        }
    }
}

impl Offer {
    /// The KEXINIT that makes it.
    pub fn payload(&self) -> Vec<u8> {
        payload(&KexInit {
            cookie: [7; 16],
            kex_algorithms: NameList::new(self.kex),
            server_host_key_algorithms: NameList::new(self.host_key),
            encryption_algorithms_client_to_server: NameList::new(self.cipher),
            encryption_algorithms_server_to_client: NameList::new(self.cipher),
            mac_algorithms_client_to_server: NameList::new(self.mac),
            mac_algorithms_server_to_client: NameList::new(self.mac),
            compression_algorithms_client_to_server: NameList::new(self.compression),
            compression_algorithms_server_to_client: NameList::new(self.compression),
            languages_client_to_server: NameList::new(""),
            languages_server_to_client: NameList::new(""),
            first_kex_packet_follows: false,
            reserved: 0,
        })
    }
}

/// A hostile peer before the first keys, and the end under test.
#[derive(Debug)]
pub struct ClearScript {
    /// The end under test.
    pub us: End,
}

impl ClearScript {
    /// Nothing was said.
    pub const fn new(us: End) -> Self {
        Self { us }
    }

    /// The peer has identified itself.
    pub fn identified(us: End) -> Self {
        let mut script = Self::new(us);
        script.sends_bytes(b"SSH-2.0-hostile\r\n");
        script
    }

    /// Sends bytes as they are.
    pub fn sends_bytes(&mut self, bytes: &[u8]) {
        self.us.receive(bytes);
    }

    /// Sends a message in a packet. RFC 4253 §6.
    pub fn sends_payload(&mut self, payload: &[u8]) {
        let padding = 4 + (8 - (5 + payload.len() + 4) % 8) % 8;
        let mut packet = ((1 + payload.len() + padding) as u32).to_be_bytes().to_vec();
        packet.push(padding as u8);
        packet.extend(payload);
        packet.resize(packet.len() + padding, 0);
        self.sends_bytes(&packet);
    }

    /// Every payload the end under test has said, in order.
    pub fn hears(&mut self) -> Vec<Vec<u8>> {
        let output = self.us.take_output();
        let line = output.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut rest = if output.starts_with(b"SSH-") { &output[line..] } else { &output };
        let mut payloads = vec![];
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let (packet, after) = tail.split_at(u32::from_be_bytes(*length) as usize);
            let end = packet.len() - usize::from(packet[0]);
            payloads.push(packet[1..end].to_vec());
            rest = after;
        }
        payloads
    }

    /// The end under test must leave for this reason with these words, and have said so last.
    pub fn expects_disconnect(&mut self, reason_code: u32, description: &str) {
        let last = self.hears().pop().unwrap_or_default();
        check_disconnect(&last, reason_code, description, &self.us);
    }
}

fn check_disconnect(last: &[u8], reason_code: u32, description: &str, us: &End) {
    let Ok(found) = Disconnect::decode(last) else { panic!("{last:?}, {:#?}", us.seen) };
    let words = String::from_utf8_lossy(found.description);
    assert_eq!((found.reason_code, &*words), (reason_code, description), "{:#?}", us.seen);
    assert!(us.error().is_some());
}

//! Originators: who connected, as a channel's open says it. RFC 4254 §7.2.
//! Touches: addresses of accepted sockets.   Never: names; an address is told as a number.
//! Invariants: there is always an address: peers that check it want one.
//! Errors: none.   Allocates: the address's text.
//! Proved by: `tests/served.rs`.

use adit_reactor::{Key, Reactor, Socket};
use std::net::SocketAddr;

/// Where a connection came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Originator {
    /// The address, unchecked when a peer gave it.
    pub address: String,
    /// The port.
    pub port: u32,
}

impl Originator {
    /// Who connected; for what did not come over TCP, whom ssh names then.
    pub(crate) fn new(from: Option<SocketAddr>) -> Self {
        match from {
            Some(peer) => {
                Self { address: peer.ip().to_canonical().to_string(), port: u32::from(peer.port()) }
            }
            None => Self { address: "127.0.0.1".into(), port: 65535 },
        }
    }

    /// Who is at the other end of a stream.
    pub(crate) fn of(reactor: &Reactor, stream: Key) -> Self {
        Self::new(reactor.socket(stream).and_then(Socket::peer_addr))
    }
}

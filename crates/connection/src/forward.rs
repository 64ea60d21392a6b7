//! Forwards: what was asked of the server, so that only that is accepted. RFC 4254 §7.1, OpenSSH PROTOCOL §2.4.
//! Touches: addresses and ports as they were sent.   Never: listeners, addresses resolved.
//! Invariants: an address is compared letter for letter, a port as it was allocated; a cancelled forward matches nothing.
//! Errors: none.   Allocates: one entry per forward asked for.
//! Proved by: `tests` below and in `global`.

use crate::global::RequestId;
use crate::open::{LONGEST_NAME, Open};
use adit_wire::Body;
use adit_wire::global_request::{StreamlocalForward, TcpipForward, name};
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// Where the server listens for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forward<'a> {
    /// A TCP port. RFC 4254 §7.1.
    Tcpip {
        /// `""` is every address, `"localhost"` the loopback addresses, anything else an address.
        address: Cow<'a, str>,
        /// 0 lets the server choose.
        port: u32,
    },
    /// A socket in the server's file system. OpenSSH PROTOCOL §2.4.
    Streamlocal {
        /// Its path.
        path: Cow<'a, str>,
    },
}

impl<'a> Forward<'a> {
    /// A TCP port.
    pub const fn tcpip(address: &'a str, port: u32) -> Self {
        Self::Tcpip { address: Cow::Borrowed(address), port }
    }

    /// A socket in the server's file system.
    pub const fn streamlocal(path: &'a str) -> Self {
        Self::Streamlocal { path: Cow::Borrowed(path) }
    }

    /// The port, or 0 for a path.
    pub const fn port(&self) -> u32 {
        match self {
            Self::Tcpip { port, .. } => *port,
            Self::Streamlocal { .. } => 0,
        }
    }

    pub(crate) const fn request_name(&self) -> &'static str {
        match self {
            Self::Tcpip { .. } => name::TCPIP_FORWARD,
            Self::Streamlocal { .. } => name::STREAMLOCAL_FORWARD,
        }
    }

    pub(crate) const fn cancel_name(&self) -> &'static str {
        match self {
            Self::Tcpip { .. } => name::CANCEL_TCPIP_FORWARD,
            Self::Streamlocal { .. } => name::CANCEL_STREAMLOCAL_FORWARD,
        }
    }

    pub(crate) fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tcpip { address, port } => {
                TcpipForward { address_to_bind: address, port_number_to_bind: *port }.encode(out);
            }
            Self::Streamlocal { path } => StreamlocalForward { socket_path: path }.encode(out),
        }
    }

    /// Whether the server must choose a port and name it.
    pub(crate) const fn awaits_port(&self) -> bool {
        matches!(self, Self::Tcpip { port: 0, .. })
    }

    /// Whether there can be such a port or path at all.
    pub(crate) fn is_possible(&self) -> bool {
        match self {
            Self::Tcpip { address: name, port } => name.len() <= LONGEST_NAME && *port <= 0xffff,
            Self::Streamlocal { path } => path.len() <= LONGEST_NAME,
        }
    }

    fn into_owned(self) -> Forward<'static> {
        match self {
            Self::Tcpip { address, port } => {
                Forward::Tcpip { address: Cow::Owned(address.into_owned()), port }
            }
            Self::Streamlocal { path } => {
                Forward::Streamlocal { path: Cow::Owned(path.into_owned()) }
            }
        }
    }

    fn matches(&self, open: &Open<'_>) -> bool {
        match (self, open) {
            (Self::Tcpip { address, port }, Open::ForwardedTcpip { address: a, port: p, .. }) => {
                port == p && address == a && *port != 0
            }
            (Self::Streamlocal { path }, Open::ForwardedStreamlocal { path: p }) => path == p,
            _ => false,
        }
    }
}

/// The forwards asked for and not cancelled or refused.
///
/// One counts from the moment it is asked for: a server may be quicker to accept a connection than to reply.
#[derive(Debug)]
pub(crate) struct Forwards {
    asked: Vec<(RequestId, Forward<'static>)>,
}

impl Forwards {
    pub(crate) const fn new() -> Self {
        Self { asked: Vec::new() }
    }

    pub(crate) fn add(&mut self, id: RequestId, forward: Forward<'_>) {
        self.asked.push((id, forward.into_owned()));
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&Forward<'static>> {
        self.asked.iter().find(|(asked, _)| *asked == id).map(|(_, forward)| forward)
    }

    pub(crate) fn remove(&mut self, id: RequestId) {
        self.asked.retain(|(asked, _)| *asked != id);
    }

    /// The server has chosen a port.
    pub(crate) fn set_port(&mut self, id: RequestId, chosen: u32) {
        let found = self.asked.iter_mut().find(|(asked, _)| *asked == id);
        if let Some((_, Forward::Tcpip { port, .. })) = found {
            *port = chosen;
        }
    }

    /// The forward a channel came in by.
    pub(crate) fn asked_for(&self, open: &Open<'_>) -> Option<RequestId> {
        self.asked.iter().find(|(_, forward)| forward.matches(open)).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_matches_letter_for_letter_and_a_port_exactly() {
        let mut forwards = Forwards::new();
        let (first, second) = (RequestId::of(1), RequestId::of(2));
        forwards.add(first, Forward::tcpip("localhost", 80));
        forwards.add(second, Forward::tcpip("", 80));
        let by = |address, port| forwards.asked_for(&Open::forwarded_tcpip(address, port, "", 0));
        assert_eq!(by("localhost", 80), Some(first));
        assert_eq!(by("", 80), Some(second));
        assert_eq!(by("LOCALHOST", 80), None);
        assert_eq!(by("localhost", 81), None);
        assert_eq!(by("127.0.0.1", 80), None);
    }

    #[test]
    fn a_path_matches_paths_only() {
        let mut forwards = Forwards::new();
        forwards.add(RequestId::of(1), Forward::streamlocal("/run/x"));
        let path = |path| Open::ForwardedStreamlocal { path: Cow::Borrowed(path) };
        assert_eq!(forwards.asked_for(&path("/run/x")), Some(RequestId::of(1)));
        assert_eq!(forwards.asked_for(&path("/run/y")), None);
        assert_eq!(forwards.asked_for(&Open::forwarded_tcpip("/run/x", 0, "", 0)), None);
        assert_eq!(forwards.asked_for(&Open::Session), None);
    }

    #[test]
    fn a_port_left_to_the_server_matches_once_it_is_known() {
        let mut forwards = Forwards::new();
        forwards.add(RequestId::of(1), Forward::tcpip("localhost", 0));
        let by = |forwards: &Forwards, port| {
            forwards.asked_for(&Open::forwarded_tcpip("localhost", port, "", 0))
        };
        assert_eq!(by(&forwards, 0), None);
        forwards.set_port(RequestId::of(1), 40000);
        assert_eq!(by(&forwards, 40000), Some(RequestId::of(1)));
        forwards.remove(RequestId::of(1));
        assert_eq!(by(&forwards, 40000), None);
    }
}

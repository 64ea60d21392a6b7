//! Connections being made: several addresses, the first to answer wins. RFC 8305.
//! Touches: TCP sockets that are not connected yet.   Never: names, what the connection is for.
//! Invariants: an attempt is started at once, the next one after `STAGGER` or when one fails; the losers are closed.
//! Errors: the last address's error, as ssh reports it.   Allocates: per dial.
//! Proved by: `tests` below and the loop's.

use crate::token::Key;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// How long an address may take before the next is tried beside it. RFC 8305 §5.
pub(crate) const STAGGER: u64 = 250;

/// What is set on a TCP socket before and after it connects.
#[derive(Clone, Debug, Default)]
pub struct DialOptions {
    /// Local addresses to connect from (`BindAddress`), the first of the family in question; any when there are none.
    pub bind_addresses: Vec<IpAddr>,
    /// Network interface to connect through (`BindInterface`).
    pub bind_interface: Option<String>,
    /// Probe idle connections (`TCPKeepAlive`).
    pub keepalive: bool,
    /// IP type of service (`IPQoS`).
    pub type_of_service: Option<u32>,
}

/// One target, and how far the attempts to reach it have come.
#[derive(Debug)]
pub(crate) struct Dial {
    pub(crate) options: DialOptions,
    pub(crate) waiting: VecDeque<SocketAddr>,
    pub(crate) attempts: Vec<Key>,
    pub(crate) failure: Option<(SocketAddr, io::Error)>,
}

impl Dial {
    pub(crate) fn new(addresses: Vec<SocketAddr>, options: DialOptions) -> Self {
        Self { options, waiting: interleaved(addresses), attempts: Vec::new(), failure: None }
    }

    pub(crate) fn is_hopeless(&self) -> bool {
        self.waiting.is_empty() && self.attempts.is_empty()
    }
}

/// One address being tried.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) dial: Key,
    pub(crate) address: SocketAddr,
    pub(crate) stream: TcpStream,
}

/// The families take turns, the resolver's first family first. RFC 8305 §4.
fn interleaved(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = VecDeque::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

/// Starts to connect; the socket becomes writable when that is decided.
pub(crate) fn connect(address: SocketAddr, options: &DialOptions) -> io::Result<TcpStream> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if !options.bind_addresses.is_empty() {
        let mut bind = options.bind_addresses.iter();
        let bind = bind.find(|bind| bind.is_ipv4() == address.is_ipv4());
        let bind = bind.ok_or(io::ErrorKind::AddrNotAvailable)?;
        socket.bind(&SocketAddr::new(*bind, 0).into())?;
    }
    if let Some(interface) = &options.bind_interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    // A key press must not wait for a full segment.
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(options.keepalive)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Marks packets of a connected socket; a kernel that will not is no reason to give up.
pub(crate) fn set_type_of_service(stream: &TcpStream, options: &DialOptions) {
    if let (Some(tos), Ok(address)) = (options.type_of_service, stream.peer_addr()) {
        let socket = SockRef::from(stream);
        let _ = if address.is_ipv4() { socket.set_tos_v4(tos) } else { socket.set_tclass_v6(tos) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |text: &&str| text.parse().unwrap();
        let addresses =
            ["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"].iter().map(parse).collect();
        let order: Vec<String> = interleaved(addresses).iter().map(ToString::to_string).collect();
        assert_eq!(order, ["[::1]:1", "127.0.0.1:1", "[::2]:1", "[::3]:1"]);
    }

    #[test]
    fn a_bind_address_of_the_same_family_is_used_and_another_refused() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let bound = |addresses: &[&str]| DialOptions {
            bind_addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            ..DialOptions::default()
        };
        let to = listener.local_addr().unwrap();
        let stream = connect(to, &bound(&["::1", "127.0.0.9"])).unwrap();
        assert_eq!(stream.local_addr().unwrap().ip().to_string(), "127.0.0.9");
        let refused = connect(to, &bound(&["::1"])).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrNotAvailable);
    }
}

//! Connections being made: several addresses, the first to answer wins. RFC 8305.
//! Touches: streams that are not connected yet.   Never: names, what the connection is for.
//! Invariants: an attempt is started at once, the next one after `STAGGER` or when one fails; the losers are closed.
//! Errors: the last address's error, as ssh reports it.   Allocates: per dial.
//! Proved by: `tests` below and the loop's.

use crate::socket::{Socket, set_type_of_service};
use crate::stream::Inbound;
use crate::timer::Millis;
use crate::token::Key;
use crate::{Event, Handler, Reactor, Timer};
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
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
    /// How long all addresses together may take, in milliseconds; the system's own patience when there is no limit.
    pub time_limit: Option<Millis>,
}

/// One target, and how far the attempts to reach it have come.
#[derive(Debug)]
pub(crate) struct Dial {
    pub(crate) options: DialOptions,
    pub(crate) waiting: VecDeque<SocketAddr>,
    pub(crate) attempts: Vec<Key>,
    pub(crate) failure: Option<(SocketAddr, io::Error)>,
    /// When it has taken too long.
    pub(crate) give_up_at: Option<Millis>,
}

impl Dial {
    pub(crate) fn new(addresses: Vec<SocketAddr>, options: DialOptions, now: Millis) -> Self {
        let give_up_at = options.time_limit.map(|limit| now + limit);
        let waiting = interleaved(addresses);
        Self { options, waiting, attempts: Vec::new(), failure: None, give_up_at }
    }

    pub(crate) fn is_hopeless(&self) -> bool {
        self.waiting.is_empty() && self.attempts.is_empty()
    }
}

/// One address being tried, by a stream that goes by the same key.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) dial: Key,
    pub(crate) address: SocketAddr,
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
    let kind = Type::STREAM.nonblocking();
    let socket = RawSocket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
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
    if options.keepalive {
        socket.set_keepalive(true)?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Connections being made.
impl Reactor {
    /// Connects to the first address that answers; an [`Event::Dialled`] follows.
    pub fn dial(&mut self, addresses: Vec<SocketAddr>, options: DialOptions) -> Key {
        let dial = Dial::new(addresses, options, self.now);
        let limit = dial.give_up_at;
        let key = self.dials.insert_with(|_| dial);
        if let Some(at) = limit {
            self.timers.set(at, Timer::Patience(key));
        }
        // The first attempt starts in this turn's or the next one's `tick`.
        self.timers.set(self.now, Timer::Stagger(key));
        key
    }

    /// Gives up a dial; no event follows.
    pub fn hang_up(&mut self, dial: Key) {
        if let Some(dial) = self.dials.remove(dial) {
            for attempt in dial.attempts {
                self.attempts.remove(&attempt);
                self.streams.remove(attempt);
            }
        }
    }

    pub(crate) fn next_attempt(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some(dial) = self.dials.get_mut(key) else { return };
        let Some(address) = dial.waiting.pop_front() else {
            return self.settle_if_hopeless(key, handler);
        };
        let attempt = connect(address, &dial.options)
            .and_then(|stream| self.add_stream(Socket::Tcp(stream), Inbound::Dialling));
        let Some(dial) = self.dials.get_mut(key) else { return };
        match attempt {
            Ok(attempt) => {
                dial.attempts.push(attempt);
                self.attempts.insert(attempt, Attempt { dial: key, address });
                self.timers.set(self.now + STAGGER, Timer::Stagger(key));
            }
            Err(error) => {
                dial.failure = Some((address, error));
                self.next_attempt(key, handler);
            }
        }
    }

    /// A dial's time is up. The timer may be that of a dial long decided, whose key has come round again.
    pub(crate) fn lose_patience(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some(dial) = self.dials.get(key) else { return };
        if dial.give_up_at.is_none_or(|at| at > self.now) {
            return;
        }
        let tried = dial.attempts.first().and_then(|attempt| self.attempts.get(attempt));
        let address = tried.map(|attempt| attempt.address);
        let failed = dial.failure.as_ref().map(|(address, _)| *address);
        let Some(address) = address.or(failed).or(dial.waiting.front().copied()) else { return };
        self.hang_up(key);
        let error = rustix::io::Errno::TIMEDOUT.into();
        handler.event(self, Event::Dialled { dial: key, result: Err((address, error)) });
    }

    pub(crate) fn settle_dials(&mut self, handler: &mut dyn Handler) {
        for key in std::mem::take(&mut self.decided) {
            let Some(Socket::Tcp(stream)) = self.socket(key) else { continue };
            // What has a peer is connected; what has none may say why.
            match stream.peer_addr().map_err(|_| stream.take_error()) {
                Ok(_) => self.attempt_won(key, handler),
                Err(Ok(Some(error)) | Err(error)) => self.attempt_failed(key, error, handler),
                // Not decided after all.
                Err(Ok(None)) => {}
            }
        }
    }

    pub(crate) fn attempt_won(&mut self, key: Key, handler: &mut dyn Handler) {
        let Some(Attempt { dial, .. }) = self.attempts.remove(&key) else { return };
        let mark = self.dials.get_mut(dial).and_then(|dial| {
            dial.attempts.retain(|other| *other != key);
            dial.options.type_of_service
        });
        self.hang_up(dial);
        let Some(stream) = self.streams.get_mut(key) else { return };
        stream.inbound = Inbound::Held;
        if let (Socket::Tcp(socket), Some(mark)) = (&stream.socket, mark) {
            set_type_of_service(socket, mark);
        }
        handler.event(self, Event::Dialled { dial, result: Ok(key) });
    }

    pub(crate) fn attempt_failed(&mut self, key: Key, error: io::Error, handler: &mut dyn Handler) {
        let Some(attempt) = self.attempts.remove(&key) else { return };
        self.streams.remove(key);
        let Some(dial) = self.dials.get_mut(attempt.dial) else { return };
        dial.attempts.retain(|other| *other != key);
        dial.failure = Some((attempt.address, error));
        self.next_attempt(attempt.dial, handler);
    }

    pub(crate) fn settle_if_hopeless(&mut self, key: Key, handler: &mut dyn Handler) {
        if !self.dials.get(key).is_some_and(Dial::is_hopeless) {
            return;
        }
        if let Some(Dial { failure: Some(failure), .. }) = self.dials.remove(key) {
            handler.event(self, Event::Dialled { dial: key, result: Err(failure) });
        }
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

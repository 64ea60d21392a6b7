//! Ports nobody else uses, and who listens where.
//! Touches: `/proc/net/tcp`, short-lived loopback sockets.   Never: a connection to a listener under test.
//! Invariants: a port is given once per process and lies outside the range the kernel hands out by itself.
//! Errors: a panic when no port is free.   Allocates: little.
//! Proved by: `tests` below.

use crate::{
    deadline::{PATIENCE, eventually},
    pattern::uninterrupted,
};
use std::{
    fs,
    io::{ErrorKind, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::SystemTime,
};

/// Below what Linux picks for outgoing connections, so that none of these can take it meanwhile.
const LOWEST: u32 = 10_000;
const COUNT: u32 = 22_000;

/// A port on which nobody listens, never given twice.
///
/// # Panics
/// When none is free.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = start_of_this_process();
    (0..COUNT)
        .map(|_| LOWEST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| is_free(*port))
        .expect("a free port")
}

/// Processes that run at the same time start at different places.
fn start_of_this_process() -> u32 {
    static START: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *START.get_or_init(|| {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |t| t.subsec_nanos());
        (process::id().wrapping_mul(7919) ^ now) % COUNT
    })
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() && listeners(port).is_empty()
}

/// The addresses on which somebody listens at `port`, sorted.
pub fn listeners(port: u16) -> Vec<IpAddr> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let mut found: Vec<_> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().skip(1).filter_map(listening_socket).collect::<Vec<_>>())
        .filter(|socket| socket.port() == port)
        .map(|socket| socket.ip())
        .collect();
    found.sort();
    found
}

/// One line of the kernel's table: `sl local remote state …`, state 0A is LISTEN.
fn listening_socket(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, _remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    let (address, port) = local.split_once(':')?;
    (state == "0A")
        .then_some(SocketAddr::new(kernel_address(address)?, u16::from_str_radix(port, 16).ok()?))
}

/// The kernel prints addresses as native 32-bit words in hexadecimal.
fn kernel_address(hex: &str) -> Option<IpAddr> {
    let words: Option<Vec<[u8; 4]>> = (0..hex.len() / 8)
        .map(|n| u32::from_str_radix(&hex[n * 8..n * 8 + 8], 16).ok().map(u32::to_ne_bytes))
        .collect();
    match words?.concat() {
        bytes if bytes.len() == 4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        bytes => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
    }
}

/// Waits until somebody listens at `port`.
pub fn wait_listening(port: u16) {
    eventually(&format!("a listener at port {port}"), || {
        (!listeners(port).is_empty()).then_some(())
    });
}

/// Waits until nobody listens at `port` any more.
pub fn wait_closed(port: u16) {
    eventually(&format!("port {port} given up"), || listeners(port).is_empty().then_some(()));
}

/// Connects to a loopback port; reads and writes have a deadline.
///
/// # Panics
/// When nobody answers.
pub fn connect(port: u16) -> TcpStream {
    connect_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Connects to an address; reads and writes have a deadline.
///
/// # Panics
/// When nobody answers.
pub fn connect_to(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)
        .unwrap_or_else(|error| panic!("connect to {address}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline above zero");
    stream.set_write_timeout(Some(PATIENCE)).expect("a deadline above zero");
    stream
}

/// Whether the other side ends the connection, well or badly, without another byte.
pub fn is_closed(mut stream: impl Read) -> bool {
    uninterrupted(|| stream.read(&mut [0; 1]))
        .map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |count| count == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_seen_on_the_address_they_chose() {
        let port = free_port();
        assert!(listeners(port).is_empty());
        let _v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert_eq!(listeners(port), [IpAddr::from(Ipv4Addr::LOCALHOST)]);
        let _v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).unwrap();
        assert_eq!(
            listeners(port),
            [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()]
        );
    }

    #[test]
    fn no_port_is_given_twice() {
        assert_ne!(free_port(), free_port());
    }
}

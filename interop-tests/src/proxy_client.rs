//! The asking half of SOCKS4, 4a, 5 and HTTP CONNECT, strict about the answers. RFC 1928, RFC 9110 §9.3.6.
//! Touches: a connected stream.   Never: more of the stream than the answer.
//! Invariants: after `Ok(())` the next byte is the destination's.
//! Errors: [`Refusal`]: the proxy's own code, or that it closed without one.   Allocates: the request.
//! Proved by: `dynamic.rs`.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr},
};

/// What the proxy said instead of yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The code of its protocol: SOCKS4 0x5b, SOCKS5 0x01 and up, HTTP status.
    Code(u16),
    /// It closed the connection without an answer.
    Closed,
}

/// Where to go.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// A name for the server to look up.
    Name(&'a str),
}

/// SOCKS4, or 4a when the target is a name.
///
/// # Errors
/// [`Refusal`].
///
/// # Panics
/// For an IPv6 target, which SOCKS4 has not, and for an answer that is not SOCKS4.
pub fn socks4(mut stream: impl Read + Write, target: Target<'_>, port: u16) -> Result<(), Refusal> {
    let (address, name) = match target {
        Target::V4(address) => (address, None),
        Target::Name(name) => (Ipv4Addr::new(0, 0, 0, 1), Some(name)),
        Target::V6(address) => panic!("SOCKS4 cannot say {address}"),
    };
    let mut request = vec![4, 1];
    request.extend(port.to_be_bytes());
    request.extend(address.octets());
    request.extend(b"user\0");
    request.extend(name.iter().flat_map(|name| name.bytes().chain([0])));
    let answer: [u8; 8] = ask(&mut stream, &request)?;
    assert_eq!(answer[0], 0, "version of a SOCKS4 answer");
    if answer[1] == 0x5a { Ok(()) } else { Err(Refusal::Code(answer[1].into())) }
}

/// SOCKS5 without authentication.
///
/// # Errors
/// [`Refusal`].
///
/// # Panics
/// For an answer that is not SOCKS5.
pub fn socks5(mut stream: impl Read + Write, target: Target<'_>, port: u16) -> Result<(), Refusal> {
    assert_eq!(ask::<2>(&mut stream, &[5, 1, 0])?, [5, 0], "method chosen");
    let mut request = vec![5, 1, 0];
    match target {
        Target::V4(address) => request.extend([1].into_iter().chain(address.octets())),
        Target::V6(address) => request.extend([4].into_iter().chain(address.octets())),
        Target::Name(name) => {
            request.extend([3, u8::try_from(name.len()).expect("a short name")]);
            request.extend(name.bytes());
        }
    }
    request.extend(port.to_be_bytes());
    let [version, code, _reserved, kind] = ask(&mut stream, &request)?;
    assert_eq!(version, 5, "version of a SOCKS5 answer");
    let bound = match kind {
        1 => vec![0; 6],
        4 => vec![0; 18],
        kind => panic!("address type {kind} in a SOCKS5 answer"),
    };
    read(&mut stream, bound)?;
    if code == 0 { Ok(()) } else { Err(Refusal::Code(code.into())) }
}

/// HTTP CONNECT.
///
/// # Errors
/// [`Refusal`].
///
/// # Panics
/// For an answer that is not HTTP.
pub fn http_connect(mut stream: impl Read + Write, authority: &str) -> Result<(), Refusal> {
    let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|_| Refusal::Closed)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read(&mut stream, vec![0])?);
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.split_whitespace().nth(1).and_then(|code| code.parse().ok());
    match status.unwrap_or_else(|| panic!("no status in {head:?}")) {
        200..=299 => Ok(()),
        code => Err(Refusal::Code(code)),
    }
}

fn ask<const N: usize>(
    stream: &mut (impl Read + Write),
    request: &[u8],
) -> Result<[u8; N], Refusal> {
    stream.write_all(request).map_err(|_| Refusal::Closed)?;
    let answer = read(stream, vec![0; N])?;
    Ok(answer.try_into().expect("N bytes were read"))
}

fn read(stream: &mut impl Read, mut buffer: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    match stream.read_exact(&mut buffer) {
        Ok(()) => Ok(buffer),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            panic!("the proxy does not answer")
        }
        Err(_) => Err(Refusal::Closed),
    }
}

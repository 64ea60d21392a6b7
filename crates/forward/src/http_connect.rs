//! HTTP CONNECT as a proxy reads and answers it. RFC 9110 §9.3.6, RFC 9112 §3.2.3.
//! Touches: the header block of one request.   Never: header fields, other methods, bodies.
//! Invariants: nothing after the empty line is used; the block is bounded by the caller's buffer.
//! Errors: [`Refusal`] with an HTTP status.   Allocates: the host name.
//! Proved by: `tests` below, fuzz `dynamic_request`.

use crate::dynamic_request::{Failure, Message, ProxyTarget, Refusal, host};

/// The tunnel begins right after the empty line.
pub(crate) const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

macro_rules! answer {
    ($status:literal) => {
        answer!($status, "")
    };
    ($status:literal, $fields:literal) => {
        concat!(
            "HTTP/1.1 ",
            $status,
            "\r\n",
            $fields,
            "Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .as_bytes()
    };
}

/// The header block fills the buffer and has no end.
pub(crate) const TOO_LONG: Refusal = Refusal {
    reply: answer!("431 Request Header Fields Too Large"),
    reason: "HTTP header block too long",
};

/// The status for a failure.
pub(crate) fn failure(failure: Failure) -> &'static [u8] {
    match failure {
        Failure::NotAllowed => answer!("403 Forbidden"),
        Failure::TimedOut => answer!("504 Gateway Timeout"),
        Failure::NetworkUnreachable
        | Failure::HostUnreachable
        | Failure::Refused
        | Failure::General => answer!("502 Bad Gateway"),
    }
}

/// `CONNECT host:port HTTP/1.x`, header fields, an empty line. `held` bytes have been searched before.
pub(crate) fn connect_request(bytes: &[u8], held: usize) -> Message<ProxyTarget> {
    // An end may begin in what was searched before.
    let Some(end) = block_end(bytes, held.saturating_sub(3)) else { return Ok(None) };
    let line = bytes[..end].split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    request_line(line).map(|target| Some((target, end)))
}

/// Just past the first empty line that ends at or after `from`. A bare LF ends a line too, as RFC 9112 §2.2 allows.
fn block_end(bytes: &[u8], from: usize) -> Option<usize> {
    (from..=bytes.len()).find(|&at| {
        let block = &bytes[..at];
        block.ends_with(b"\n\r\n") || block.ends_with(b"\n\n")
    })
}

fn request_line(line: &[u8]) -> Result<ProxyTarget, Refusal> {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let &[method, authority, version] = words.as_slice() else {
        return refuse(answer!("400 Bad Request"), "HTTP request line malformed");
    };
    if !matches!(version, b"HTTP/1.0" | b"HTTP/1.1") {
        return refuse(answer!("505 HTTP Version Not Supported"), "HTTP version other than 1.x");
    }
    if method != b"CONNECT" {
        let reply = answer!("405 Method Not Allowed", "Allow: CONNECT\r\n");
        return refuse(reply, "HTTP method other than CONNECT");
    }
    match host_and_port(authority) {
        Some(target) => Ok(target),
        None => refuse(answer!("400 Bad Request"), "HTTP CONNECT without a host and port"),
    }
}

/// `name:port`, `1.2.3.4:port` or `[v6]:port`.
fn host_and_port(authority: &[u8]) -> Option<ProxyTarget> {
    let colon = authority.iter().rposition(|&byte| byte == b':')?;
    let (name, port) = (&authority[..colon], &authority[colon + 1..]);
    let name = match name.strip_prefix(b"[") {
        Some(v6) => v6.strip_suffix(b"]")?,
        None if name.contains(&b':') => return None,
        None => name,
    };
    let port = std::str::from_utf8(port).ok().filter(|digits| !digits.starts_with('+'))?;
    let port = port.parse().ok().filter(|&port| port != 0)?;
    Some(ProxyTarget { host: host(name)?, port })
}

fn refuse<T>(reply: &'static [u8], reason: &'static str) -> Result<T, Refusal> {
    Err(Refusal { reply, reason })
}

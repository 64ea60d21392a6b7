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
    let Some(end) = block_end(bytes, held) else { return Ok(None) };
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

#[cfg(test)]
mod tests {
    use crate::dynamic_request::tests::{Outcome, converse};
    use crate::dynamic_request::{BUFFER_LIMIT, MAX_HOST};

    /// Told in one read and byte by byte.
    fn ask(bytes: &[u8]) -> Outcome {
        let whole = converse(bytes, bytes.len());
        assert_eq!(whole, converse(bytes, 1));
        whole
    }

    fn status(bytes: &[u8]) -> String {
        let reply = ask(bytes).refusal.expect("refused").reply;
        String::from_utf8(reply[..12].to_vec()).unwrap()
    }

    #[test]
    fn connect_names_a_host_and_a_port() {
        for (text, expected) in [
            ("CONNECT db:80 HTTP/1.1\r\n\r\n", "db:80"),
            ("CONNECT db:80 HTTP/1.0\r\nHost: other:1\r\nX: y\r\n\r\n", "db:80"),
            ("CONNECT 10.0.0.1:443 HTTP/1.1\r\n\r\n", "10.0.0.1:443"),
            ("CONNECT [::1]:443 HTTP/1.1\r\n\r\n", "::1:443"),
            ("CONNECT db:80 HTTP/1.1\n\n", "db:80"),
            ("CONNECT db:80 HTTP/1.1\nHost: db\n\r\n", "db:80"),
        ] {
            assert_eq!(ask(text.as_bytes()).target().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_host_has_at_most_255_bytes() {
        let asked = |len| format!("CONNECT {}:80 HTTP/1.1\r\n\r\n", "h".repeat(len));
        assert!(ask(asked(MAX_HOST).as_bytes()).target().is_some());
        assert_eq!(status(asked(MAX_HOST + 1).as_bytes()), "HTTP/1.1 400");
    }

    #[test]
    fn what_follows_the_empty_line_is_left_to_the_tunnel() {
        let bytes = b"CONNECT db:80 HTTP/1.1\r\nHost: db\r\n\r\n\r\n\r\n\x16\x03\x01";
        for piece in 1..=bytes.len() {
            assert_eq!(converse(bytes, piece).rest, b"\r\n\r\n\x16\x03\x01", "{piece}");
        }
    }

    #[test]
    fn other_requests_are_answered_with_what_is_wrong() {
        for (text, expected) in [
            ("GET http://db/ HTTP/1.1\r\n\r\n", "HTTP/1.1 405"),
            ("connect db:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 405"),
            ("POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 405"),
            ("CONNECT db:80 HTTP/2.0\r\n\r\n", "HTTP/1.1 505"),
            ("CONNECT db:80 HTTP/1.1 x\r\n\r\n", "HTTP/1.1 400"),
            ("CONNECT db:80\r\n\r\n", "HTTP/1.1 400"),
            ("CONNECT db HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
            ("CONNECT db:0 HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
            ("CONNECT db:65536 HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
            ("CONNECT db:+80 HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
            ("CONNECT :80 HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
            ("CONNECT ::1:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
            ("CONNECT [::1:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
            ("CONNECT d\tb:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
            ("hello\r\n\r\n", "HTTP/1.1 400"),
        ] {
            assert_eq!(status(text.as_bytes()), expected, "{text}");
        }
        let reply = ask(b"GET / HTTP/1.1\r\n\r\n").refusal.unwrap().reply;
        assert!(reply.windows(16).any(|window| window == b"Allow: CONNECT\r\n"));
    }

    #[test]
    fn the_header_block_is_bounded() {
        let mut bytes = b"CONNECT db:80 HTTP/1.1\r\nX: ".to_vec();
        bytes.resize(BUFFER_LIMIT - 4, b'x');
        let fits = [&bytes[..], b"\r\n\r\n"].concat();
        assert_eq!(ask(&fits).target().as_deref(), Some("db:80"));
        let endless = [&bytes[..], b"xxxxxxxxxx"].concat();
        assert_eq!(status(&endless), "HTTP/1.1 431");
    }
}

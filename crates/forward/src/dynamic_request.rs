//! What a local program asks of a dynamic forward, whatever proxy protocol it speaks. SOCKS 4, 4a, RFC 1928, RFC 9110 §9.3.6.
//! Touches: bytes from the program, the few answer bytes it gets.   Never: sockets, names, channels.
//! Invariants: at most [`BUFFER_LIMIT`] bytes are held; bytes after the request are not touched; success is told only after the open.
//! Errors: [`Refusal`], with the protocol's own answer.   Allocates: one bounded buffer, the host name.
//! Proved by: `tests` below, in `socks` and in `http_connect`, fuzz `dynamic_request`.
//!
//! The first byte decides: 4 and 5 are SOCKS, a letter is HTTP. One connection's life:
//!
//! ```
//! use adit_forward::{DynamicRequest, Protocol, Step};
//!
//! let mut request = DynamicRequest::new();
//! let mut input: &[u8] = b"\x04\x01\x00\x50\x7f\x00\x00\x01me\0early data";
//! let (target, protocol) = loop {
//!     let fed = request.feed(input);
//!     input = &input[fed.consumed..];
//!     match fed.step {
//!         Step::NeedMore => panic!("read more from the program"),
//!         Step::Reply(_bytes) => {} // write them, go on
//!         Step::Request(target, protocol) => break (target, protocol),
//!         Step::Refuse(_refusal) => panic!("write its reply, close"),
//!     }
//! };
//! assert_eq!((target.host.as_str(), target.port, input), ("127.0.0.1", 80, &b"early data"[..]));
//! // Open the channel; only its outcome is told to the program.
//! assert_eq!(protocol.success(), b"\x00\x5a\x00\x00\x00\x00\x00\x00");
//! ```

use crate::{http_connect, socks};
use std::fmt;

/// Longest host name taken from a proxy client: the longest a SOCKS 5 request can carry.
pub const MAX_HOST: usize = 255;

/// Most bytes held of a request that is not complete.
pub const BUFFER_LIMIT: usize = 8 * 1024;

/// Proxy request being read. See the module for the loop around it.
#[derive(Debug, Default)]
pub struct DynamicRequest {
    buffer: Vec<u8>,
    stage: Stage,
}

/// What is being waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The byte that tells the protocol.
    #[default]
    First,
    /// SOCKS 4 or 4a.
    Socks4,
    /// SOCKS 5: version and methods.
    Socks5Greeting,
    /// SOCKS 5: the request itself.
    Socks5Request,
    /// The header block of an HTTP request.
    Http,
    /// Nothing: the request was handed out or refused.
    Over,
}

/// What came of [`DynamicRequest::feed`].
#[derive(Debug, PartialEq, Eq)]
pub struct Fed {
    /// Bytes of the input that were used; the rest comes with the next call, or belongs to the tunnel.
    pub consumed: usize,
    /// What to do now.
    pub step: Step,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Read more and feed it. The whole input was consumed.
    NeedMore,
    /// Write this, then feed what is left of the input.
    Reply(&'static [u8]),
    /// Open a channel, then write [`Protocol::success`] or [`Protocol::failure`].
    Request(ProxyTarget, Protocol),
    /// Write [`Refusal::reply`], then close.
    Refuse(Refusal),
}

/// Where the program wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyTarget {
    /// Name or address, 1 to [`MAX_HOST`] bytes without white space or control characters; resolved at the far end.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// The protocol the answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// SOCKS 4 and 4a.
    Socks4,
    /// RFC 1928.
    Socks5,
    /// HTTP CONNECT.
    Http,
}

/// Why a channel could not be opened, as far as a proxy protocol can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Forbidden by a rule, here or at the server.
    NotAllowed,
    /// No route to the network.
    NetworkUnreachable,
    /// No route to the host, or no such host.
    HostUnreachable,
    /// Nobody listens there.
    Refused,
    /// Nobody answered in time.
    TimedOut,
    /// Anything else.
    General,
}

/// A request that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the program is told; empty where the protocol has no words for it.
    pub reply: &'static [u8],
    /// What the log is told.
    pub reason: &'static str,
}

impl DynamicRequest {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes of the program. After a request or a refusal nothing more is consumed.
    pub fn feed(&mut self, input: &[u8]) -> Fed {
        if self.stage == Stage::Over {
            return Fed { consumed: 0, step: Step::NeedMore };
        }
        let held = self.buffer.len();
        let taken = input.len().min(BUFFER_LIMIT - held);
        self.buffer.extend_from_slice(&input[..taken]);
        let message = self.read(held);
        match message {
            Ok(Some((step, used))) => {
                self.buffer.clear();
                // What was held before was no whole message, so this one ends within the input.
                Fed { consumed: used.saturating_sub(held), step }
            }
            Ok(None) if self.buffer.len() < BUFFER_LIMIT => {
                Fed { consumed: taken, step: Step::NeedMore }
            }
            Ok(None) => self.refuse(taken, http_connect::TOO_LONG),
            Err(refusal) => self.refuse(taken, refusal),
        }
    }

    /// One message from the front of the buffer, of which `held` bytes have been looked at before.
    fn read(&mut self, held: usize) -> Message<Step> {
        match self.stage {
            Stage::First => {
                let Some(&first) = self.buffer.first() else { return Ok(None) };
                self.stage = Stage::of(first)?;
                self.read(held)
            }
            Stage::Socks4 => self.request(socks::socks4_request(&self.buffer), Protocol::Socks4),
            Stage::Socks5Greeting => {
                let Some(((), used)) = socks::socks5_greeting(&self.buffer)? else {
                    return Ok(None);
                };
                self.stage = Stage::Socks5Request;
                Ok(Some((Step::Reply(socks::NO_AUTHENTICATION), used)))
            }
            Stage::Socks5Request => {
                self.request(socks::socks5_request(&self.buffer), Protocol::Socks5)
            }
            Stage::Http => {
                self.request(http_connect::connect_request(&self.buffer, held), Protocol::Http)
            }
            Stage::Over => Ok(None),
        }
    }

    fn request(&mut self, message: Message<ProxyTarget>, protocol: Protocol) -> Message<Step> {
        let Some((target, used)) = message? else { return Ok(None) };
        self.stage = Stage::Over;
        Ok(Some((Step::Request(target, protocol), used)))
    }

    fn refuse(&mut self, consumed: usize, refusal: Refusal) -> Fed {
        self.stage = Stage::Over;
        self.buffer = Vec::new();
        Fed { consumed, step: Step::Refuse(refusal) }
    }
}

/// A parsed message and its length; `Ok(None)` while it is incomplete.
pub(crate) type Message<T> = Result<Option<(T, usize)>, Refusal>;

impl Stage {
    fn of(first: u8) -> Result<Self, Refusal> {
        match first {
            4 => Ok(Self::Socks4),
            5 => Ok(Self::Socks5Greeting),
            letter if letter.is_ascii_alphabetic() => Ok(Self::Http),
            _ => Err(Refusal { reply: b"", reason: "neither SOCKS 4, SOCKS 5 nor HTTP" }),
        }
    }
}

impl Protocol {
    /// What the program is told once the channel is open.
    #[must_use]
    pub fn success(self) -> &'static [u8] {
        match self {
            Self::Socks4 => socks::SOCKS4_GRANTED,
            Self::Socks5 => socks::SOCKS5_SUCCEEDED,
            Self::Http => http_connect::ESTABLISHED,
        }
    }

    /// What the program is told when it could not be opened.
    #[must_use]
    pub fn failure(self, failure: Failure) -> &'static [u8] {
        match self {
            Self::Socks4 => socks::SOCKS4_REJECTED,
            Self::Socks5 => socks::socks5_failure(failure),
            Self::Http => http_connect::failure(failure),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socks4 => "SOCKS 4",
            Self::Socks5 => "SOCKS 5",
            Self::Http => "HTTP CONNECT",
        })
    }
}

impl Failure {
    /// Reads a CHANNEL_OPEN_FAILURE: its reason code, and its text where the code says only "connect failed".
    /// RFC 4254 §5.1.
    #[must_use]
    pub fn from_open_failure(reason_code: u32, description: &[u8]) -> Self {
        match reason_code {
            1 => Self::NotAllowed,
            2 => Self::from_text(description),
            _ => Self::General,
        }
    }

    /// Reads the error of a connection attempt made on this side.
    #[must_use]
    pub fn from_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::NetworkUnreachable => Self::NetworkUnreachable,
            ErrorKind::HostUnreachable => Self::HostUnreachable,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::PermissionDenied => Self::NotAllowed,
            _ => Self::General,
        }
    }

    /// Servers send the text of the system's error; "connection refused" is what they mean most often.
    fn from_text(description: &[u8]) -> Self {
        let text = String::from_utf8_lossy(description).to_ascii_lowercase();
        WORDS
            .iter()
            .find(|(words, _)| text.contains(words))
            .map_or(Self::Refused, |&(_, failure)| failure)
    }
}

/// Parts of error texts (glibc, musl, BSD, Go, Java, Windows) in the order they are looked for.
const WORDS: &[(&str, Failure)] = &[
    ("refused", Failure::Refused),
    ("network is unreachable", Failure::NetworkUnreachable),
    ("network unreachable", Failure::NetworkUnreachable),
    ("no route to host", Failure::HostUnreachable),
    ("unreachable", Failure::HostUnreachable),
    ("not known", Failure::HostUnreachable),
    ("name resolution", Failure::HostUnreachable),
    ("no such host", Failure::HostUnreachable),
    ("no address", Failure::HostUnreachable),
    ("does not resolve", Failure::HostUnreachable),
    ("timed out", Failure::TimedOut),
    ("timeout", Failure::TimedOut),
    ("prohibited", Failure::NotAllowed),
    ("permission denied", Failure::NotAllowed),
];

/// A name fit to be sent on: printable, no white space, not empty, not too long.
pub(crate) fn host(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?;
    let fits = (1..=MAX_HOST).contains(&name.len());
    let clean = !name.contains(|c: char| c.is_control() || c.is_whitespace());
    (fits && clean).then(|| name.into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything a conversation led to.
    #[derive(Debug, Default, PartialEq, Eq)]
    pub(crate) struct Outcome {
        pub(crate) replies: Vec<u8>,
        pub(crate) request: Option<(ProxyTarget, Protocol)>,
        pub(crate) refusal: Option<Refusal>,
        /// Bytes left to the tunnel.
        pub(crate) rest: Vec<u8>,
    }

    impl Outcome {
        /// The request as `host:port`.
        pub(crate) fn target(&self) -> Option<String> {
            self.request.as_ref().map(|(target, _)| format!("{}:{}", target.host, target.port))
        }
    }

    /// Feeds `bytes` in the pieces a relay would read.
    pub(crate) fn converse(bytes: &[u8], piece: usize) -> Outcome {
        let mut outcome = Outcome::default();
        let mut request = DynamicRequest::new();
        let mut pieces = bytes.chunks(piece.max(1));
        for mut input in pieces.by_ref() {
            loop {
                let fed = request.feed(input);
                input = &input[fed.consumed..];
                match fed.step {
                    Step::NeedMore => break,
                    Step::Reply(reply) => outcome.replies.extend_from_slice(reply),
                    Step::Request(target, protocol) => {
                        outcome.request = Some((target, protocol));
                        outcome.rest = input.to_vec();
                    }
                    Step::Refuse(refusal) => {
                        outcome.refusal = Some(refusal);
                        return outcome;
                    }
                }
                if outcome.request.is_some() {
                    for later in pieces.by_ref() {
                        outcome.rest.extend_from_slice(later);
                    }
                    return outcome;
                }
            }
            assert!(input.is_empty(), "bytes lost");
        }
        outcome
    }

    #[test]
    fn the_first_byte_decides_and_others_are_turned_away_without_a_word() {
        for first in 0..=255u8 {
            let fed = DynamicRequest::new().feed(&[first]);
            let known = matches!(first, 4 | 5) || first.is_ascii_alphabetic();
            match fed.step {
                Step::NeedMore => assert!(known, "{first}"),
                Step::Refuse(refusal) => assert!(!known && refusal.reply.is_empty(), "{first}"),
                step => panic!("{first}: {step:?}"),
            }
        }
    }

    #[test]
    fn nothing_is_consumed_after_a_request() {
        let mut request = DynamicRequest::new();
        let fed = request.feed(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00rest");
        assert_eq!(fed.consumed, 9);
        assert_eq!(request.feed(b"rest"), Fed { consumed: 0, step: Step::NeedMore });
    }

    #[test]
    fn success_and_failure_are_told_in_the_protocol_of_the_request() {
        use Failure::{
            General, HostUnreachable, NetworkUnreachable, NotAllowed, Refused, TimedOut,
        };
        assert_eq!(Protocol::Socks4.success(), b"\x00\x5a\0\0\0\0\0\0");
        assert_eq!(Protocol::Socks5.success(), b"\x05\x00\x00\x01\0\0\0\0\0\0");
        assert!(Protocol::Http.success().starts_with(b"HTTP/1.1 200 "));
        for (failure, code, status) in [
            (General, 1, "502"),
            (NotAllowed, 2, "403"),
            (NetworkUnreachable, 3, "502"),
            (HostUnreachable, 4, "502"),
            (Refused, 5, "502"),
            (TimedOut, 6, "504"),
        ] {
            assert_eq!(Protocol::Socks4.failure(failure), b"\x00\x5b\0\0\0\0\0\0");
            assert_eq!(Protocol::Socks5.failure(failure), [5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
            let answer = String::from_utf8(Protocol::Http.failure(failure).to_vec()).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(answer.ends_with("\r\n\r\n"));
        }
    }

    #[test]
    fn open_failures_are_read_from_code_and_text() {
        for (code, text, failure) in [
            (1, "open failed", Failure::NotAllowed),
            (2, "Connection refused", Failure::Refused),
            (2, "connect failed: Connection refused", Failure::Refused),
            (2, "", Failure::Refused),
            (2, "No route to host", Failure::HostUnreachable),
            (2, "Network is unreachable", Failure::NetworkUnreachable),
            (2, "Name or service not known", Failure::HostUnreachable),
            (2, "Temporary failure in name resolution", Failure::HostUnreachable),
            (2, "Connection timed out", Failure::TimedOut),
            (2, "dial tcp: i/o timeout", Failure::TimedOut),
            (2, "\u{fffd}", Failure::Refused),
            (3, "Connection refused", Failure::General),
            (4, "", Failure::General),
            (u32::MAX, "", Failure::General),
        ] {
            let read = Failure::from_open_failure(code, text.as_bytes());
            assert_eq!(read, failure, "{code} {text}");
        }
    }

    #[test]
    fn errors_of_this_side_are_read_from_their_kind() {
        use std::io::{Error, ErrorKind};
        for (kind, failure) in [
            (ErrorKind::ConnectionRefused, Failure::Refused),
            (ErrorKind::NetworkUnreachable, Failure::NetworkUnreachable),
            (ErrorKind::HostUnreachable, Failure::HostUnreachable),
            (ErrorKind::TimedOut, Failure::TimedOut),
            (ErrorKind::Other, Failure::General),
        ] {
            assert_eq!(Failure::from_io(&Error::from(kind)), failure);
        }
    }

    /// Requests that lead somewhere, and ones that do not.
    fn conversations() -> impl Strategy<Value = Vec<u8>> {
        let starts: [&[u8]; 8] = [
            b"\x04\x01\x00\x50\x7f\x00\x00\x01me\0",
            b"\x04\x01\x00\x50\x00\x00\x00\x07\0db.internal\0",
            b"\x05\x01\x00\x05\x01\x00\x03\x02db\x00\x50",
            b"\x05\x02\x02\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50",
            b"\x05\x01\x00\x05\x02\x00\x01",
            b"\x05\x01\x02",
            b"CONNECT db:80 HTTP/1.1\r\nHost: db\r\n\r\n",
            b"GET / HTTP/1.1\n\n",
        ];
        let start = prop::sample::select(starts.to_vec());
        (start, prop::collection::vec(any::<u8>(), 0..40), any::<prop::sample::Index>(), 0..4u8)
            .prop_map(|(start, tail, at, damage)| {
                let mut bytes = [start, &tail].concat();
                if damage == 0 {
                    let at = at.index(bytes.len());
                    bytes[at] = bytes[at].wrapping_add(1);
                }
                bytes
            })
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_outcome(bytes in conversations(), piece in 1usize..20) {
            prop_assert_eq!(converse(&bytes, piece), converse(&bytes, bytes.len()));
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1usize..600) {
            let outcome = converse(&bytes, piece);
            if let Some((target, _)) = outcome.request {
                prop_assert!((1..=MAX_HOST).contains(&target.host.len()));
                prop_assert!(bytes.ends_with(&outcome.rest));
            }
        }
    }
}

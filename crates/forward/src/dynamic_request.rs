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

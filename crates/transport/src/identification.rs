//! The identification lines before the first packet. RFC 4253 §4.2, §5.
//! Touches: the first lines in `RxBuf`.   Never: packets.
//! Invariants: the peer's line is kept byte for byte, for the exchange hash; what comes before it is bounded.
//! Errors: `InvalidMessage`, `Incompatible::ProtocolVersion`.   Allocates: the peer's line.
//! Proved by: `tests` below, `tests::pair` (any split), fuzz `identification`.

use alloc::string::String;
use alloc::vec::Vec;

use adit_buf::{RxBuf, Span};

use crate::config::{Config, Role};
use crate::error::{Error, Incompatible, InvalidMessage};

/// The line with its CR LF. RFC 4253 §4.2.
const MAX_IDENTIFICATION: usize = 255;

/// Lines a server may say before it identifies itself; OpenSSH's figure.
const MAX_LINES: usize = 1024;

/// Bytes of all those lines together.
const MAX_PRELIMINARY: usize = 64 * 1024;

/// Our own line without CR LF: `SSH-2.0-software comment`.
pub(crate) fn own(config: &Config) -> Vec<u8> {
    let mut line = String::from("SSH-2.0-");
    line.extend(config.software.chars().filter(|c| c.is_ascii_graphic() && *c != '-'));
    if !config.comment.is_empty() {
        line.push(' ');
        line.extend(config.comment.chars().filter(|c| matches!(c, ' '..='~')));
    }
    line.truncate(MAX_IDENTIFICATION - 2);
    line.into_bytes()
}

/// A line that has come whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Something for people, before the identification.
    Preliminary(Span),
    /// The peer's identification without its line end.
    Identification(Vec<u8>),
}

/// Waits for the peer's identification.
#[derive(Debug)]
pub(crate) struct ExpectIdentification {
    role: Role,
    /// Bytes of the unfinished line that were looked through already.
    scanned: usize,
    lines: usize,
    bytes: usize,
}

impl ExpectIdentification {
    pub(crate) const fn new(role: Role) -> Self {
        Self { role, scanned: 0, lines: 0, bytes: 0 }
    }

    /// The next whole line, consumed.
    pub(crate) fn next_line(&mut self, rx: &mut RxBuf) -> Result<Option<Line>, Error> {
        let unread = rx.unread();
        let fresh = unread.iter().enumerate().skip(self.scanned);
        let end = fresh.filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).next();
        let Some((end, raw)) = end.and_then(|end| Some((end, unread.get(..end)?))) else {
            self.scanned = unread.len();
            return self.check_unfinished(unread).map(|()| None);
        };
        self.scanned = 0;
        let line = self.whole_line(raw, rx.position());
        rx.consume(end + 1);
        line.map(Some)
    }

    /// `raw` ends before its LF. What could have been said of its beginning is said first: how it was split does not show.
    fn whole_line(&mut self, raw: &[u8], start: usize) -> Result<Line, Error> {
        self.check_unfinished(raw)?;
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        if line.contains(&0) {
            return Err(InvalidMessage::NulInIdentification.into());
        }
        if line.starts_with(b"SSH-") {
            if raw.len() + 1 > MAX_IDENTIFICATION {
                return Err(InvalidMessage::IdentificationTooLong.into());
            }
            return check_version(line).map(|()| Line::Identification(line.into()));
        }
        self.count_preliminary(raw.len() + 1)?;
        Ok(Line::Preliminary(Span { start, len: line.len() }))
    }

    /// Only a server may say something first.
    fn count_preliminary(&mut self, len: usize) -> Result<(), Error> {
        self.lines += 1;
        self.bytes += len;
        match self.role {
            Role::Server => Err(InvalidMessage::NotSsh.into()),
            Role::Client if self.lines > MAX_LINES || self.bytes > MAX_PRELIMINARY => {
                Err(InvalidMessage::TooManyLines.into())
            }
            Role::Client => Ok(()),
        }
    }

    /// What can be said of a line before its end: a peer that is no SSH is not listened to for long.
    fn check_unfinished(&self, line: &[u8]) -> Result<(), Error> {
        let ssh = b"SSH-";
        let may_be_ssh = line.iter().zip(ssh).all(|(have, want)| have == want);
        if may_be_ssh && line.len() > MAX_IDENTIFICATION {
            Err(InvalidMessage::IdentificationTooLong.into())
        } else if !may_be_ssh && self.role == Role::Server {
            Err(InvalidMessage::NotSsh.into())
        } else if self.bytes + line.len() > MAX_PRELIMINARY {
            Err(InvalidMessage::TooManyLines.into())
        } else {
            Ok(())
        }
    }
}

/// `SSH-protoversion-softwareversion`: version 2, or a server that speaks 1 and 2. RFC 4253 §5.1.
fn check_version(line: &[u8]) -> Result<(), Error> {
    let mut parts = line.splitn(3, |byte| *byte == b'-').skip(1);
    let (version, software) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if !version.first().is_some_and(u8::is_ascii_digit) || software.is_empty() {
        Err(InvalidMessage::NotSsh.into())
    } else if version.starts_with(b"2.") || version == b"1.99" {
        Ok(())
    } else {
        Err(Incompatible::ProtocolVersion.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Everything `role` makes of `bytes`, given in pieces of `step`.
    fn lines(role: Role, bytes: &[u8], step: usize) -> Result<Vec<Vec<u8>>, Error> {
        let mut rx = RxBuf::new();
        let mut expect = ExpectIdentification::new(role);
        let mut seen = vec![];
        for piece in bytes.chunks(step) {
            rx.extend(piece);
            while let Some(line) = expect.next_line(&mut rx)? {
                match line {
                    Line::Preliminary(span) => seen.push(rx.bytes(span).to_vec()),
                    Line::Identification(line) => {
                        seen.push(line);
                        return Ok(seen);
                    }
                }
            }
        }
        Ok(seen)
    }

    fn refusal(role: Role, bytes: &[u8]) -> Error {
        let whole = lines(role, bytes, bytes.len()).unwrap_err();
        assert_eq!(lines(role, bytes, 1).unwrap_err(), whole, "split must not matter");
        whole
    }

    #[test]
    fn preliminary_lines_come_before_the_identification() {
        let bytes = b"Welcome\r\nto \xff\n\nSSH-2.0-x y\r\nrest";
        for step in 1..bytes.len() {
            let seen = lines(Role::Client, bytes, step).unwrap();
            assert_eq!(seen, [&b"Welcome"[..], b"to \xff", b"", b"SSH-2.0-x y"]);
        }
    }

    #[test]
    fn a_bare_line_feed_ends_the_identification() {
        assert_eq!(lines(Role::Server, b"SSH-2.0-x\n", 99).unwrap(), [b"SSH-2.0-x"]);
        assert_eq!(lines(Role::Server, b"SSH-1.99-x\r\n", 99).unwrap(), [b"SSH-1.99-x"]);
    }

    #[test]
    fn version_1_is_told_that_major_versions_differ() {
        for line in [&b"SSH-1.5-old\n"[..], b"SSH-1.0-x\n", b"SSH-3.0-new\n", b"SSH-20.0-x\n"] {
            assert_eq!(refusal(Role::Client, line), Incompatible::ProtocolVersion.into());
        }
        for line in [&b"SSH-2.0\n"[..], b"SSH-2.0-\n", b"SSH--x\n", b"SSH-\n"] {
            assert_eq!(refusal(Role::Client, line), InvalidMessage::NotSsh.into());
        }
    }

    #[test]
    fn a_server_hears_no_preliminary_lines() {
        assert_eq!(refusal(Role::Server, b"GET / HTTP/1.1\r\n"), InvalidMessage::NotSsh.into());
        assert_eq!(refusal(Role::Server, b"G"), InvalidMessage::NotSsh.into());
    }

    #[test]
    fn an_identification_may_be_255_bytes_long() {
        let line = |len: usize| [b"SSH-2.0-", &vec![b'x'; len - 10][..], b"\r\n"].concat();
        assert!(lines(Role::Server, &line(255), 1).is_ok());
        let too_long = InvalidMessage::IdentificationTooLong.into();
        assert_eq!(refusal(Role::Server, &line(256)), too_long);
    }

    #[test]
    fn endless_preliminary_text_is_refused() {
        let lines = b"x\n".repeat(MAX_LINES + 1);
        assert_eq!(refusal(Role::Client, &lines), InvalidMessage::TooManyLines.into());
        let one = vec![b'x'; MAX_PRELIMINARY + 1];
        assert_eq!(refusal(Role::Client, &one), InvalidMessage::TooManyLines.into());
    }

    #[test]
    fn a_line_wrong_in_two_ways_is_refused_for_the_same_reason_however_it_is_split() {
        assert_eq!(refusal(Role::Server, b"\xfe\x03\0HTTP\r\n"), InvalidMessage::NotSsh.into());
        let long = [b"SSH-2.0-\0", &[b'x'; 300][..], b"\n"].concat();
        let too_long = InvalidMessage::IdentificationTooLong.into();
        assert_eq!(refusal(Role::Client, &long), too_long);
        let many = [b"\0", &vec![b'x'; MAX_PRELIMINARY][..], b"\n"].concat();
        assert_eq!(refusal(Role::Client, &many), InvalidMessage::TooManyLines.into());
    }

    #[test]
    fn nul_is_refused() {
        let nul = InvalidMessage::NulInIdentification.into();
        assert_eq!(refusal(Role::Client, b"SSH-2.0-x\0y\r\n"), nul);
        assert_eq!(refusal(Role::Client, b"hello\0\n"), nul);
    }
}

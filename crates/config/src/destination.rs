//! `[user@]host` and `ssh://[user@]host[:port]`, and which names are safe to pass on.
//! Touches: strings.   Never: name look-up.
//! Invariants: a checked name has no control character, no shell metacharacter and no leading dash.
//! Errors: [`DestinationError`].   Allocates: the parts.
//! Proved by: `tests` below.

use std::error::Error;
use std::fmt;

/// Longest host or user name taken (`NI_MAXHOST`).
const NAME_LIMIT: usize = 1025;

/// Where to connect, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Before the last `@`.
    pub user: Option<String>,
    /// Name or address, without brackets.
    pub host: String,
    /// Only in the URI form.
    pub port: Option<u16>,
}

/// Why a destination is refused, in ssh's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationError {
    /// Not a destination at all: ssh prints its usage.
    Malformed,
    /// See [`valid_hostname`].
    Hostname,
    /// See [`valid_username`].
    Username,
}

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed destination",
            Self::Hostname => "hostname contains invalid characters",
            Self::Username => "remote username contains invalid characters",
        })
    }
}

impl Error for DestinationError {}

impl Destination {
    /// Reads either form and checks the names.
    ///
    /// # Errors
    /// [`DestinationError`] naming the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        let destination = match text.strip_prefix("ssh://") {
            Some(rest) => uri(rest).ok_or(DestinationError::Malformed)?,
            None => plain(text).ok_or(DestinationError::Malformed)?,
        };
        if !valid_hostname(&destination.host) {
            return Err(DestinationError::Hostname);
        }
        if !destination.user.as_deref().is_none_or(valid_username) {
            return Err(DestinationError::Username);
        }
        Ok(destination)
    }
}

/// The last `@` splits: user names may hold one, host names may not.
fn plain(text: &str) -> Option<Destination> {
    let (user, host) = match text.rsplit_once('@') {
        Some(("", _)) => return None,
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, text),
    };
    Some(Destination { user, host: host.to_owned(), port: None })
}

fn uri(rest: &str) -> Option<Destination> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (user, host_and_port) = match authority.rsplit_once('@') {
        // A password in a URI is not taken: it would be visible to everybody.
        Some((user, rest)) => (Some(percent_decode(user.split(';').next()?)?), rest),
        None => (None, authority),
    };
    let (host, port) = match host_and_port.strip_prefix('[') {
        Some(v6) => {
            let (host, after) = v6.split_once(']')?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
            (host, port)
        }
        None => match host_and_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_and_port, None),
        },
    };
    let named = user.as_deref().is_none_or(|user| !user.is_empty() && !user.contains(':'));
    if !named || host.is_empty() || host.contains('/') {
        return None;
    }
    let port = match port {
        Some(digits) => Some(port_number(digits)?),
        None => None,
    };
    Some(Destination { user, host: host.to_owned(), port })
}

/// A port from 1 to 65535, in digits.
#[must_use]
pub fn port_number(text: &str) -> Option<u16> {
    // Rust's numbers may have a plus.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(hexadecimal(digits).filter(|&byte| byte != 0)?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// A byte in hexadecimal digits, without a sign.
pub(crate) fn hexadecimal(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u8::from_str_radix(text, 16).ok().filter(|_| digits)
}

/// Whether a host name may be used: it may end in a command line or a terminal.
#[must_use]
pub fn valid_hostname(name: &str) -> bool {
    let forbidden = |c: char| "'`\"$\\;&<>|(){}".contains(c) || c.is_whitespace() || c.is_control();
    (1..NAME_LIMIT).contains(&name.len()) && !name.starts_with('-') && !name.contains(forbidden)
}

/// Whether a user name may be used. Less is forbidden than in host names: Windows domains have `\`, some names `$`.
#[must_use]
pub fn valid_username(name: &str) -> bool {
    let forbidden = |c: char| "'`\";&<>|(){}".contains(c) || c.is_control();
    let option_like = name
        .char_indices()
        .any(|(at, c)| c == '-' && (at == 0 || name[..at].ends_with(char::is_whitespace)));
    (1..NAME_LIMIT).contains(&name.len())
        && !name.contains(forbidden)
        && !option_like
        && !name.ends_with('\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn destination(user: Option<&str>, host: &str, port: Option<u16>) -> Destination {
        Destination { user: user.map(Into::into), host: host.into(), port }
    }

    #[test]
    fn both_forms_are_read() {
        for (text, expected) in [
            ("h", destination(None, "h", None)),
            ("u@h", destination(Some("u"), "h", None)),
            ("a@b@h", destination(Some("a@b"), "h", None)),
            ("::1", destination(None, "::1", None)),
            ("fe80::1%eth0", destination(None, "fe80::1%eth0", None)),
            (r"DOM\u@h", destination(Some(r"DOM\u"), "h", None)),
            ("bücher.example", destination(None, "bücher.example", None)),
            ("ssh://h", destination(None, "h", None)),
            ("ssh://h/", destination(None, "h", None)),
            ("ssh://h:2222", destination(None, "h", Some(2222))),
            ("ssh://u@h:2222", destination(Some("u"), "h", Some(2222))),
            ("ssh://u@[::1]:2222", destination(Some("u"), "::1", Some(2222))),
            ("ssh://[::1]", destination(None, "::1", None)),
            ("ssh://a%40b@h", destination(Some("a@b"), "h", None)),
        ] {
            assert_eq!(Destination::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn destinations_that_could_become_commands_are_refused() {
        let long = "h".repeat(64 * 1024);
        for (text, error) in [
            ("-h", DestinationError::Hostname),
            ("u@-oProxyCommand=x", DestinationError::Hostname),
            ("a b", DestinationError::Hostname),
            ("h\n", DestinationError::Hostname),
            ("h\0", DestinationError::Hostname),
            ("$(id)", DestinationError::Hostname),
            ("`id`", DestinationError::Hostname),
            ("h;id", DestinationError::Hostname),
            ("", DestinationError::Hostname),
            ("u@", DestinationError::Hostname),
            (&long, DestinationError::Hostname),
            ("-x@h", DestinationError::Username),
            ("a -x@h", DestinationError::Username),
            ("a;b@h", DestinationError::Username),
            ("$(id)@h", DestinationError::Username),
            ("`id`@h", DestinationError::Username),
            ("a\nb@h", DestinationError::Username),
            ("a\\@h", DestinationError::Username),
            ("ssh://%0aid@h", DestinationError::Username),
            ("ssh://-x@h", DestinationError::Username),
            ("ssh://$(id)", DestinationError::Hostname),
            ("@h", DestinationError::Malformed),
            ("ssh://", DestinationError::Malformed),
            ("ssh://h:0", DestinationError::Malformed),
            ("ssh://h:65536", DestinationError::Malformed),
            ("ssh://h:22x", DestinationError::Malformed),
            ("ssh://h:+22", DestinationError::Malformed),
            ("ssh://h:22/path", DestinationError::Malformed),
            ("ssh://u:secret@h", DestinationError::Malformed),
            ("ssh://[::1", DestinationError::Malformed),
            ("ssh://%00@h", DestinationError::Malformed),
            ("ssh://%zz@h", DestinationError::Malformed),
            ("ssh://%+4@h", DestinationError::Malformed),
            ("ssh://%4@h", DestinationError::Malformed),
        ] {
            assert_eq!(Destination::parse(text), Err(error), "{text:.40}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_safe_to_pass_on(text in ".{0,40}") {
            if let Ok(destination) = Destination::parse(&text) {
                prop_assert!(!destination.host.starts_with('-'));
                prop_assert!(!destination.host.contains(['\n', '\0', ' ', '`', '$', ';']));
                let user = destination.user.unwrap_or_default();
                prop_assert!(!user.starts_with('-') && !user.contains(['\n', '\0', '`', ';']));
            }
        }
    }
}

//! How sshd words what happens: addresses, users, keys, ends of connections.
//! Touches: text.   Never: levels, fields.
//! Invariants: readers of sshd's log find what they look for.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` of `event`.

use super::event::{Certificate, Close, Endpoint, Key, Peer, User};
use std::fmt;
use std::net::SocketAddr;

/// `1.2.3.4 port 5`, sshd's way to write an address.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        At(self.remote).fmt(f)
    }
}

pub(super) struct At(pub(super) Option<SocketAddr>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(f, "{} port {}", address.ip(), address.port()),
            // What sshd says of a connection that has no address.
            None => f.write_str("UNKNOWN port 65535"),
        }
    }
}

pub(super) struct Host(pub(super) Option<SocketAddr>);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.ip().fmt(f),
            None => f.write_str("UNKNOWN"),
        }
    }
}

pub(super) struct Bracketed(pub(super) Option<SocketAddr>);

impl fmt::Display for Bracketed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(f, "[{}]:{}", address.ip(), address.port()),
            None => f.write_str("[UNKNOWN]:65535"),
        }
    }
}

/// What it takes to say how a connection ended.
pub(super) struct Ended<'a> {
    pub(super) peer: Peer,
    pub(super) user: User<'a>,
    pub(super) how: Close<'a>,
}

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, user, how } = self;
        match how {
            Close::Eof => write!(f, "Connection closed by {user}{peer}")?,
            Close::Reset => write!(f, "Connection reset by {user}{peer}")?,
            Close::Disconnect { code, text } => {
                write!(f, "Received disconnect from {peer}:{code}: {text}")?;
            }
            Close::Ours { words } => write!(f, "Disconnecting {user}{peer}: {words}")?,
            Close::Unresponsive => {
                write!(f, "Timeout, client not responding from {user}{peer}")?;
            }
            Close::Inactive => write!(f, "terminating inactive connection from {user}{peer}")?,
            Close::NoCommonAlgorithm { words } => {
                write!(f, "Unable to negotiate with {peer}: {words}")?;
            }
            // The rest has no mark of its phase: it only happens before the login.
            Close::GraceExceeded => {
                return write!(f, "Timeout before authentication for {peer}");
            }
            Close::Refused => {
                let invalid = invalid(!matches!(user, User::Invalid(_)));
                let name = user.name().unwrap_or_default();
                return write!(
                    f,
                    "administratively prohibited connection for {invalid}{name} from {peer}"
                );
            }
            Close::NotSsh { words } => {
                return write!(f, "banner exchange: Connection from {peer}: {words}");
            }
        }
        f.write_str(if matches!(user, User::LoggedIn(_)) { "" } else { " [preauth]" })
    }
}

/// As it stands in front of an address, with the space between.
impl fmt::Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => Ok(()),
            Self::Authenticating(name) => write!(f, "authenticating user {name} "),
            Self::Invalid(name) => write!(f, "invalid user {name} "),
            Self::LoggedIn(name) => write!(f, "user {name} "),
        }
    }
}

pub(super) struct Shown<'a>(pub(super) Option<Key<'a>>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Key { kind, fingerprint, certificate }) = self.0 else { return Ok(()) };
        write!(f, ": {kind} {fingerprint}")?;
        let Some(Certificate { id, serial, ca_kind, ca_fingerprint }) = certificate else {
            return Ok(());
        };
        write!(f, " ID {id} (serial {serial}) CA {ca_kind} {ca_fingerprint}")
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host: "", port } => write!(f, "*:{port}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Address(address) => address.fmt(f),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// Where somebody listens, in words.
pub(super) struct Place<'a>(pub(super) Endpoint<'a>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // How a client asks for every address.
            Endpoint::Tcp { host: "", port } => write!(f, "* port {port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host} port {port}"),
            Endpoint::Address(address) => write!(f, "{} port {}", address.ip(), address.port()),
            Endpoint::Unix(path) => write!(f, "path {path}"),
        }
    }
}

/// What somebody wants to connect to, in words.
pub(super) struct Target<'a>(pub(super) Endpoint<'a>);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Endpoint::Unix(_) => Place(self.0).fmt(f),
            _ => write!(f, "host {}", Place(self.0)),
        }
    }
}

/// On which terminal, if there is one.
pub(super) struct On<'a>(pub(super) Option<&'a str>);

impl fmt::Display for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |terminal| write!(f, " on {terminal}"))
    }
}

pub(super) const fn invalid(valid: bool) -> &'static str {
    if valid { "" } else { "invalid user " }
}

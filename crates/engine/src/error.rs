//! Why an engine gave up, whichever layer found it. RFC 4253 §11.1.
//! Touches: the layers' own errors.   Never: words for the terminal; those are the binaries'.
//! Invariants: an error ends the engine; every later call repeats it.
//! Errors: this is them.   Allocates: never.
//! Proved by: `tests` of the layers, `pair` tests of this crate.

use core::fmt;

/// What ended the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The transport: RFC 4253.
    Transport(adit_transport::Error),
    /// The login: RFC 4252.
    Auth(adit_auth::Violation),
    /// Channels and requests: RFC 4254.
    Connection(adit_connection::Violation),
    /// The peer has not been heard of for as long as keepalives allow.
    Timeout,
}

impl Error {
    /// The reason code to disconnect with, or none when there is nobody to tell. RFC 4253 §11.1.
    pub fn reason(&self) -> Option<u32> {
        match self {
            Self::Transport(error) => error.reason(),
            Self::Auth(violation) => Some(violation.reason()),
            Self::Connection(violation) => Some(violation.reason()),
            Self::Timeout => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(f),
            Self::Auth(violation) => violation.fmt(f),
            Self::Connection(violation) => violation.fmt(f),
            Self::Timeout => f.write_str("peer does not answer keepalives"),
        }
    }
}

impl core::error::Error for Error {}

impl From<adit_transport::Error> for Error {
    fn from(error: adit_transport::Error) -> Self {
        Self::Transport(error)
    }
}

impl From<adit_auth::Violation> for Error {
    fn from(violation: adit_auth::Violation) -> Self {
        Self::Auth(violation)
    }
}

impl From<adit_connection::Violation> for Error {
    fn from(violation: adit_connection::Violation) -> Self {
        Self::Connection(violation)
    }
}

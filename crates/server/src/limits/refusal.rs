//! Why a connection is not let in, for the log and for the client. Words as sshd's.
//! Touches: text.   Never: sockets; whoever refuses writes the line and closes.
//! Invariants: what the client is told is one line, before any identification. RFC 4253 §4.2.
//! Errors: none.   Allocates: a user's name.
//! Proved by: `tests` in `limits`.

use super::notice::Notice;
use super::penalties::Offence;
use adit_config::types::LogLevel;
use std::fmt;

/// A connection that is not let in.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What is in its way.
    pub(crate) why: Why,
    /// How many connections were not logged in at the time.
    pub(crate) startups: usize,
    /// What else the log should say: when throttling begins, and now and then while it lasts.
    pub(crate) notice: Option<Notice>,
}

/// What is in the way of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// MaxStartups, by chance or because it is full.
    Startups,
    /// PerSourceMaxStartups
    PerSource,
    /// MaxConnections
    Connections,
    /// A penalty for what the source did last.
    Penalty(Offence),
    /// More sources misbehave than can be remembered, and `overflow:deny-all` is set.
    PenaltiesFull,
    /// MaxConnectionsPerUser
    User {
        /// Whose it would have been.
        user: String,
        /// What is allowed.
        limit: u32,
    },
}

impl Refusal {
    /// At which level it is told: not every connection of a flood is.
    pub(crate) const fn level(&self) -> LogLevel {
        match self.why {
            Why::Startups | Why::PerSource | Why::Connections if self.notice.is_none() => {
                LogLevel::Verbose
            }
            _ => LogLevel::Info,
        }
    }

    /// What the client is told: before the identification a line to write as it is, after the login the description of
    /// a disconnect.
    pub(crate) const fn to_client(&self) -> &'static str {
        match self.why {
            Why::Startups => "Exceeded MaxStartups\r\n",
            Why::User { .. } => "Too many connections of this user",
            _ => "Not allowed at this time\r\n",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Startups => f.write_str("past MaxStartups"),
            Self::PerSource => f.write_str("past PerSourceMaxStartups"),
            Self::Connections => f.write_str("past MaxConnections"),
            Self::Penalty(offence) => offence.fmt(f),
            Self::PenaltiesFull => f.write_str("too many penalised addresses"),
            Self::User { limit, .. } => write!(f, "past MaxConnectionsPerUser {limit}"),
        }
    }
}

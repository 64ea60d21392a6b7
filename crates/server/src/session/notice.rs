//! What is told of a session channel, when it begins and when it is over, for the log.
//! Touches: plain data.   Never: the log.
//! Invariants: each command that ran has one at its end; texts of the peer bear no control characters.
//! Errors: none.   Allocates: per session channel.
//! Proved by: those of the session.

use super::leader::Exit;
use super::signals;
use super::task::{Kind, Task};
use adit_engine::Channel;
use adit_reactor::Key;
use std::fmt;
use std::time::Duration;

/// A command was started on a session channel, or has ended with it; or something was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// On which connection.
    pub(crate) session: Key,
    /// Which of its channels.
    pub(crate) channel: Channel,
    /// What it was opened for; none if nothing was asked for.
    pub(crate) kind: Option<Kind>,
    /// The command line that ran, for a log: shell quoting is not undone.
    pub(crate) command: String,
    /// Whether the command was forced.
    pub(crate) forced: bool,
    /// The terminal's device, if there was one.
    pub(crate) terminal: Option<String>,
    /// How it ended.
    pub(crate) end: SessionEnd,
    /// Bytes to the client.
    pub(crate) sent: u64,
    /// Bytes from the client.
    pub(crate) received: u64,
    /// From the request to the end.
    pub(crate) duration: Duration,
}

impl Notice {
    /// What it was opened for, as sshd says it.
    pub(crate) fn what(&self) -> String {
        let forced = if self.forced { "forced-command" } else { "command" };
        match &self.kind {
            Some(Kind::Subsystem(name)) => format!("subsystem '{}'", printable(name)),
            Some(Kind::Shell) if !self.forced => "shell".into(),
            Some(_) => forced.into(),
            None => "nothing".into(),
        }
    }

    /// The exit status, if the command came to one.
    pub(crate) const fn status(&self) -> Option<u32> {
        match self.end {
            SessionEnd::Exit(Exit::Status(status)) => Some(status),
            _ => None,
        }
    }

    /// Why it ended before its command did, if it was so.
    pub(crate) const fn reason(&self) -> Option<&'static str> {
        match self.end {
            SessionEnd::Closed => Some("closed"),
            SessionEnd::Idle => Some("idle"),
            SessionEnd::ConnectionLost => Some("connection-closed"),
            SessionEnd::Started | SessionEnd::Exit(_) | SessionEnd::Refused(_) => None,
        }
    }

    /// The name of the signal that ended it, if one did.
    pub(crate) fn signal(&self) -> Option<String> {
        match self.end {
            SessionEnd::Exit(Exit::Signal { number, .. }) => {
                Some(signals::name_of(number).to_string())
            }
            _ => None,
        }
    }
}

/// What became of a session channel, or of something that was asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    /// It runs; there will be another notice.
    Started,
    /// The command ended.
    Exit(Exit),
    /// The client closed the channel before the command ended.
    Closed,
    /// The server closed it: nothing had moved for too long (ChannelTimeout).
    Idle,
    /// The connection ended before the command did.
    ConnectionLost,
    /// What was asked for was refused, with the reason; the channel goes on.
    Refused(String),
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::Exit(Exit::Status(code)) => write!(f, "exit status {code}"),
            Self::Exit(Exit::Signal { number, core_dumped }) => {
                let core = if *core_dumped { ", core dumped" } else { "" };
                write!(f, "signal {} ({number}){core}", signals::name_of(*number))
            }
            Self::Closed => f.write_str("closed by the client"),
            Self::Idle => f.write_str("idle for too long"),
            Self::ConnectionLost => f.write_str("connection lost"),
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

/// What a task would run, fit for a log.
pub(super) fn command_of(task: &Task) -> String {
    printable(&String::from_utf8_lossy(task.command.as_deref().unwrap_or_default()))
}

/// Without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

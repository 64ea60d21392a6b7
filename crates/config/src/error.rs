//! What is said about a configuration: errors, notes and where they come from.
//! Touches: strings.   Never: a terminal or a log.
//! Invariants: texts are ssh's where ssh has one.
//! Errors: this is them.   Allocates: the texts.
//! Proved by: `tests` in `client` and `server`.

use crate::tokens::TokenError;
use crate::types::LogLevel;
use std::error::Error;
use std::fmt;

/// Where a value was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// In an argument.
    CommandLine,
    /// In a file.
    File {
        /// As the user knows it.
        name: &'a str,
        /// Counted from 1.
        line: u32,
    },
}

/// `command-line line 0` or `/etc/ssh/ssh_config line 7`.
impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command-line line 0"),
            Self::File { name, line } => write!(f, "{name} line {line}"),
        }
    }
}

/// Whose words are used where ssh and sshd differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Ssh,
    Sshd,
}

impl Dialect {
    /// One of these.
    pub(crate) fn pick<T>(self, ssh: T, sshd: T) -> T {
        match self {
            Self::Ssh => ssh,
            Self::Sshd => sshd,
        }
    }

    /// How a keyword of former times is mentioned.
    pub(crate) fn deprecated(self, name: &str, source: &Source<'_>) -> (LogLevel, String) {
        match self {
            Self::Ssh => {
                let name = name.to_ascii_lowercase();
                (LogLevel::Debug1, format!("{source}: Deprecated option \"{name}\""))
            }
            Self::Sshd => (LogLevel::Info, format!("{source}: Deprecated option {name}")),
        }
    }
}

/// A configuration that cannot be used. The text is complete; several lines are separated by `\n`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The keyword is unknown. A file is read on after it, to count them all.
    UnknownKeyword(String),
    /// The value is wrong, or asks for what is not there.
    Value(String),
}

impl ConfigError {
    /// `command-line: line 0: Bad configuration option: foo`
    pub(crate) fn unknown_keyword(keyword: &str, source: &Source<'_>) -> Self {
        let place = match source {
            Source::CommandLine => "command-line: line 0".to_owned(),
            Source::File { name, line } => format!("{name}: line {line}"),
        };
        Self::UnknownKeyword(format!("{place}: Bad configuration option: {keyword}"))
    }

    pub(crate) fn value(text: &str, source: &Source<'_>) -> Self {
        Self::Value(format!("{source}: {text}"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKeyword(text) | Self::Value(text) => f.write_str(text),
        }
    }
}

impl Error for ConfigError {}

impl From<TokenError> for ConfigError {
    fn from(error: TokenError) -> Self {
        Self::Value(error.to_string())
    }
}

/// Something the user may want to know although the configuration is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Shown at this level and the more talkative ones.
    pub level: LogLevel,
    /// One line.
    pub text: String,
}

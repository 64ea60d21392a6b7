//! What is said about a configuration: errors, notes and where they come from.
//! Touches: strings.   Never: a terminal or a log.
//! Invariants: texts are ssh's where ssh has one.
//! Errors: this is them.   Allocates: the texts.
//! Proved by: `tests` in `client`.

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

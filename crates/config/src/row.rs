//! One row of a table of keywords: names, kind of value, where it may stand, what it does here.
//! Touches: nothing.   Never: values.
//! Invariants: what is not honoured is commented on, unless it asks for nothing.
//! Errors: [`ConfigError`] for what is refused.   Allocates: the comments.
//! Proved by: `tests` in `client` and `server`.

use crate::error::{ConfigError, Dialect, Note, Source};
use crate::keywords::Keyword;
use crate::types::LogLevel;

/// What is known about one keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<K = Keyword> {
    /// The keyword.
    pub keyword: K,
    /// As it is written in the manual; case does not matter.
    pub name: &'static str,
    /// Other spellings, older ones mostly.
    pub aliases: &'static [&'static str],
    /// Kind of value: the name of the function in `value` that reads it.
    pub kind: &'static str,
    /// Every value counts, not only the first.
    pub repeats: bool,
    /// Where it may stand.
    pub scope: Scope,
    /// What it does here.
    pub status: Status,
}

/// Where a keyword may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Also within blocks that count for some connections.
    Everywhere,
    /// Outside of them.
    Global,
}

/// What a keyword does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// What the manual says.
    Honoured,
    /// Some of what the manual says: what.
    Partly(&'static str),
    /// Nothing, and nothing is lost by it: why.
    WithoutEffect(&'static str),
    /// Nothing yet; the user is warned unless the value asks for nothing.
    Missing {
        /// Values that ask for nothing.
        off: &'static [&'static str],
        /// What is missing.
        why: &'static str,
    },
    /// Doing without would change security or where data goes, so the program ends.
    Refused {
        /// Values that ask for nothing.
        off: &'static [&'static str],
        /// What is missing.
        why: &'static str,
    },
    /// Structure of a file; not for the command line.
    FilesOnly(&'static str),
    /// Of former times; OpenSSH ignores it too.
    Deprecated,
}

impl<K> Row<K> {
    /// Whether this is one of its names.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        std::iter::once(&self.name)
            .chain(self.aliases)
            .any(|known| known.eq_ignore_ascii_case(name))
    }

    /// What a keyword that is not honoured means for the user who said `value`.
    pub(crate) fn comment(
        &self,
        value: &str,
        source: &Source<'_>,
        dialect: Dialect,
    ) -> Result<Option<Note>, ConfigError> {
        let name = self.name;
        let asks = |off: &[&str]| !off.iter().any(|off| off.eq_ignore_ascii_case(value));
        let (level, text) = match self.status {
            Status::WithoutEffect(why) => {
                (LogLevel::Verbose, format!("{source}: {name} has no effect: {why}"))
            }
            Status::Missing { off, why } if asks(off) => {
                (LogLevel::Info, format!("Warning: {source}: {name} \"{value}\": {why}"))
            }
            Status::Refused { off, why } if asks(off) => {
                return Err(ConfigError::value(&format!("{name} \"{value}\": {why}"), source));
            }
            Status::Deprecated => dialect.deprecated(name, source),
            Status::Honoured
            | Status::Partly(_)
            | Status::Missing { .. }
            | Status::Refused { .. }
            | Status::FilesOnly(_) => return Ok(None),
        };
        Ok(Some(Note { level, text }))
    }
}

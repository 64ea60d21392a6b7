//! One line of a configuration: its words are read by the row of its keyword, and commented on. ssh_config(5).
//! Touches: strings.   Never: which of several values counts.
//! Invariants: a line is read whole, or it is an error.
//! Errors: [`ConfigError`], in the words of ssh or sshd.   Allocates: the words and notes.
//! Proved by: `tests` in `client` and `server`.

use crate::algorithms::Algorithms;
use crate::error::{ConfigError, Dialect, Note, Source};
use crate::row::{Row, Status};
use crate::types::LogLevel;
use crate::value::{Input, ValueError};
use crate::words;

/// The value of a keyword, where it was said.
pub(crate) struct Line<'a> {
    /// The keyword as messages have it.
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
    /// As it was written.
    pub(crate) value: &'a str,
    pub(crate) source: &'a Source<'a>,
    pub(crate) algorithms: &'static Algorithms,
    pub(crate) dialect: Dialect,
}

/// The words of a value that must be there.
pub(crate) fn split(
    name: &str,
    value: &str,
    source: &Source<'_>,
) -> Result<Vec<String>, ConfigError> {
    if value.is_empty() {
        let text = format!("no argument after keyword \"{name}\"");
        return Err(ConfigError::value(&text, source));
    }
    words::split(value).map_err(|_| ConfigError::value("invalid quotes", source))
}

impl Line<'_> {
    /// Has `store` read the words; what is worth saying about it comes back.
    pub(crate) fn take<K>(
        self,
        row: &Row<K>,
        store: impl FnOnce(&mut Input<'_>) -> Result<(), ValueError>,
    ) -> Result<Vec<Note>, ConfigError> {
        let Self { name, words, value, source, algorithms, dialect } = self;
        if let Status::FilesOnly(name) = row.status {
            let text = format!("{name} directive not supported as a command-line option");
            return Err(ConfigError::Value(text));
        }
        let said = words.join(" ");
        let words = words.into_iter();
        let mut input =
            Input { keyword: name, words, line: value, algorithms, dialect, skipped: vec![] };
        store(&mut input).map_err(|error| ConfigError::value(&error.0, source))?;
        if input.words.next().is_some() {
            let text = format!("keyword {} extra arguments at end of line", input.keyword);
            return Err(ConfigError::value(&text, source));
        }
        let skipped = input.skipped.iter().map(|algorithm| Note {
            level: LogLevel::Verbose,
            text: format!("{source}: {} {algorithm} is not available here", row.name),
        });
        let mut notes: Vec<Note> = skipped.collect();
        notes.extend(row.comment(&said, source, dialect)?);
        Ok(notes)
    }
}

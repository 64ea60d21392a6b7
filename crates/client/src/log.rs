//! The log: what the user is told, in ssh's words and at ssh's levels.
//! Touches: stderr or the file of `-E`.   Never: stdout, which belongs to what is carried.
//! Invariants: text of the peer's is stripped of control characters before it is written.
//! Errors: none; there is nowhere to report a log that cannot be written.   Allocates: a line at a time.
//! Proved by: `tests` below.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Mutex, OnceLock};

/// How much is said (`LogLevel`, `-q`, `-v`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing.
    Quiet,
    /// What ends the program.
    Fatal,
    /// What failed.
    Error,
    /// What a user should know.
    Info,
    /// What a user asked to know.
    Verbose,
    /// `-v`
    Debug1,
    /// `-vv`
    Debug2,
    /// `-vvv`
    Debug3,
}

impl Level {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Debug1 => "debug1: ",
            Self::Debug2 => "debug2: ",
            Self::Debug3 => "debug3: ",
            _ => "",
        }
    }
}

/// Where messages go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// The usual.
    Stderr,
    /// `-E`
    File(File),
}

impl Sink {
    fn write(&mut self, line: &str) -> io::Result<()> {
        match self {
            // One call, so that lines of several processes do not mix.
            Self::Stderr => io::stderr().write_all(line.as_bytes()),
            Self::File(file) => file.write_all(line.as_bytes()),
        }
    }
}

struct Log {
    level: Level,
    sink: Sink,
}

static LOG: OnceLock<Mutex<Log>> = OnceLock::new();

/// Sets level and file, once, at the start.
pub(crate) fn start(level: Level, sink: Sink) {
    let _ = LOG.set(Mutex::new(Log { level, sink }));
}

/// Writes one message if the level asks for it. Use the macros.
pub(crate) fn write(level: Level, message: fmt::Arguments<'_>) {
    let Some(Ok(mut log)) = LOG.get().map(Mutex::lock) else {
        let _ = writeln!(io::stderr(), "{message}");
        return;
    };
    if level > log.level {
        return;
    }
    let line = format!("{}{message}\n", level.prefix());
    let _ = log.sink.write(&line);
}

/// Whether a level is written, for messages that cost something to make.
pub(crate) fn enabled(level: Level) -> bool {
    LOG.get().and_then(|log| log.lock().ok()).is_none_or(|log| level <= log.level)
}

/// Says why the program ends.
macro_rules! fatal {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Fatal, format_args!($($arg)*)) };
}
/// Says what failed.
macro_rules! error {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Error, format_args!($($arg)*)) };
}
/// Says what a user should know; `-q` silences it.
macro_rules! info {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Info, format_args!($($arg)*)) };
}
/// Says what `LogLevel VERBOSE` asks for.
macro_rules! verbose {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Verbose, format_args!($($arg)*)) };
}
/// Says what `-v` asks for.
macro_rules! debug {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Debug1, format_args!($($arg)*)) };
}
pub(crate) use {debug, error, fatal, info, verbose};

/// Text of the peer's for people: control characters and broken UTF-8 show as octal escapes, as ssh prints them.
pub(crate) fn sanitized(text: &[u8]) -> String {
    escaped(text, false)
}

/// The same, with line ends and tabs left in, for banners.
pub(crate) fn sanitized_lines(text: &[u8]) -> String {
    escaped(text, true)
}

fn escaped(text: &[u8], lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' | '\t' if lines => out.push(c),
                '\r' if lines => {}
                c if c.is_control() => escape(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        escape(&mut out, chunk.invalid());
    }
    out
}

fn escape(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\{byte:03o}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_the_peer_do_not_reach_the_terminal() {
        assert_eq!(sanitized(b"a\x1b[31mb\r\n\xff\xc3\xa9"), "a\\033[31mb\\015\\012\\377\u{e9}");
        assert_eq!(sanitized("\u{9b}2J".as_bytes()), "\\302\\2332J");
        assert_eq!(sanitized_lines(b"one\r\ntwo\x07"), "one\ntwo\\007");
    }
}

//! The log: one line for everything that happened, in sshd's words or as JSON, wherever it is to go.
//! Touches: stderr, the file of `-E`, the system log, the wall clock.   Never: stdout; what is carried.
//! Invariants: a line is one write; no lock is held while it is made; nothing of a peer's reaches it unescaped.
//! Errors: opening a destination; a line that cannot be written is lost.   Allocates: a line at a time, none when it is off.
//! Proved by: `tests`, and those of `event`, `line` and `time`.

mod event;
mod line;
#[cfg(test)]
mod tests;
mod time;
mod words;

pub(crate) use self::{
    event::{Certificate, Close, Endpoint, Event, Forward, Key, Peer, Session, User},
    line::Format,
};
pub(crate) use adit_config::types::{LogLevel, SyslogFacility};

use crate::keeper::Link;
use crate::syslog::Syslog;
use line::{Field, Row};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use time::Utc;

/// The name in front of every line.
pub(crate) const PROGRAM: &str = "aditd";

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// `-e`, `-d`
    Stderr,
    /// `-E`
    File(PathBuf),
    /// What a daemon does unless told otherwise.
    Syslog(SyslogFacility),
}

/// A handle to the log. Clones write to the same place.
#[derive(Clone)]
pub(crate) struct Log {
    shared: Arc<Shared>,
    /// Instead of everybody's: LogLevel in a Match block.
    level: Option<LogLevel>,
}

struct Shared {
    level: AtomicU8,
    json: AtomicBool,
    sink: RwLock<Arc<Sink>>,
}

/// One line each for what happened, and for what there is to say.
impl Log {
    /// Writes what happened, if its level is written.
    pub(crate) fn event(&self, event: &Event<'_>) {
        event.tell(self);
    }

    /// Says why the program ends.
    pub(crate) fn fatal(&self, words: fmt::Arguments<'_>) {
        self.say(LogLevel::Fatal, words);
    }

    /// Says what failed.
    pub(crate) fn error(&self, words: fmt::Arguments<'_>) {
        self.say(LogLevel::Error, words);
    }

    /// Says what the administrator should know.
    pub(crate) fn info(&self, words: fmt::Arguments<'_>) {
        self.say(LogLevel::Info, words);
    }

    /// Says what helps to find out why.
    pub(crate) fn debug(&self, words: fmt::Arguments<'_>) {
        self.say(LogLevel::Debug1, words);
    }

    /// Says it at any level.
    pub(crate) fn say(&self, level: LogLevel, words: fmt::Arguments<'_>) {
        self.row("message", level, words, &[], &[]);
    }

    /// Whether a level is written, for what costs something to find out.
    pub(crate) fn enabled(&self, level: LogLevel) -> bool {
        let most = match self.level {
            Some(own) => own as u8,
            None => self.shared.level.load(Ordering::Relaxed),
        };
        level as u8 <= most
    }

    fn row(
        &self,
        event: &'static str,
        level: LogLevel,
        words: fmt::Arguments<'_>,
        said: &[Field<'_>],
        more: &[Field<'_>],
    ) {
        if self.enabled(level) {
            let sink = self.shared.sink.read().unwrap_or_else(PoisonError::into_inner).clone();
            let row = Row { event, level, words, said, more };
            sink.write(&row, self.shared.json.load(Ordering::Relaxed));
        }
    }
}

/// What the configuration says of it.
impl Log {
    /// Opens a destination. Where there is no system log, lines go to stderr, and the first says so.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(
        destination: &Destination,
        level: LogLevel,
        format: Format,
    ) -> io::Result<Self> {
        let (sink, missing) = Sink::open(destination)?;
        let log = Self::to(sink, level, format);
        if let Some(error) = missing {
            log.info(format_args!("no system log ({error}); writing to stderr"));
        }
        Ok(log)
    }

    /// A log that the keeper writes.
    pub(crate) fn through(keeper: Arc<Link>, level: LogLevel, format: Format) -> Self {
        Self::to(Sink::Keeper(keeper), level, format)
    }

    /// Writes a line of the other process, made by [`Log::through`]; what could be mistaken for another line is not.
    pub(crate) fn relay(&self, level: u8, line: &str) {
        let Some(level) = LEVELS.into_iter().find(|each| *each as u8 == level) else { return };
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let sink = self.shared.sink.read().unwrap_or_else(PoisonError::into_inner).clone();
        sink.relay(level, &line, self.shared.json.load(Ordering::Relaxed));
    }

    /// Nowhere: for whoever needs a log and has nothing to say.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self::to(Sink::Nowhere, LogLevel::Quiet, Format::Text)
    }

    fn to(sink: Sink, level: LogLevel, format: Format) -> Self {
        let shared = Shared {
            level: AtomicU8::new(level as u8),
            json: AtomicBool::new(format == Format::Json),
            sink: RwLock::new(Arc::new(sink)),
        };
        Self { shared: Arc::new(shared), level: None }
    }

    /// LogLevel and LogFormat from now on, for every handle that has no level of its own.
    pub(crate) fn configure(&self, level: LogLevel, format: Format) {
        self.shared.level.store(level as u8, Ordering::Relaxed);
        self.shared.json.store(format == Format::Json, Ordering::Relaxed);
    }

    /// Opens the destination anew: a file that was rotated away, another facility.
    ///
    /// # Errors
    /// When the file cannot be opened; lines go where they went.
    pub(crate) fn reopen(&self, destination: &Destination) -> io::Result<()> {
        let (sink, missing) = Sink::open(destination)?;
        if missing.is_some() {
            return missing.map_or(Ok(()), Err);
        }
        *self.shared.sink.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sink);
        Ok(())
    }

    /// A handle with a level of its own: LogLevel in a Match block.
    pub(crate) fn with_level(&self, level: LogLevel) -> Self {
        Self { shared: self.shared.clone(), level: Some(level) }
    }
}

/// Those a line can have.
const LEVELS: [LogLevel; 7] = [
    LogLevel::Fatal,
    LogLevel::Error,
    LogLevel::Info,
    LogLevel::Verbose,
    LogLevel::Debug1,
    LogLevel::Debug2,
    LogLevel::Debug3,
];

enum Sink {
    Keeper(Arc<Link>),
    Stderr,
    File(File),
    Syslog(Syslog),
    #[cfg(test)]
    Nowhere,
    #[cfg(test)]
    Memory(Arc<std::sync::Mutex<Vec<u8>>>),
}

impl Sink {
    /// Also says what was missing, if it is not what was asked for.
    fn open(destination: &Destination) -> io::Result<(Self, Option<io::Error>)> {
        match destination {
            Destination::Stderr => Ok((Self::Stderr, None)),
            Destination::File(path) => {
                // Whoever may read it is for the administrator to widen.
                let mut options = OpenOptions::new();
                let file = options.append(true).create(true).mode(0o600).open(path)?;
                Ok((Self::File(file), None))
            }
            Destination::Syslog(facility) => match Syslog::open(*facility) {
                Ok(syslog) => Ok((Self::Syslog(syslog), None)),
                Err(error) => Ok((Self::Stderr, Some(error))),
            },
        }
    }

    fn write(&self, row: &Row<'_>, json: bool) {
        let mut line = String::with_capacity(256);
        self.head(&mut line, row.level, json);
        if json {
            row.json(&mut line, Utc::of(SystemTime::now()));
        } else {
            row.text(&mut line);
        }
        match self {
            Self::Keeper(keeper) => keeper.log(row.level, &line),
            // There is nowhere to report a log that cannot be written.
            _ => drop(self.send(line)),
        }
    }

    /// The same for a row that another process made a line of.
    fn relay(&self, level: LogLevel, row: &str, json: bool) {
        let mut line = String::with_capacity(256);
        self.head(&mut line, level, json);
        line.push_str(row);
        let _ = self.send(line);
    }

    /// What stands before a row, which depends on where it goes.
    fn head(&self, line: &mut String, level: LogLevel, json: bool) {
        match (self, json) {
            (Self::Keeper(_), _) => {}
            (Self::Syslog(syslog), true) => syslog.head(line, level),
            (_, true) => {}
            (_, false) => self.text_head(line, level),
        }
    }

    /// stderr has readers that add the time, and is written as sshd writes it; a file has none.
    fn text_head(&self, line: &mut String, level: LogLevel) {
        match self {
            Self::Syslog(syslog) => syslog.head(line, level),
            Self::File(_) => {
                let now = Utc::of(SystemTime::now());
                line.push_str(&format!("{now} {PROGRAM}[{}]: ", std::process::id()));
            }
            _ => {}
        }
        line.push_str(prefix(level, matches!(self, Self::Syslog(_) | Self::File(_))));
    }

    fn send(&self, mut line: String) -> io::Result<()> {
        if let Self::Syslog(syslog) = self {
            syslog.send(&line);
            return Ok(());
        }
        line.push('\n');
        match self {
            Self::Stderr => io::stderr().write_all(line.as_bytes()),
            Self::File(file) => (&*file).write_all(line.as_bytes()),
            #[cfg(test)]
            Self::Memory(lines) => lines.lock().unwrap().write_all(line.as_bytes()),
            Self::Syslog(_) | Self::Keeper(_) => Ok(()),
            #[cfg(test)]
            Self::Nowhere => Ok(()),
        }
    }
}

/// In front of a line's words, as sshd has it; a terminal's reader sees what failed without.
const fn prefix(level: LogLevel, named: bool) -> &'static str {
    match level {
        LogLevel::Fatal if named => "fatal: ",
        LogLevel::Error if named => "error: ",
        LogLevel::Debug1 => "debug1: ",
        LogLevel::Debug2 => "debug2: ",
        LogLevel::Debug3 => "debug3: ",
        _ => "",
    }
}

/// What a log in memory took.
#[cfg(test)]
pub(crate) struct Captured(Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap();
        std::str::from_utf8(&bytes).unwrap().lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
impl Log {
    /// A log in memory, written as to stderr.
    pub(crate) fn captured(level: LogLevel, format: Format) -> (Self, Captured) {
        let lines = Arc::default();
        (Self::to(Sink::Memory(Arc::clone(&lines)), level, format), Captured(lines))
    }
}

//! known_hosts: which key a host showed before, and whether the one it shows now is that. sshd(8).
//! Touches: the files named by UserKnownHostsFile and GlobalKnownHostsFile.   Never: a decision to connect.
//! Invariants: a revoked key is never called known; a file that breaks off while it is read is an error, never a shorter file.
//! Errors: `ReadError`; lines that cannot be believed are listed, not fatal.   Allocates: the lines about one host; one line of at most 2 MiB.
//! Proved by: `tests` below, fuzz `known_hosts_line`; `write` against ssh-keygen.

mod line;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

pub use line::{Hosts, Line, LineError, Marker, Names};
pub use write::{Added, AppendError, Changes, RewriteError, append, remove, replace};

use crate::bounded::{Bounded, MAX_LIST};
use crate::host::HostName;
use crate::public::key_type;

/// Longer lines are passed over, so that a file cannot fill memory.
const MAX_LINE: usize = 2 << 20;

/// What is not ours to read, or no list at all. Anything else that keeps a file shut may hide what it revokes.
const NO_LIST: [io::ErrorKind; 3] =
    [io::ErrorKind::PermissionDenied, io::ErrorKind::IsADirectory, io::ErrorKind::NotADirectory];

/// All that the files say about one host.
#[derive(Debug)]
pub struct KnownHosts {
    host: HostName,
    entries: Vec<Entry>,
    skipped: Vec<Skipped>,
}

/// A line about the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// Marker of the line.
    pub marker: Option<Marker>,
    /// The key as it goes over the wire.
    pub key: Vec<u8>,
    /// Whether the line is about this host and no other.
    pub only_this_host: bool,
}

/// A line of a file, shown as `file:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the caller named it.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

/// A line, or with line 0 a whole file, that was passed over.
#[derive(Debug)]
pub struct Skipped {
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: SkipReason,
}

/// Why a line or file was passed over.
#[derive(Debug)]
#[non_exhaustive]
pub enum SkipReason {
    /// The line cannot be believed.
    Line(LineError),
    /// The file is not ours to read, or none. One that does not exist is not mentioned.
    Open(io::Error),
}

/// A file could not be opened, though it is there, or broke off while it was being read: what it says about revoked keys is not known.
#[derive(Debug)]
pub struct ReadError {
    /// The file, as the caller named it.
    pub file: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// What known_hosts says about a key a host shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// The host's key, or a certificate signed by an authority for this host.
    Known(&'a Entry),
    /// The host is known under other keys only, of this type or another; the last of them.
    Changed(&'a Entry),
    /// Nothing is known about the host, or for a certificate nothing about its authority.
    Unknown,
    /// The key, or the authority that signed it, is marked `@revoked`.
    Revoked(&'a Entry),
}

impl KnownHosts {
    /// Starts with nothing known about `host`.
    pub const fn new(host: HostName) -> Self {
        Self { host, entries: Vec::new(), skipped: Vec::new() }
    }

    /// Reads what `files` say about `host`, in their order.
    ///
    /// # Errors
    /// [`ReadError`] when a file cannot be read to its end.
    pub fn load<P: AsRef<Path>>(
        host: HostName,
        files: impl IntoIterator<Item = P>,
    ) -> Result<Self, ReadError> {
        let mut known = Self::new(host);
        for file in files {
            known.read_file(file.as_ref())?;
        }
        Ok(known)
    }

    fn read_file(&mut self, file: &Path) -> Result<(), ReadError> {
        match open(file) {
            Ok(Some(mut lines)) => self.read(file, &mut lines),
            Ok(None) => Ok(()),
            Err(error) if NO_LIST.contains(&error.kind()) => {
                let place = Place { file: file.to_owned(), line: 0 };
                self.skipped.push(Skipped { place, reason: SkipReason::Open(error) });
                Ok(())
            }
            Err(error) => Err(ReadError { file: file.to_owned(), error }),
        }
    }

    /// Reads lines from elsewhere, such as the output of KnownHostsCommand; `file` is their name in messages.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&mut self, file: &Path, lines: &mut dyn BufRead) -> Result<(), ReadError> {
        let Self { host, entries, skipped } = self;
        for_each_line(file, lines, &mut |place, line| match entry(host, &place, line) {
            Ok(found) => entries.extend(found),
            Err(error) => skipped.push(Skipped { place, reason: SkipReason::Line(error) }),
        })
    }

    /// The host all this is about.
    pub const fn host(&self) -> &HostName {
        &self.host
    }

    /// Every line about the host, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What was passed over, for debug messages.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Judges a plain host key.
    pub fn check(&self, key: &[u8]) -> Verdict<'_> {
        if let Some(entry) = self.revoked(key) {
            return Verdict::Revoked(entry);
        }
        let mut plain = self.entries.iter().filter(|entry| entry.marker.is_none());
        match plain.clone().find(|entry| entry.key == key) {
            Some(entry) => Verdict::Known(entry),
            None => plain.next_back().map_or(Verdict::Unknown, Verdict::Changed),
        }
    }

    /// Judges the `authority` that signed a host certificate for `key`, the plain key inside.
    ///
    /// `Known` says no more than that: dates, principals and options are `certificate`'s to check.
    pub fn check_authority(&self, authority: &[u8], key: &[u8]) -> Verdict<'_> {
        if let Some(entry) = self.revoked(key).or_else(|| self.revoked(authority)) {
            return Verdict::Revoked(entry);
        }
        let mut trusted = self.marked(Marker::CertAuthority);
        trusted.find(|entry| entry.key == authority).map_or(Verdict::Unknown, Verdict::Known)
    }

    fn revoked(&self, key: &[u8]) -> Option<&Entry> {
        self.marked(Marker::Revoked).find(|entry| entry.key == key)
    }

    fn marked(&self, marker: Marker) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.marker == Some(marker))
    }

    /// Types of the keys known for the host, which belong in front of HostKeyAlgorithms.
    pub fn key_types(&self) -> Vec<&str> {
        let plain = self.entries.iter().filter(|entry| entry.marker.is_none());
        let mut types = Vec::new();
        for name in plain.filter_map(|entry| key_type(&entry.key)) {
            if !types.contains(&name) {
                types.push(name);
            }
        }
        types
    }

    /// Whether certificates could be of use: some authority is trusted for the host.
    pub fn has_authority(&self) -> bool {
        self.marked(Marker::CertAuthority).next().is_some()
    }
}

fn entry(host: &HostName, place: &Place, line: &[u8]) -> Result<Option<Entry>, LineError> {
    let Some(line) = checked(line)?.filter(|line| line.hosts.matches(host)) else {
        return Ok(None);
    };
    Ok(Some(Entry {
        place: place.clone(),
        marker: line.marker,
        key: line.key()?,
        only_this_host: line.hosts.is_only(host),
    }))
}

fn checked(line: &[u8]) -> Result<Option<Line<'_>>, LineError> {
    if line.len() > MAX_LINE { Err(LineError::TooLong) } else { Line::parse(line) }
}

/// Another name under which a key is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherName {
    /// Where.
    pub place: Place,
    /// The hosts as the line has them; `None` when they are hashed.
    pub hosts: Option<String>,
}

/// Finds the plain lines that hold `key`, whatever host they name: "known by the following other names".
///
/// # Errors
/// [`ReadError`].
pub fn other_names<P: AsRef<Path>>(
    key: &[u8],
    files: impl IntoIterator<Item = P>,
) -> Result<Vec<OtherName>, ReadError> {
    let wanted = crate::public::encode(key);
    let wanted = wanted.rsplit(' ').next().unwrap_or_default();
    let mut names = Vec::new();
    for file in files {
        let file = file.as_ref();
        // A file that cannot be opened names nobody.
        let Ok(Some(mut lines)) = open(file) else { continue };
        for_each_line(file, &mut lines, &mut |place, line| {
            if let Ok(Some(line)) = checked(line) {
                names.extend(line.names(wanted).map(|hosts| OtherName { place, hosts }));
            }
        })?;
    }
    Ok(names)
}

fn open(file: &Path) -> io::Result<Option<BufReader<Bounded<File>>>> {
    match File::open(file) {
        Ok(opened) if opened.metadata()?.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(opened) => Ok(Some(BufReader::new(Bounded::new(opened, MAX_LIST)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives every line with its place; of an overlong one only the beginning, itself too long.
fn for_each_line(
    file: &Path,
    lines: &mut dyn BufRead,
    visit: &mut dyn FnMut(Place, &[u8]),
) -> Result<(), ReadError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let failed = |error| ReadError { file: file.to_owned(), error };
        if read_line(lines, &mut line).map_err(failed)? == 0 {
            break;
        }
        visit(Place { file: file.to_owned(), line: number }, &line);
    }
    Ok(())
}

/// Reads up to and with the line end; what exceeds the longest line by more than a byte is thrown away.
fn read_line(lines: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    let read = lines.take(MAX_LINE as u64 + 1).read_until(b'\n', line)?;
    if read > MAX_LINE && line.last() != Some(&b'\n') {
        lines.skip_until(b'\n')?;
    }
    Ok(read)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(error) => error.fmt(f),
            Self::Open(error) => f.write_str(&crate::os_text(error)),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Read from {} failed: {}", self.file.display(), crate::os_text(&self.error))
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

//! Writing known_hosts: one more line, or a whole new file in place of the old. sshd(8), ssh_config(5) UpdateHostKeys.
//! Touches: the file, `<file>.old`, a temporary beside it, the directory when it is missing.   Never: other files.
//! Invariants: lines are whole, whoever else writes and wherever we die: an append is one write, a rewrite one rename.
//! Errors: `AppendError`, `RewriteError`.   Allocates: the new lines; on a rewrite one old line at a time.
//! Proved by: `tests` below, against ssh-keygen and with several writers at once.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::line::{self, Line, Names};
use crate::bounded::{Bounded, MAX_LIST};
use crate::host::HostName;

/// What an [`append`] did besides adding lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// The directory that had to be made for the file.
    pub created_directory: Option<PathBuf>,
}

/// The host could not be added; everything goes on without it.
#[derive(Debug)]
pub struct AppendError {
    /// The file.
    pub file: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// The file stays as it was.
#[derive(Debug)]
pub struct RewriteError {
    /// The file.
    pub file: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// Adds a line for each of `hosts` to the end of `file`.
///
/// File and directory are made when missing, for the user alone.
///
/// # Errors
/// [`AppendError`]; then the file has no new line, nor a part of one.
pub fn append(
    file: &Path,
    hosts: &[HostName],
    key: &[u8],
    mut names: Names<'_>,
) -> Result<Added, AppendError> {
    let mut lines = String::new();
    for host in hosts {
        lines += &line::encode(host, key, &mut names);
    }
    append_text(file, &lines).map_err(|error| AppendError { file: file.to_owned(), error })
}

fn append_text(file: &Path, lines: &str) -> io::Result<Added> {
    let created_directory = create_directory(file)?;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let opened = open_locked(file, &options)?;
    let before = opened.metadata()?;
    let text = if before.is_file() && lacks_line_end(&opened, before.len())? {
        format!("\n{lines}")
    } else {
        lines.to_owned()
    };
    write_whole(&opened, text.as_bytes(), before.len())?;
    Ok(Added { created_directory })
}

/// Makes the directory the file belongs into, but not those above it.
fn create_directory(file: &Path) -> io::Result<Option<PathBuf>> {
    let Some(directory) = file.parent().filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(None);
    };
    if directory.exists() {
        return Ok(None);
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => Ok(Some(directory.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens the file and keeps other adits from it until it is closed.
///
/// A rewrite puts another file in its place; whoever waited for the old one starts again.
fn open_locked(file: &Path, options: &OpenOptions) -> io::Result<File> {
    loop {
        let opened = options.open(file)?;
        let ours = opened.metadata()?;
        if !ours.is_file() || flock(&opened, FlockOperation::LockExclusive).is_err() {
            // Devices need no lock; a file system without locks has to do without.
            return Ok(opened);
        }
        match fs::metadata(file) {
            Ok(now) if (now.dev(), now.ino()) == (ours.dev(), ours.ino()) => return Ok(opened),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

fn lacks_line_end(file: &File, length: u64) -> io::Result<bool> {
    let mut last = [b'\n'];
    match length.checked_sub(1) {
        Some(at) => file.read_at(&mut last, at).map(|_| last != [b'\n']),
        None => Ok(false),
    }
}

/// Writes all or nothing: what a full disk took of the line is cut off again.
fn write_whole(mut file: &File, text: &[u8], length: u64) -> io::Result<()> {
    let written = loop {
        match file.write(text) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    if written == text.len() {
        return Ok(());
    }
    // Unless another program has appended behind it since; readers pass a cut line over.
    if file.metadata()?.len() == length + written as u64 {
        file.set_len(length)?;
    }
    Err(io::ErrorKind::StorageFull.into())
}

/// How many lines a [`replace`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New lines.
    pub added: usize,
    /// Lines that are gone.
    pub removed: usize,
}

/// Makes `keys` the keys of `hosts` in `file`: missing ones are added, others removed.
///
/// Lines with a marker, lines shared with other hosts and lines that cannot be read stay. The file
/// before the change is kept as `<file>.old`.
///
/// # Errors
/// [`RewriteError`].
pub fn replace(
    file: &Path,
    hosts: &[HostName],
    keys: &[&[u8]],
    names: Names<'_>,
) -> Result<Changes, RewriteError> {
    rewrite(file, hosts, keys, names).map_err(|error| RewriteError { file: file.to_owned(), error })
}

/// Removes the lines that are about `hosts` alone; gives their number.
///
/// # Errors
/// [`RewriteError`].
pub fn remove(file: &Path, hosts: &[HostName]) -> Result<usize, RewriteError> {
    replace(file, hosts, &[], Names::Plain).map(|changes| changes.removed)
}

fn rewrite(
    file: &Path,
    hosts: &[HostName],
    keys: &[&[u8]],
    names: Names<'_>,
) -> io::Result<Changes> {
    // A link is kept: the file it points to is the one replaced.
    let file = &fs::canonicalize(file)?;
    let old = open_locked(file, OpenOptions::new().read(true))?;
    let (temporary, new) = create_temporary(file, &old)?;
    let changes = write_new(&old, &new, hosts, keys, names).and_then(|changes| {
        if changes != Changes::default() {
            new.sync_all()?;
            keep_old(file)?;
            fs::rename(&temporary, file)?;
        }
        Ok(changes)
    });
    if !matches!(changes, Ok(changed) if changed != Changes::default()) {
        // Only a stray temporary is left if this fails as well.
        let _ = fs::remove_file(&temporary);
    }
    changes
}

fn write_new(
    old: &File,
    new: &File,
    hosts: &[HostName],
    keys: &[&[u8]],
    mut names: Names<'_>,
) -> io::Result<Changes> {
    let mut missing: Vec<(&HostName, &[u8])> =
        hosts.iter().flat_map(|host| keys.iter().map(move |key| (host, *key))).collect();
    let mut changes = Changes::default();
    let mut old = BufReader::new(Bounded::new(old, MAX_LIST));
    let mut new = BufWriter::new(new);
    let mut line = Vec::new();
    while old.read_until(b'\n', &mut line)? > 0 {
        if stays(&line, hosts, keys, &mut missing) {
            if line.last() != Some(&b'\n') {
                line.push(b'\n');
            }
            new.write_all(&line)?;
        } else {
            changes.removed += 1;
        }
        line.clear();
    }
    for (host, key) in missing {
        new.write_all(line::encode(host, key, &mut names).as_bytes())?;
        changes.added += 1;
    }
    new.flush()?;
    Ok(changes)
}

/// Whether an old line is kept; what it says already is not missing any more.
fn stays(
    line: &[u8],
    hosts: &[HostName],
    keys: &[&[u8]],
    missing: &mut Vec<(&HostName, &[u8])>,
) -> bool {
    let Ok(Some(line)) = Line::parse(line) else { return true };
    let Ok(key) = line.key() else { return true };
    if line.marker.is_some() {
        return true;
    }
    missing.retain(|(host, wanted)| !(*wanted == key && line.hosts.matches(host)));
    keys.contains(&key.as_slice()) || !hosts.iter().any(|host| line.hosts.is_only(host))
}

/// A new file beside the old one, with its permissions.
fn create_temporary(file: &Path, old: &File) -> io::Result<(PathBuf, File)> {
    let permissions = old.metadata()?.permissions();
    for attempt in 0_u32.. {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{}.{attempt}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
            Ok(created) => {
                created.set_permissions(permissions)?;
                return Ok((name.into(), created));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Keeps the file as `<file>.old`; where there are no hard links, a copy of it.
fn keep_old(file: &Path) -> io::Result<()> {
    let mut backup = file.as_os_str().to_owned();
    backup.push(".old");
    match fs::remove_file(&backup) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::hard_link(file, &backup).or_else(|_| fs::copy(file, &backup).map(drop))
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        write!(f, "Failed to add the host to the list of known hosts ({file}).")
    }
}

impl fmt::Display for RewriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        write!(f, "update of {file} failed: {}", crate::os_text(&self.error))
    }
}

impl std::error::Error for AppendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl std::error::Error for RewriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

//! Where configuration files come from: a seam, so that tests and fuzzers need no disk.
//! Touches: files, through [`Disk`].   Never: what is in them.
//! Invariants: a pattern that matches nothing is an empty list, in the order of names otherwise.
//! Errors: [`io::Error`].   Allocates: the texts.
//! Proved by: `tests` in `server`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files by name.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// Those of the system.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// The files a pattern of the shell's names.
    ///
    /// # Errors
    /// When the pattern is none.
    fn matching(&self, pattern: &str) -> io::Result<Vec<PathBuf>>;
    /// The folder that relative names are in.
    fn current_folder(&self) -> PathBuf;
    /// The home directory of whoever runs this.
    fn home(&self) -> Option<PathBuf>;
}

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        let bytes = fs::read(path)?;
        // Names may be in an old encoding; what is not UTF-8 matches nothing.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn matching(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let paths = glob::glob_with(pattern, options)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        paths.map(|path| path.map_err(io::Error::from)).collect()
    }

    fn current_folder(&self) -> PathBuf {
        std::env::current_dir().unwrap_or_else(|_| "/".into())
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::var_os("HOME").filter(|home| !home.is_empty()).map(Into::into)
    }
}

/// `~` and relative names put right, as sshd does; `none` stays.
pub(super) fn absolute(name: &str, files: &dyn Files) -> String {
    if name.eq_ignore_ascii_case("none") {
        return name.into();
    }
    let path = tilde(name, files);
    files.current_folder().join(path).to_string_lossy().into_owned()
}

/// `~` and `~/x`; other users' homes are left as they are.
pub(super) fn tilde(name: &str, files: &dyn Files) -> String {
    match (name.strip_prefix('~'), files.home()) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            format!("{}{rest}", home.to_string_lossy().trim_end_matches('/'))
        }
        _ => name.into(),
    }
}

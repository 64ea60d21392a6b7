//! Where configuration files come from: a seam, so that tests and fuzzers need no disk.
//! Touches: files, through [`Disk`].   Never: what is in them.
//! Invariants: a pattern that matches nothing is an empty list, in the order of names otherwise.
//! Errors: [`io::Error`].   Allocates: the texts.
//! Proved by: `tests` in `server`.

use super::keywords::Stored;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Larger ones are refused: a device has no end.
const MAX_FILE: u64 = 16 << 20;

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
    /// The folder that relative names on the command line are in.
    fn current_folder(&self) -> PathBuf;
    /// The home directory of whoever runs this.
    fn home(&self) -> Option<PathBuf>;
}

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 MiB"));
        }
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

impl Stored {
    /// Puts names of files right: `~`, and relative ones, which are in `folder`.
    pub(super) fn complete_names(&mut self, files: &dyn Files, folder: &Path) {
        let singles = [
            &mut self.banner,
            &mut self.pid_file,
            &mut self.trusted_user_ca_keys,
            &mut self.users_file,
        ];
        let lists = [&mut self.host_keys, &mut self.host_certificates].into_iter().flatten();
        let lists = lists.chain(self.revoked_keys.iter_mut().flatten());
        for name in singles.into_iter().flatten().chain(lists) {
            *name = absolute(name, files, folder);
        }
        // Relative ones of these are in the home of whoever logs in.
        let lists = self.authorized_keys_files.iter_mut().flatten();
        for name in self.authorized_principals_file.iter_mut().chain(lists) {
            *name = tilde(name, files);
        }
    }
}

/// `~` and names relative to `folder` put right; `none` stays.
fn absolute(name: &str, files: &dyn Files, folder: &Path) -> String {
    if name.eq_ignore_ascii_case("none") {
        return name.into();
    }
    let path = tilde(name, files);
    folder.join(path).to_string_lossy().into_owned()
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

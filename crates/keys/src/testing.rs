//! What several tests need: recorded files, a directory of their own, the real tools.
//! Touches: `testdata`, the system's directory for temporary files.   Never: anything outside tests.
//! Invariants: a scratch directory is gone when its test is.
//! Errors: panics.   Allocates: as it likes.
//! Proved by: its users.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A recorded file or folder.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// A directory for one test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// `name` is the test's own.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("adit-keys-{}-{name}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A private copy of a recorded file.
    pub(crate) fn copy(&self, from: &str, to: &str) -> PathBuf {
        let path = self.0.join(to);
        fs::copy(testdata(from), &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs one of OpenSSH's tools; says so and gives nothing where it is not installed.
pub(crate) fn run(tool: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(tool).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: {tool} cannot be run: {error}");
            None
        }
    }
}

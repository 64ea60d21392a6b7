//! Newer OpenSSH and Dropbear out of a Debian root folder, without a container: nothing filters their system calls.
//! Touches: the archives that the interop tests' containers are made of, a folder beside them, `chroot`.   Never: this machine's own root.
//! Invariants: unpacked once and kept; what is put into it for a run goes with the run.
//! Errors: the reason why there is none.   Allocates: paths.
//! Proved by: running it.

use adit_interop_tests::container::cache_folder;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

/// Releases whose OpenSSH is 10 or newer, best first.
const RELEASES: [&str; 2] = ["sid", "trixie"];

/// A root folder.
#[derive(Clone, Debug)]
pub(crate) struct RootFolder {
    path: PathBuf,
}

impl RootFolder {
    /// Finds it, or unpacks it.
    pub(crate) fn find() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can start programs of another root folder".into());
        }
        let archive = RELEASES.iter().find_map(|release| archive(release));
        let archive =
            archive.ok_or("no archive of a newer Debian: `cargo xtask test` makes them")?;
        let path = archive.with_extension("root");
        if !path.join("usr/sbin/sshd").is_file() {
            unpack(&archive, &path)?;
        }
        // Privilege separation wants it; a service manager would have made it.
        fs::create_dir_all(path.join("run/sshd")).map_err(|error| error.to_string())?;
        Ok(Self { path })
    }

    /// A program of it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("chroot");
        command.arg(&self.path).arg(program).env("HOME", "/root");
        command
    }

    /// Where its files are, seen from outside.
    pub(crate) fn outside(&self, inside: &str) -> PathBuf {
        self.path.join(inside.trim_start_matches('/'))
    }

    /// A new folder in it for one server or client.
    pub(crate) fn scratch(&self) -> Result<Lodging, String> {
        let inside = format!("/tmp/bench-{}", process::id());
        let outside = self.outside(&inside);
        fs::create_dir_all(&outside).map_err(|error| format!("{}: {error}", outside.display()))?;
        Ok(Lodging { inside: inside.into(), outside })
    }
}

/// A folder in a root folder; gone when it goes.
#[derive(Debug)]
pub(crate) struct Lodging {
    pub(crate) inside: PathBuf,
    pub(crate) outside: PathBuf,
}

impl Drop for Lodging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.outside);
    }
}

/// `RELEASE-GENERATION.tar`
fn archive(release: &str) -> Option<PathBuf> {
    let files = fs::read_dir(cache_folder()).ok()?.flatten().map(|entry| entry.path());
    let mut fitting: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "tar"))
        .filter(|path| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            stem.split_once('-').is_some_and(|(name, _)| name == release)
        })
        .collect();
    fitting.sort();
    fitting.pop()
}

fn unpack(archive: &Path, path: &Path) -> Result<(), String> {
    println!("unpacking {}", archive.display());
    fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--file").arg(archive).arg("--directory").arg(path);
    crate::report::run(&mut tar).map_err(|reason| format!("tar: {reason}"))
}

//! The programs of a run, where they are and what version they say they are.
//! Touches: cargo, PATH, the newer root folder.   Never: a registry but through cargo.
//! Invariants: ours are release builds of this tree; who is missing is named once, aloud.
//! Errors: ours do not build; all others are left out with the reason.   Allocates: paths.
//! Proved by: running it.

use super::root_folder::RootFolder;
use crate::{
    cargo::{cargo, root, target_folder},
    report::run,
};
use adit_interop_tests::sshd;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) adit: PathBuf,
    /// The build for small devices, once somebody has wanted it.
    pub(crate) small_adit: Result<PathBuf, String>,
    pub(crate) aditd: PathBuf,
    pub(crate) ssh: Option<PathBuf>,
    pub(crate) sshd: Option<PathBuf>,
    /// With newer OpenSSH and Dropbear.
    pub(crate) root: Result<RootFolder, String>,
    pub(crate) russh: Result<PathBuf, String>,
}

impl Programs {
    /// Builds ours, and finds or builds the rivals that are wanted.
    pub(crate) fn find(with_rivals: bool) -> Result<Self, String> {
        run(&mut cargo(&["build", "--release", "--package", "adit", "--package", "aditd"]))?;
        let ours = |name: &str| target_folder().join("release").join(name);
        let unwanted = || "a short run leaves it out".to_owned();
        Ok(Self {
            adit: ours("adit"),
            small_adit: Err("nobody wanted it yet".into()),
            aditd: ours("aditd"),
            ssh: installed("ssh"),
            sshd: sshd::program(),
            root: if with_rivals { RootFolder::find() } else { Err(unwanted()) },
            russh: if with_rivals { build_russh() } else { Err(unwanted()) },
        })
    }

    /// Builds adit for small devices.
    pub(crate) fn build_small_adit(&mut self) {
        let features = ["--no-default-features", "--features", "constrained"];
        let mut build = cargo(&["build", "--profile", "constrained", "--package", "adit"]);
        let built = run(build.args(features));
        self.small_adit = built.map(|()| target_folder().join("constrained/adit"));
    }

    /// Name and version of everybody, for the report.
    pub(crate) fn versions(&self) -> Vec<[String; 2]> {
        let mut versions = Vec::new();
        let mut tell = |name: &str, mut command: Command| {
            if let Some(version) = version(&mut command) {
                versions.push([name.to_owned(), version]);
            }
        };
        tell("adit, aditd", with(&self.adit, "-V"));
        self.ssh.iter().for_each(|ssh| tell("ssh, sshd", with(ssh, "-V")));
        if let Ok(root) = &self.root {
            let of_root = |program, option| {
                let mut command = root.command(program);
                command.arg(option);
                command
            };
            tell("newer ssh, newer sshd", of_root("/usr/bin/ssh", "-V"));
            tell("dbclient, dropbear", of_root("/usr/bin/dbclient", "-V"));
        }
        if self.russh.is_ok() {
            versions.push(["russh".into(), russh_version()]);
        }
        versions
    }
}

fn with(program: &Path, option: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(option);
    command
}

/// The first line it says, to whichever stream.
fn version(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let line = String::from_utf8_lossy(&said).lines().next()?.trim().to_owned();
    Some(line)
}

pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(program)).find(|place| place.is_file())
}

const RUSSH: &str = "benches/russh-tunnel";

/// A workspace of its own, built when somebody wants it; cargo fetches what it needs.
fn build_russh() -> Result<PathBuf, String> {
    let folder = target_folder().join("russh-tunnel");
    println!("building {RUSSH}");
    let mut build = cargo(&["build", "--release", "--locked", "--quiet"]);
    build.current_dir(root().join(RUSSH)).env("CARGO_TARGET_DIR", &folder);
    run(&mut build).map_err(|reason| format!("{RUSSH} does not build: {reason}"))?;
    Ok(folder.join("release/russh-tunnel"))
}

fn russh_version() -> String {
    let lock = root().join(RUSSH).join("Cargo.lock");
    let text = std::fs::read_to_string(lock).unwrap_or_default();
    locked_version(&text, "russh").unwrap_or_default().to_owned()
}

/// The version that a lock file has of a package.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let after = lock.split(&format!("name = \"{package}\"\nversion = \"")).nth(1)?;
    after.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_tells_the_version() {
        let lock = "[[package]]\nname = \"russh-keys\"\nversion = \"9\"\n\n[[package]]\nname = \"russh\"\nversion = \"0.65.1\"\n";
        assert_eq!(locked_version(lock, "russh"), Some("0.65.1"));
        assert_eq!(locked_version(lock, "tokio"), None);
    }
}

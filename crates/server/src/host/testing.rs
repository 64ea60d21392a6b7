//! What several tests of the hosts need: recorded keys, a directory of their own, accounts.
//! Touches: the testdata of `adit-keys`, the system's directory for temporary files.   Never: anything outside tests.
//! Invariants: a scratch directory is gone when its test is.
//! Errors: panics.   Allocates: as it likes.
//! Proved by: its users.

use super::{Account, Origin, SystemAccount};
use adit_keys::public::PublicKeyLine;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A recorded file of `adit-keys`.
pub(super) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../keys/testdata").join(name)
}

/// The text of a recorded public key or certificate.
pub(super) fn public_line(name: &str) -> String {
    fs::read_to_string(testdata(&format!("{name}.pub"))).unwrap().trim().to_owned()
}

/// The blob in it.
pub(super) fn blob(name: &str) -> Vec<u8> {
    PublicKeyLine::parse(public_line(name).as_bytes()).unwrap().blob
}

/// A directory for one test.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// `name` is the test's own.
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("aditd-{}-{name}", std::process::id()));
        fs::DirBuilder::new().mode(0o755).create(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with this text and these permissions.
    pub(super) fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// An account whose home this is, with the rights of whoever runs the test.
    pub(super) fn account(&self, name: &str) -> Account {
        let system = SystemAccount {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            gids: Vec::new(),
            home: self.0.clone(),
            shell: "/bin/sh".into(),
        };
        Account { name: name.to_owned(), groups: Vec::new(), system: Some(system) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An account that nobody on this system has.
pub(super) fn stranger() -> SystemAccount {
    SystemAccount {
        uid: 61_234,
        gid: 61_234,
        gids: vec![61_234, 61_235],
        home: "/nonexistent".into(),
        shell: "/bin/sh".into(),
    }
}

pub(super) fn origin() -> Origin {
    Origin { address: "192.0.2.7".parse().unwrap(), host: None }
}

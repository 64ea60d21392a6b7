//! What several tests need of hosts: recorded keys, a directory of their own, accounts, a host made of values.
//! Touches: the testdata of `adit-keys`, the system's directory for temporary files.   Never: anything outside tests.
//! Invariants: a scratch directory is gone when its test is.
//! Errors: panics.   Allocates: as it likes.
//! Proved by: its users.

use super::{Account, Host, KeyRefusal, KeyRules, KeyVerdict, Origin, ShownKey, SystemAccount};
use adit_keys::authorized_keys::{Grants, KeyOptions};
use adit_keys::public::PublicKeyLine;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
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
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// `name` is the test's own.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("aditd-{}-{name}", std::process::id()));
        fs::DirBuilder::new().mode(0o755).create(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with this text and these permissions.
    pub(crate) fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// An account whose home this is, with the rights of whoever runs the test.
    pub(crate) fn account(&self, name: &str) -> Account {
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

/// A host without files: whoever it is told of lives in it.
#[derive(Default)]
pub(crate) struct House {
    accounts: Vec<Account>,
    keys: Vec<(String, Vec<u8>, Grants)>,
    flawed: Vec<(Vec<u8>, &'static str)>,
    password: Option<&'static str>,
}

impl House {
    pub(crate) fn with_account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// A key of a user's, with options as in authorized_keys.
    pub(crate) fn with_key(mut self, user: &str, blob: &[u8], options: &str) -> Self {
        let grants = Grants::of_options(&KeyOptions::parse(options).unwrap(), "file:1");
        self.keys.push((user.into(), blob.into(), grants));
        self
    }

    /// A key that would do, but for this.
    pub(crate) fn with_flawed_key(mut self, blob: &[u8], flaw: &'static str) -> Self {
        self.flawed.push((blob.into(), flaw));
        self
    }

    /// Everybody's password.
    pub(crate) fn with_password(self, password: &'static str) -> Self {
        Self { password: Some(password), ..self }
    }
}

fn nothing<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Host for House {
    fn account(&self, user: &str) -> io::Result<Option<Account>> {
        Ok(self.accounts.iter().find(|account| account.name == user).cloned())
    }
    fn admits(&self, _: &Account, _: bool) -> Result<(), String> {
        Ok(())
    }
    fn check_key(
        &self,
        account: &Account,
        key: &ShownKey<'_>,
        _: &Origin,
        _: &KeyRules,
    ) -> KeyVerdict {
        if let Some((_, flaw)) = self.flawed.iter().find(|(blob, _)| blob == key.blob) {
            return Err(KeyRefusal::Flawed((*flaw).into()));
        }
        let is_it = |(user, blob, _): &&(String, Vec<u8>, Grants)| {
            *user == account.name && blob == key.blob
        };
        let found = self.keys.iter().find(is_it).map(|(_, _, grants)| grants.clone());
        found.ok_or_else(|| KeyRefusal::Foreign("not an authorized key".into()))
    }
    fn has_passwords(&self) -> bool {
        self.password.is_some()
    }
    fn check_password(&self, account: Option<&Account>, password: &[u8], _: bool) -> bool {
        account.is_some() && self.password.is_some_and(|right| right.as_bytes() == password)
    }
    fn unlink_unix(&self, _: &Account, _: &str) -> io::Result<()> {
        nothing()
    }
    fn connect_unix(&self, _: &Account, _: &str) -> io::Result<UnixStream> {
        nothing()
    }
    fn listen_unix(&self, _: &Account, _: &str, _: u32, _: bool) -> io::Result<UnixListener> {
        nothing()
    }
    fn listen_tcp(&self, _: &Account, _: SocketAddr) -> io::Result<TcpListener> {
        nothing()
    }
}

/// An account with this number on the system, or that exists in the configuration only.
pub(crate) fn account_of(name: &str, uid: Option<u32>) -> Account {
    let system = uid.map(|uid| SystemAccount {
        uid,
        gid: uid,
        gids: vec![uid],
        home: std::env::temp_dir(),
        shell: "/bin/sh".into(),
    });
    Account { name: name.into(), groups: Vec::new(), system }
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

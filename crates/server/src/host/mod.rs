//! The host: everything that needs privilege, files or secrets goes through one narrow trait.
//! Touches: nothing itself; what stands behind it does.   Never: sockets of clients, packets.
//! Invariants: every function may block, so the loops ask on helper threads; answers are plain data and descriptors.
//! Errors: `io::Error` of the system; a refusal is an answer.   Allocates: its answers.
//! Proved by: `tests` in each module.
//!
//! It is the seam at which the network-facing process runs without host keys, files and privileges: the keeper has it.

mod authorized;
mod clock;
mod command;
pub(crate) mod gateway;
pub(crate) mod keys;
pub(crate) mod password;
mod rights;
pub(crate) mod root_login;
pub(crate) mod rules;
mod shadow;
mod signer;
mod sockets;
pub(crate) mod system;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod tokens;
pub(crate) mod user;
mod users_file;

pub(crate) use rules::KeyRules;

use crate::session::{Ends, Leader, Line, Plan, Terminal, TerminalWish};
use adit_keys::authorized_keys::Grants;
use rustix::process::Signal;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// Somebody who can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The name they log in under.
    pub(crate) name: String,
    /// Names of their groups, for Match and AllowGroups.
    pub(crate) groups: Vec<String>,
    /// What they are to the system; none for a user that exists in the configuration only.
    pub(crate) system: Option<SystemAccount>,
}

/// An account of the system's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SystemAccount {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Numbers of all their groups.
    pub(crate) gids: Vec<u32>,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
}

impl Account {
    /// Whether PermitRootLogin is about it.
    pub(crate) fn is_root(&self) -> bool {
        self.system.as_ref().is_some_and(|system| system.uid == 0)
    }
}

/// Where a login comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// Its name, where UseDNS asks for it and it resolves both ways.
    pub(crate) host: Option<String>,
}

/// A key or certificate that somebody wants to log in with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShownKey<'a> {
    /// Its blob.
    pub(crate) blob: &'a [u8],
    /// What a security key told with the signature that was checked; none for other keys, and before one is signed with.
    pub(crate) flags: Option<u8>,
}

/// What is said of a key.
pub(crate) type KeyVerdict = Result<Grants, KeyRefusal>;

/// Why a key does not log somebody in; for the log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyRefusal {
    /// It is not one of the account's: usual, for clients try what they have.
    Foreign(String),
    /// It might have been, but for this: the administrator should hear of it.
    Flawed(String),
    /// PermitRootLogin does not let root in this way.
    Root,
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign(why) | Self::Flawed(why) => why,
            Self::Root => "PermitRootLogin does not let root in this way",
        })
    }
}

/// Whoever has privilege, files and secrets.
pub(crate) trait Host: Send + Sync {
    /// Who this is; nobody is an answer, and the login goes on as if.
    ///
    /// # Errors
    /// When the system's own look-up fails.
    fn account(&self, user: &str) -> io::Result<Option<Account>>;

    /// Whether the account is fit to be logged in to: neither locked nor expired, with a shell that is there where
    /// it `needs_shell`. In a ChrootDirectory it is another shell.
    ///
    /// # Errors
    /// The reason, for the log: to follow `not allowed because`.
    fn admits(&self, account: &Account, needs_shell: bool) -> Result<(), String>;

    /// Whether the key may log the account in, and what it grants; a refusal says why.
    fn check_key(
        &self,
        account: &Account,
        key: &ShownKey<'_>,
        origin: &Origin,
        rules: &KeyRules,
    ) -> KeyVerdict;

    /// Whether anybody has a password here at all: otherwise none is asked for.
    fn has_passwords(&self) -> bool;

    /// Whether this is the account's password; an account that does not exist takes as long to say so.
    ///
    /// An empty password is never one unless `permit_empty` (PermitEmptyPasswords).
    fn check_password(
        &self,
        account: Option<&Account>,
        password: &[u8],
        permit_empty: bool,
    ) -> bool;

    /// Connects to a unix socket with the account's rights, at once or not at all.
    ///
    /// # Errors
    /// Those of the system; `WouldBlock` where nobody accepts the connections that wait.
    fn connect_unix(&self, account: &Account, path: &str) -> io::Result<UnixStream>;

    /// Listens on a unix socket as the account; `mask` takes permission bits away.
    ///
    /// # Errors
    /// Those of the system.
    fn listen_unix(
        &self,
        account: &Account,
        path: &str,
        mask: u32,
        unlink: bool,
    ) -> io::Result<UnixListener>;

    /// Removes a unix socket that [`listen_unix`](Self::listen_unix) made, with the account's rights.
    ///
    /// # Errors
    /// Those of the system.
    fn unlink_unix(&self, account: &Account, path: &str) -> io::Result<()>;

    /// Makes a terminal for a session of the account's.
    ///
    /// # Errors
    /// Those of the system.
    fn open_terminal(
        &self,
        account: &SystemAccount,
        wish: &TerminalWish,
    ) -> io::Result<(Terminal, Line)> {
        crate::session::open_terminal(account, wish)
    }

    /// Starts a session's first process as planned, with these as its stdin, stdout and stderr.
    ///
    /// # Errors
    /// Those of the system.
    fn start(&self, plan: &Plan, ends: Ends) -> io::Result<Leader> {
        crate::session::start_leader(plan, ends)
    }

    /// Signals a session's process group with the account's rights.
    ///
    /// # Errors
    /// Those of the system.
    fn signal(&self, account: &SystemAccount, leader: &Leader, signal: Signal) -> io::Result<()> {
        leader.signal(account, signal)
    }

    /// Listens on a TCP address with the account's rights.
    ///
    /// # Errors
    /// Those of the system; `PermissionDenied` for a port below 1024 that is not the account's to have.
    fn listen_tcp(&self, account: &Account, address: SocketAddr) -> io::Result<TcpListener>;
}

/// Why nobody logs in to an account that was locked.
const LOCKED: &str = "account is locked";

//! The host: everything that needs privilege, files or secrets goes through one narrow trait.
//! Touches: nothing itself; what stands behind it does.   Never: sockets of clients, packets.
//! Invariants: every function may block, so the loops ask on helper threads; answers are plain data and descriptors.
//! Errors: `io::Error` of the system; a refusal is an answer.   Allocates: its answers.
//! Proved by: `tests` in each module.
//!
//! It is the seam at which the network-facing process can later run without host keys, files and privileges.

use crate::session::{Ends, Leader, Plan, Terminal, TerminalWish};
use adit_config::server::ServerOptions;
use adit_keys::authorized_keys::Grants;
use rustix::process::Signal;
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

/// Where a login comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// Its name, where UseDNS asks for it and it resolves both ways.
    pub(crate) host: Option<String>,
}

/// What is said of a key.
pub(crate) type KeyVerdict = Result<Grants, String>;

/// Whoever has privilege, files and secrets.
pub(crate) trait Host: Send + Sync {
    /// Who this is; nobody is an answer, and the login goes on as if.
    ///
    /// # Errors
    /// When the system's own look-up fails.
    fn account(&self, user: &str) -> io::Result<Option<Account>>;

    /// Whether `key`, a public key or certificate blob, may log the account in, and what it grants; a refusal says why.
    fn check_key(
        &self,
        account: &Account,
        key: &[u8],
        origin: &Origin,
        options: &ServerOptions,
    ) -> KeyVerdict;

    /// Whether this is the account's password.
    fn check_password(&self, account: &Account, password: &[u8], options: &ServerOptions) -> bool;

    /// Connects to a unix socket with the account's rights.
    ///
    /// # Errors
    /// Those of the system.
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

    /// Makes a terminal for a session of the account's.
    ///
    /// # Errors
    /// Those of the system.
    fn open_terminal(&self, account: &SystemAccount, wish: &TerminalWish) -> io::Result<Terminal> {
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

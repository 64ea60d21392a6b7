//! The host as root sees it: the system's users, each with their own rights.
//! Touches: the user and group databases, what the account's files say.   Never: virtual users.
//! Invariants: files and sockets of a user are touched with the user's rights alone.
//! Errors: `io::Error` of the system.   Allocates: accounts.
//! Proved by: `tests` below.

use super::{
    Account, Host, KeyRules, KeyVerdict, Origin, ShownKey, SystemAccount, authorized, sockets,
};
use nix::unistd::{Gid, Group, User, getgrouplist};
use std::ffi::CString;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};

/// All users of the system.
#[derive(Debug, Default)]
pub(crate) struct SystemHost;

impl Host for SystemHost {
    fn account(&self, user: &str) -> io::Result<Option<Account>> {
        User::from_name(user)?.map(account_of).transpose()
    }

    fn admits(&self, _account: &Account) -> Result<(), String> {
        Ok(())
    }

    fn check_key(
        &self,
        account: &Account,
        key: &ShownKey<'_>,
        origin: &Origin,
        rules: &KeyRules,
    ) -> KeyVerdict {
        authorized::check_key(account, key, origin, rules)
    }

    fn check_password(&self, _: Option<&Account>, _: &[u8], _: bool) -> bool {
        false
    }

    fn connect_unix(&self, account: &Account, path: &str) -> io::Result<UnixStream> {
        sockets::connect_unix(account.system.as_ref(), path)
    }

    fn listen_unix(
        &self,
        account: &Account,
        path: &str,
        mask: u32,
        unlink: bool,
    ) -> io::Result<UnixListener> {
        sockets::listen_unix(account.system.as_ref(), path, mask, unlink)
    }

    fn unlink_unix(&self, account: &Account, path: &str) -> io::Result<()> {
        sockets::unlink_unix(account.system.as_ref(), path)
    }

    fn listen_tcp(&self, account: &Account, address: SocketAddr) -> io::Result<TcpListener> {
        sockets::listen_tcp(account.system.as_ref(), address)
    }
}

/// What the databases say about a user.
pub(super) fn account_of(user: User) -> io::Result<Account> {
    let gids = match CString::new(user.name.clone()) {
        Ok(name) => getgrouplist(&name, user.gid)?,
        Err(_) => vec![user.gid],
    };
    Ok(Account {
        groups: gids.iter().filter_map(|gid| group_name(*gid)).collect(),
        system: Some(SystemAccount {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            gids: gids.iter().map(|gid| gid.as_raw()).collect(),
            home: user.dir,
            shell: user.shell,
        }),
        name: user.name,
    })
}

/// A group without a name cannot be named in a rule.
fn group_name(gid: Gid) -> Option<String> {
    Group::from_gid(gid).ok().flatten().map(|group| group.name)
}

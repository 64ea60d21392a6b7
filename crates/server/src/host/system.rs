//! The host as root sees it: the system's users, each with their own rights.
//! Touches: the user and group databases, /etc/shadow, the account's files.   Never: virtual users.
//! Invariants: files and sockets of a user are touched with the user's rights alone.
//! Errors: `io::Error` of the system.   Allocates: accounts.
//! Proved by: `tests` below.

use super::password::{is_hash, pretend_to_verify, verify};
use super::shadow::Shadow;
use super::{
    Account, Host, KeyRules, KeyVerdict, LOCKED, Origin, ShownKey, SystemAccount, authorized,
    clock, shadow, sockets,
};
use nix::unistd::{Gid, Group, User, getgrouplist};
use std::ffi::CString;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// All users of the system.
#[derive(Debug, Default)]
pub(crate) struct SystemHost;

impl Host for SystemHost {
    fn account(&self, user: &str) -> io::Result<Option<Account>> {
        User::from_name(user)?.map(account_of).transpose()
    }

    fn admits(&self, account: &Account, needs_shell: bool) -> Result<(), String> {
        let text = shadow::read().map_err(|error| format!("/etc/shadow: {error}"))?;
        let shadow = text.as_deref().and_then(|text| shadow::find(text, &account.name));
        if let Some(shadow) = shadow {
            if shadow.has_expired(today()) {
                return Err("account has expired".into());
            }
            if shadow.is_locked() {
                return Err(LOCKED.into());
            }
        }
        match &account.system {
            Some(system) if needs_shell => check_shell(&system.shell),
            _ => Ok(()),
        }
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

    fn has_passwords(&self) -> bool {
        true
    }

    fn check_password(
        &self,
        account: Option<&Account>,
        password: &[u8],
        permit_empty: bool,
    ) -> bool {
        let text = shadow::read().ok().flatten().unwrap_or_default();
        let shadow = account.and_then(|account| shadow::find(&text, &account.name));
        let counts = |shadow: &Shadow| {
            let is_allowed = permit_empty || !password.is_empty();
            is_allowed && !shadow.is_locked() && !shadow.must_change_password(today())
        };
        match shadow.filter(counts) {
            Some(shadow) if shadow.password.is_empty() => password.is_empty(),
            Some(shadow) if is_hash(&shadow.password) => verify(&shadow.password, password),
            _ => pretend_to_verify(shadow::some_hash(&text), password),
        }
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

/// Days since 1970-01-01.
fn today() -> u64 {
    clock::now() / 86_400
}

/// An account whose shell is gone or no program is one that was taken out of use; no shell at all means /bin/sh.
fn check_shell(shell: &Path) -> Result<(), String> {
    let shell = if shell.as_os_str().is_empty() { Path::new("/bin/sh") } else { shell };
    let shown = shell.display();
    match shell.metadata() {
        Err(_) => Err(format!("shell {shown} does not exist")),
        Ok(status) if status.is_file() && status.mode() & 0o111 != 0 => Ok(()),
        Ok(_) => Err(format!("shell {shown} is not executable")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_an_account_of_the_system_and_nobody_else_is_who_is_not() {
        let root = SystemHost.account("root").unwrap().unwrap();
        let system = root.system.unwrap();
        assert_eq!((root.name.as_str(), system.uid, system.gid), ("root", 0, 0));
        assert!(system.gids.contains(&0) && !root.groups.is_empty());
        for name in ["no-such-user-here", "", "a\0b"] {
            assert_eq!(SystemHost.account(name).unwrap(), None, "{name:?}");
        }
    }

    #[test]
    fn an_account_needs_a_shell_that_can_be_run() {
        assert_eq!(check_shell(Path::new("/bin/sh")), Ok(()));
        assert_eq!(check_shell(Path::new("")), Ok(()));
        for (shell, what) in [
            ("/nonexistent/sh", "does not exist"),
            ("/etc/passwd", "is not executable"),
            ("/etc", "is not executable"),
        ] {
            let expected = format!("shell {shell} {what}");
            assert_eq!(check_shell(Path::new(shell)), Err(expected));
        }
    }

    #[test]
    fn in_a_chroot_the_shell_outside_is_no_matter() {
        let mut root = SystemHost.account("root").unwrap().unwrap();
        if let Some(system) = &mut root.system {
            system.shell = "/nonexistent/sh".into();
        }
        // A name without a line in /etc/shadow, so that nothing else can be in the way.
        root.name = "no-such-user-here".into();
        if shadow::read().is_err() {
            return eprintln!("SKIPPED: only root can read /etc/shadow");
        }
        assert_eq!(SystemHost.admits(&root, false), Ok(()));
        let why = Err("shell /nonexistent/sh does not exist".to_owned());
        assert_eq!(SystemHost.admits(&root, true), why);
    }

    #[test]
    fn who_does_not_exist_has_no_password() {
        for password in [&b""[..], b"secret"] {
            assert!(!SystemHost.check_password(None, password, true));
        }
    }
}

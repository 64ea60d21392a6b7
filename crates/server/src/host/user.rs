//! The host as an ordinary user sees it: they can let themselves in, and nobody else.
//! Touches: what that user may.   Never: other users, rights other than the process's own.
//! Invariants: there is one account.
//! Errors: `io::Error` of the system.   Allocates: the account.
//! Proved by: `tests` below.

use super::users_file::{Users, UsersFileError};
use super::{
    Account, Host, KeyRules, KeyVerdict, Origin, ShownKey, SystemAccount, authorized, sockets,
    system,
};
use nix::unistd::{Uid, User};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// The user who runs this.
#[derive(Debug)]
pub(crate) struct UserHost {
    me: Account,
    users_file: Option<PathBuf>,
}

impl UserHost {
    /// Finds out who this is; a user without an entry in the user database goes by the environment.
    ///
    /// There is no password but the one a UsersFile has.
    ///
    /// # Errors
    /// When the look-up fails or neither knows a name; when the UsersFile cannot be read or understood.
    pub(crate) fn new(users_file: Option<PathBuf>) -> io::Result<Self> {
        let me = match User::from_uid(Uid::effective())? {
            Some(user) => system::account_of(user)?,
            None => account_of_environment(&|name| std::env::var(name).ok())?,
        };
        let host = Self { me, users_file };
        host.users()?;
        Ok(host)
    }

    fn users(&self) -> Result<Users, UsersFileError> {
        self.users_file.as_deref().map_or_else(|| Ok(Users::default()), Users::load)
    }
}

/// Containers often run a number that no database has.
fn account_of_environment(variable: &dyn Fn(&str) -> Option<String>) -> io::Result<Account> {
    let uid = Uid::effective().as_raw();
    let name = variable("USER").or_else(|| variable("LOGNAME")).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| io::Error::other(format!("No user exists for uid {uid}")))?;
    let gid = rustix::process::getegid().as_raw();
    let others = rustix::process::getgroups()?;
    let gids = std::iter::once(gid).chain(others.iter().map(|gid| gid.as_raw())).collect();
    let system = SystemAccount {
        uid,
        gid,
        gids,
        home: variable("HOME").unwrap_or_else(|| "/".to_owned()).into(),
        shell: variable("SHELL").unwrap_or_else(|| "/bin/sh".to_owned()).into(),
    };
    Ok(Account { name, groups: Vec::new(), system: Some(system) })
}

impl Host for UserHost {
    fn account(&self, user: &str) -> io::Result<Option<Account>> {
        Ok((user == self.me.name).then(|| self.me.clone()))
    }

    fn admits(&self, _account: &Account, _needs_shell: bool) -> Result<(), String> {
        // Whoever runs this is logged in already.
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

    fn has_passwords(&self) -> bool {
        self.users_file.is_some()
    }

    fn check_password(
        &self,
        account: Option<&Account>,
        password: &[u8],
        permit_empty: bool,
    ) -> bool {
        self.users().is_ok_and(|users| users.check_password(account, password, permit_empty))
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

    fn listen_tcp(&self, _account: &Account, address: SocketAddr) -> io::Result<TcpListener> {
        // The kernel knows better which ports this user may have.
        sockets::listen_tcp(None, address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::Scratch;

    #[test]
    fn whoever_runs_it_is_the_only_account() {
        let host = UserHost::new(None).unwrap();
        let me = host.account(&host.me.name).unwrap().unwrap();
        assert_eq!(me.system.unwrap().uid, Uid::effective().as_raw());
        let mut other = host.me.name.clone();
        other.push('x');
        for name in [other.as_str(), "", "no-such-user-here"] {
            assert_eq!(host.account(name).unwrap(), None, "{name}");
        }
    }

    #[test]
    fn there_is_no_password_but_that_of_the_users_file() {
        let scratch = Scratch::new("own-password");
        let host = UserHost::new(None).unwrap();
        let me = host.account(&host.me.name).unwrap();
        assert!(!host.check_password(me.as_ref(), b"secret", true));
        let hash = crate::host::password::hash_password(b"secret");
        let path = scratch.file("users", &format!("{}:{hash}\n", host.me.name), 0o600);
        let host = UserHost::new(Some(path)).unwrap();
        assert!(host.check_password(me.as_ref(), b"secret", false));
        assert!(!host.check_password(me.as_ref(), b"Secret", false));
        assert!(!host.check_password(None, b"secret", false));
        let bad = scratch.file("bad", "ada\n", 0o600);
        let error = UserHost::new(Some(bad.clone())).unwrap_err().to_string();
        assert!(error.starts_with(&format!("UsersFile {} line 1: ", bad.display())), "{error}");
    }

    #[test]
    fn a_number_without_a_name_goes_by_the_environment() {
        let variables = [("LOGNAME", "runner"), ("HOME", "/work")];
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        let account = account_of_environment(&variable).unwrap();
        let system = account.system.unwrap();
        assert_eq!((account.name.as_str(), system.home.to_str()), ("runner", Some("/work")));
        assert_eq!(system.shell.to_str(), Some("/bin/sh"));
        let error = account_of_environment(&|_| None).unwrap_err().to_string();
        assert_eq!(error, format!("No user exists for uid {}", Uid::effective()));
    }
}

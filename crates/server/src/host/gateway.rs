//! The host of virtual users: they exist because something proves them, and forward as this process.
//! Touches: the UsersFile, what the process may.   Never: the user database, homes, shells.
//! Invariants: a name is a plain word, so it leads to no other file than its own.
//! Errors: `io::Error` of the system.   Allocates: accounts.
//! Proved by: `tests` below.

use super::users_file::{Users, UsersFileError};
use super::{Account, Host, KeyRules, KeyVerdict, LOCKED, Origin, ShownKey, authorized, sockets};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// The longest name of a virtual user.
const MAX_NAME: usize = 64;

/// Whoever can prove a name.
#[derive(Debug, Default)]
pub(crate) struct GatewayHost {
    users_file: Option<PathBuf>,
}

impl GatewayHost {
    /// With the passwords and groups of a UsersFile, where there is one.
    ///
    /// # Errors
    /// [`UsersFileError`], now rather than at somebody's login.
    pub(crate) fn new(users_file: Option<PathBuf>) -> Result<Self, UsersFileError> {
        let host = Self { users_file };
        host.users()?;
        Ok(host)
    }

    fn users(&self) -> Result<Users, UsersFileError> {
        self.users_file.as_deref().map_or_else(|| Ok(Users::default()), Users::load)
    }
}

impl Host for GatewayHost {
    fn account(&self, user: &str) -> io::Result<Option<Account>> {
        if !is_name(user) {
            return Ok(None);
        }
        let users = self.users()?;
        let groups = users.find(user).map(|user| user.groups.clone()).unwrap_or_default();
        Ok(Some(Account { name: user.to_owned(), groups, system: None }))
    }

    fn admits(&self, account: &Account, _needs_shell: bool) -> Result<(), String> {
        let users = self.users().map_err(|error| error.to_string())?;
        match users.find(&account.name) {
            Some(user) if user.is_locked => Err(LOCKED.into()),
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

    fn connect_unix(&self, _account: &Account, path: &str) -> io::Result<UnixStream> {
        sockets::connect_unix(None, path)
    }

    fn listen_unix(
        &self,
        _account: &Account,
        path: &str,
        mask: u32,
        unlink: bool,
    ) -> io::Result<UnixListener> {
        sockets::listen_unix(None, path, mask, unlink)
    }

    fn unlink_unix(&self, _account: &Account, path: &str) -> io::Result<()> {
        sockets::unlink_unix(None, path)
    }

    fn listen_tcp(&self, _account: &Account, address: SocketAddr) -> io::Result<TcpListener> {
        sockets::listen_tcp(None, address)
    }
}

/// Letters, digits, `.`, `_` and `-`, neither an option nor hidden.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with(['-', '.'])
        && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::Scratch;

    #[test]
    fn only_plain_words_are_names() {
        let host = GatewayHost::default();
        for name in ["ada", "Ada.Lovelace_1-x", "9", &"a".repeat(64)] {
            assert_eq!(host.account(name).unwrap().unwrap().name, name);
        }
        for name in ["", ".", "..", ".ada", "-ada", "a/b", "a b", "a\0", "ä", &"a".repeat(65)] {
            assert_eq!(host.account(name).unwrap(), None, "{name:?}");
        }
    }

    #[test]
    fn the_users_file_gives_groups_and_passwords_and_can_change_while_we_run() {
        let scratch = Scratch::new("gateway");
        let hash = crate::host::password::hash_password(b"secret");
        let path = scratch.file("users", &format!("ada:{hash}:tunnelers\neve:!:\n"), 0o600);
        let host = GatewayHost::new(Some(path)).unwrap();
        let account = |name: &str| host.account(name).unwrap().unwrap();
        let (ada, eve, other) = (account("ada"), account("eve"), account("other"));
        assert_eq!(ada.groups, ["tunnelers"]);
        assert_eq!((eve.groups.len(), other.groups.len()), (0, 0));
        assert_eq!((host.admits(&ada, true), host.admits(&other, true)), (Ok(()), Ok(())));
        assert_eq!(host.admits(&eve, true), Err("account is locked".to_owned()));
        assert!(host.check_password(Some(&ada), b"secret", false));
        assert!(!host.check_password(Some(&eve), b"secret", false));
        assert!(!host.check_password(Some(&other), b"secret", false));
        scratch.file("users", "ada:*\n", 0o600);
        assert!(!host.check_password(Some(&ada), b"secret", false));
        // A file that is broken meanwhile knows nobody, rather than some.
        scratch.file("users", "ada:*\nnonsense\n", 0o600);
        assert!(host.account("ada").is_err() && host.admits(&ada, true).is_err());
    }

    #[test]
    fn a_users_file_that_others_can_write_is_refused() {
        let scratch = Scratch::new("gateway-writable");
        let path = scratch.file("users", "ada:*\n", 0o666);
        let error = GatewayHost::new(Some(path.clone())).unwrap_err().to_string();
        assert_eq!(error, format!("UsersFile {}: can be written by others", path.display()));
    }
}

//! The host of virtual users: they exist because something proves them, and forward as this process.
//! Touches: what the process may.   Never: the user database, homes, shells.
//! Invariants: a name is a plain word, so it leads to no other file than its own.
//! Errors: `io::Error` of the system.   Allocates: accounts.
//! Proved by: `tests` below.

use super::{Account, Host, KeyRules, KeyVerdict, Origin, ShownKey, authorized, sockets};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};

/// The longest name of a virtual user.
const MAX_NAME: usize = 64;

/// Whoever can prove a name.
#[derive(Debug, Default)]
pub(crate) struct GatewayHost;

impl Host for GatewayHost {
    fn account(&self, user: &str) -> io::Result<Option<Account>> {
        let account = Account { name: user.to_owned(), groups: Vec::new(), system: None };
        Ok(is_name(user).then_some(account))
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
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with(['-', '.'])
        && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_are_names() {
        let host = GatewayHost;
        for name in ["ada", "Ada.Lovelace_1-x", "9", &"a".repeat(64)] {
            assert_eq!(host.account(name).unwrap().unwrap().name, name);
        }
        for name in ["", ".", "..", ".ada", "-ada", "a/b", "a b", "a\0", "ä", &"a".repeat(65)] {
            assert_eq!(host.account(name).unwrap(), None, "{name:?}");
        }
    }
}

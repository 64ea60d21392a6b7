//! `%u`, `%h` and their like in file names and commands. sshd_config(5) TOKENS.
//! Touches: texts.   Never: files.
//! Invariants: what is put in is not expanded again; a user's name never leads out of a folder.
//! Errors: a text that names the token.   Allocates: the result.
//! Proved by: `tests` below.

use super::Account;
use std::path::{Path, PathBuf};

/// Replaces every token that `value` knows; `%%` is a per cent sign.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn expand(text: &str, value: &dyn Fn(char) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            expanded.push(letter);
            continue;
        }
        match letters.next() {
            Some('%') => expanded.push('%'),
            Some(token) => match value(token) {
                Some(value) => expanded.push_str(&value),
                None => return Err(format!("{text}: %{token} is not known here")),
            },
            None => return Err(format!("{text}: ends with a single %")),
        }
    }
    Ok(expanded)
}

/// The file of a pattern for an account: `%h`, `%u`, `%U`; relative to the home.
///
/// # Errors
/// What is wrong with it, or that the account has nothing to put in.
pub(crate) fn file_of(pattern: &str, account: &Account) -> Result<PathBuf, String> {
    if !is_file_name(&account.name) {
        let name = account.name.escape_debug();
        return Err(format!("user {name}: not a name that a file could have"));
    }
    let path = expand(pattern, &|token| account_token(token, account))?;
    let path = PathBuf::from(path);
    if path.is_absolute() {
        return Ok(path);
    }
    match &account.system {
        Some(system) => Ok(system.home.join(path)),
        None => Err(format!("{pattern}: not absolute, and user {} has no home", account.name)),
    }
}

/// `%h`, `%u` and `%U`.
pub(super) fn account_token(token: char, account: &Account) -> Option<String> {
    let system = account.system.as_ref();
    match token {
        'u' => Some(account.name.clone()),
        'h' => Some(system?.home.to_str()?.to_owned()),
        'U' => Some(system?.uid.to_string()),
        _ => None,
    }
}

/// One component, and not `..`.
fn is_file_name(name: &str) -> bool {
    !name.contains('\0') && Path::new(name).file_name().is_some_and(|last| last == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::SystemAccount;

    fn account(name: &str, home: Option<&str>) -> Account {
        let system = home.map(|home| SystemAccount {
            uid: 1000,
            gid: 1000,
            gids: Vec::new(),
            home: home.into(),
            shell: "/bin/sh".into(),
        });
        Account { name: name.to_owned(), groups: Vec::new(), system }
    }

    #[test]
    fn tokens_name_the_account_and_relative_files_are_in_its_home() {
        let ada = account("ada", Some("/home/%u"));
        for (pattern, expected) in [
            (".ssh/authorized_keys", "/home/%u/.ssh/authorized_keys"),
            ("/etc/keys/%u", "/etc/keys/ada"),
            ("%h/keys", "/home/%u/keys"),
            ("/etc/%U/%%u/%u.pub", "/etc/1000/%u/ada.pub"),
        ] {
            assert_eq!(file_of(pattern, &ada), Ok(PathBuf::from(expected)), "{pattern}");
        }
        for pattern in ["/etc/%x", "/etc/%", "/etc/%k"] {
            assert!(file_of(pattern, &ada).unwrap_err().contains(pattern), "{pattern}");
        }
    }

    #[test]
    fn who_has_no_home_has_no_files_there() {
        let virtual_user = account("ada", None);
        assert_eq!(file_of("/keys/%u", &virtual_user), Ok(PathBuf::from("/keys/ada")));
        for pattern in [".ssh/authorized_keys", "%h/keys", "/keys/%U"] {
            assert!(file_of(pattern, &virtual_user).is_err(), "{pattern}");
        }
    }

    #[test]
    fn no_name_leads_out_of_a_folder() {
        for name in ["..", ".", "", "a/b", "/etc", "../ada", "a\0", "a/"] {
            assert!(file_of("/keys/%u", &account(name, None)).is_err(), "{name:?}");
        }
    }
}

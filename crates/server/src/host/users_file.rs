//! UsersFile: passwords and groups of users that exist here only. `name:hash-or-*:group,group`
//! Touches: one file, read anew for every question, so that it can be changed at any time.   Never: the system's users.
//! Invariants: a file that is not understood to its end knows nobody; nobody but its owner and root can have written it.
//! Errors: `UsersFileError`, with file and line.   Allocates: the users.
//! Proved by: `tests` below.

use super::Account;
use super::gateway::is_name;
use super::password::{is_hash, pretend_to_verify, verify};
use adit_keys::bounded::{MAX_LIST, read};
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Everybody in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Users {
    users: Vec<VirtualUser>,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VirtualUser {
    pub(super) name: String,
    /// None for `*`: no password is right.
    pub(super) hash: Option<String>,
    /// A `!` before the hash: may not log in at all.
    pub(super) is_locked: bool,
    pub(super) groups: Vec<String>,
}

/// Why a UsersFile is of no use.
#[derive(Debug)]
pub(crate) struct UsersFileError {
    path: PathBuf,
    /// None for the whole file.
    line: Option<usize>,
    cause: String,
}

impl Users {
    pub(super) fn load(path: &Path) -> Result<Self, UsersFileError> {
        let failed = |cause| UsersFileError { path: path.to_owned(), line: None, cause };
        let unread = |error: io::Error| failed(error.to_string());
        if path.metadata().map_err(unread)?.mode() & 0o022 != 0 {
            return Err(failed("can be written by others".to_owned()));
        }
        let bytes = read(path, MAX_LIST).map_err(unread)?;
        let text = String::from_utf8(bytes).map_err(|error| failed(error.to_string()))?;
        Self::parse(&text).map_err(|(line, cause)| UsersFileError {
            path: path.to_owned(),
            line: Some(line),
            cause: cause.to_owned(),
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut users = Self::default();
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let user = VirtualUser::parse(line).map_err(|cause| (number, cause))?;
            if users.find(&user.name).is_some() {
                return Err((number, "this user is there already"));
            }
            users.users.push(user);
        }
        Ok(users)
    }

    pub(super) fn find(&self, name: &str) -> Option<&VirtualUser> {
        self.users.iter().find(|user| user.name == name)
    }

    /// Whether this is the password of the account; it takes as long when there is no such account or password.
    pub(super) fn check_password(
        &self,
        account: Option<&Account>,
        password: &[u8],
        permit_empty: bool,
    ) -> bool {
        let user = account.and_then(|account| self.find(&account.name));
        let is_allowed = permit_empty || !password.is_empty();
        let user = user.filter(|user| is_allowed && !user.is_locked);
        match user.and_then(|user| user.hash.as_deref()) {
            Some(hash) => verify(hash, password),
            None => pretend_to_verify(self.some_hash(), password),
        }
    }

    /// A hash that takes as long to check as a user's of this file.
    fn some_hash(&self) -> Option<&str> {
        self.users.iter().find_map(|user| user.hash.as_deref())
    }
}

impl VirtualUser {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let mut fields = line.split(':');
        let mut next = || fields.next().map(str::trim);
        let (name, hash, groups) = (next().unwrap_or_default(), next(), next().unwrap_or_default());
        let hash = hash.ok_or("no password hash: name:hash-or-*:group,group is expected")?;
        if fields.next().is_some() {
            return Err("too many fields: name:hash-or-*:group,group is expected");
        }
        if !is_name(name) {
            return Err("not a user name: letters, digits, '.', '_' and '-', at most 64");
        }
        let (hash, is_locked) = match hash.strip_prefix('!') {
            Some(hash) => (hash, true),
            None => (hash, false),
        };
        let hash = match hash {
            "*" => None,
            "" if is_locked => None,
            hash if is_hash(hash) => Some(hash.to_owned()),
            _ => {
                return Err(
                    "not a password hash that is known: argon2, yescrypt ($y$), $6$, $5$, or *",
                );
            }
        };
        let groups: Vec<String> = match groups {
            "" => Vec::new(),
            groups => groups.split(',').map(|group| group.trim().to_owned()).collect(),
        };
        if !groups.iter().all(|group| is_name(group)) {
            return Err("not a list of groups: names and commas are expected");
        }
        Ok(Self { name: name.to_owned(), hash, is_locked, groups })
    }
}

impl fmt::Display for UsersFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UsersFile {}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

impl std::error::Error for UsersFileError {}

impl From<UsersFileError> for io::Error {
    fn from(error: UsersFileError) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::Scratch;

    const HASH: &str = "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA";

    #[test]
    fn users_have_passwords_and_groups() {
        let text =
            format!("# who\n\nada:{HASH}:tunnelers,admins\r\n grace:*\neve:!{HASH}:\njoe:!\n");
        let users = Users::parse(&text).unwrap();
        let ada = users.find("ada").unwrap();
        assert_eq!((ada.hash.as_deref(), ada.is_locked), (Some(HASH), false));
        assert_eq!(ada.groups, ["tunnelers", "admins"]);
        let grace = users.find("grace").unwrap();
        assert!(grace.hash.is_none() && !grace.is_locked && grace.groups.is_empty());
        assert!(users.find("eve").unwrap().is_locked && users.find("joe").unwrap().is_locked);
        assert_eq!(users.find("Ada"), None);
        assert_eq!(users.some_hash(), Some(HASH));
    }

    #[test]
    fn only_the_right_password_of_a_user_who_is_not_locked_is_right() {
        let empty = super::super::password::hash_password(b"");
        let text = format!("ada:{HASH}\ngrace:*\neve:!{HASH}\nnone:{empty}\n");
        let users = Users::parse(&text).unwrap();
        let account =
            |name: &str| Account { name: name.to_owned(), groups: Vec::new(), system: None };
        for (name, password, permit_empty, expected) in [
            ("ada", "secret", false, true),
            ("ada", "Secret", false, false),
            ("ada", "", true, false),
            ("grace", "*", true, false),
            ("eve", "secret", false, false),
            ("joe", "secret", false, false),
            ("none", "", true, true),
            ("none", "", false, false),
        ] {
            let answer =
                users.check_password(Some(&account(name)), password.as_bytes(), permit_empty);
            assert_eq!(answer, expected, "{name} {password}");
        }
        assert!(!users.check_password(None, b"secret", true));
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error_with_its_number() {
        for (line, words) in [
            ("ada", "no password hash"),
            ("ada:secret:", "not a password hash"),
            ("ada::", "not a password hash"),
            ("ada:*:a:b", "too many fields"),
            ("a/b:*:", "not a user name"),
            (":*:", "not a user name"),
            ("ada:*:a,,b", "not a list of groups"),
            ("joe:*:", "this user is there already"),
        ] {
            let (number, cause) = Users::parse(&format!("\njoe:*\n{line}\n")).unwrap_err();
            assert_eq!(number, 3, "{line}");
            assert!(cause.starts_with(words), "{line}: {cause}");
        }
        let error = Users::load(Path::new("/nonexistent/users")).unwrap_err();
        assert!(error.to_string().starts_with("UsersFile /nonexistent/users: No such file"));
    }

    #[test]
    fn a_file_larger_than_any_list_of_users_is_refused() {
        let scratch = Scratch::new("users-file");
        let path = scratch.path("users");
        std::fs::File::create(&path).unwrap().set_len(MAX_LIST + 1).unwrap();
        let error = Users::load(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("UsersFile {}: larger than 64 MiB", path.display()));
    }
}

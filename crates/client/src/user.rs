//! The local user and machine: names, home directory, environment.
//! Touches: the passwd database, the environment.   Never: files of the user's.
//! Invariants: a user without an entry, as in many containers, is no error; the environment helps out.
//! Errors: none.   Allocates: texts, once.
//! Proved by: `tests` below.

use adit_config::Surroundings;
use nix::unistd::{Uid, User, gethostname};
use std::env;

/// Who runs this program, and where.
#[derive(Clone, Debug)]
pub(crate) struct LocalUser {
    pub(crate) name: String,
    pub(crate) home: String,
    pub(crate) uid: u32,
    pub(crate) host: String,
}

impl LocalUser {
    pub(crate) fn new() -> Self {
        let uid = Uid::current();
        let entry = User::from_uid(uid).ok().flatten();
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let (name, home) = match entry {
            Some(entry) => (entry.name, entry.dir.to_string_lossy().into_owned()),
            None => {
                let name = variable("USER").or_else(|| variable("LOGNAME"));
                (
                    name.unwrap_or_else(|| uid.to_string()),
                    variable("HOME").unwrap_or_else(|| "/".into()),
                )
            }
        };
        let host =
            gethostname().map(|host| host.to_string_lossy().into_owned()).unwrap_or_default();
        Self { name, home, uid: uid.as_raw(), host }
    }
}

impl Surroundings for LocalUser {
    fn variable(&self, name: &str) -> Option<String> {
        env::var(name).ok()
    }

    fn home(&self, user: Option<&str>) -> Option<String> {
        match user {
            None => Some(self.home.clone()),
            Some(name) => {
                let entry = User::from_name(name).ok().flatten()?;
                Some(entry.dir.to_string_lossy().into_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_a_home() {
        let user = LocalUser::new();
        assert!(!user.name.is_empty());
        assert_eq!(user.home(Some("root")).as_deref(), Some("/root"));
        assert_eq!(user.home(Some("no-such-user-here")), None);
    }
}

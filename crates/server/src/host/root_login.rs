//! Whether root may log in, and how: PermitRootLogin. sshd_config(5).
//! Touches: nothing.   Never: other accounts.
//! Invariants: whoever may only come with a key never comes with a password.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.

use adit_config::types::PermitRootLogin;

/// Whether PermitRootLogin lets root in; `by_key` with a key, `forced` where a command is forced.
pub(crate) const fn root_may_log_in(rule: PermitRootLogin, by_key: bool, forced: bool) -> bool {
    match rule {
        PermitRootLogin::Yes => true,
        PermitRootLogin::ProhibitPassword => by_key,
        PermitRootLogin::ForcedCommandsOnly => by_key && forced,
        PermitRootLogin::No => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_gets_in_as_permit_root_login_says() {
        use PermitRootLogin::{ForcedCommandsOnly, No, ProhibitPassword, Yes};
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

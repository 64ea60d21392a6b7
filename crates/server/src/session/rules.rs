//! What the sessions of one login may do, and what is known of their connection. sshd_config(5), sshd(8) AUTHORIZED_KEYS.
//! Touches: plain data.   Never: where it comes from.
//! Invariants: the same for every session of a login.
//! Errors: none; a refusal is a text.   Allocates: once per login.
//! Proved by: `tests` below and those of the session.

use crate::host::{Account, SystemAccount};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What the sessions of a login may do.
#[derive(Clone, Debug)]
pub(crate) struct SessionRules {
    /// Who is in.
    pub(crate) account: Account,
    /// Why there are no sessions at all, if there are none.
    pub(crate) refusal: Option<String>,
    /// PermitTTY, and `no-pty` of the key.
    pub(crate) permit_tty: bool,
    /// ForceCommand, or `command=` of the key where there is none.
    pub(crate) forced_command: Option<String>,
    /// SetEnv.
    pub(crate) set_env: Vec<(String, String)>,
    /// AcceptEnv: patterns.
    pub(crate) accept_env: Vec<String>,
    /// `environment=` of the key.
    pub(crate) environment: Vec<(String, String)>,
    /// PermitUserEnvironment: patterns of names, `*` for yes, none for no.
    pub(crate) permit_user_environment: Vec<String>,
    /// Subsystem: name and command.
    pub(crate) subsystems: Vec<(String, String)>,
    /// ChrootDirectory, its tokens expanded.
    pub(crate) chroot_directory: Option<PathBuf>,
    /// PermitUserRC, and `no-user-rc` of the key.
    pub(crate) user_rc: bool,
    /// PrintMotd.
    pub(crate) print_motd: bool,
    /// The client's end of the connection.
    pub(crate) client: SocketAddr,
    /// This server's end of it.
    pub(crate) server: SocketAddr,
    /// ExposeAuthInfo: a line per method that succeeded; none for no.
    pub(crate) auth_info: Vec<String>,
}

impl SessionRules {
    /// Rules that forbid nothing and set nothing: sshd's defaults.
    pub(crate) fn new(account: Account, client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            account,
            refusal: None,
            permit_tty: true,
            forced_command: None,
            set_env: Vec::new(),
            accept_env: Vec::new(),
            environment: Vec::new(),
            permit_user_environment: Vec::new(),
            subsystems: Vec::new(),
            chroot_directory: None,
            user_rc: true,
            print_motd: true,
            client,
            server,
            auth_info: Vec::new(),
        }
    }

    /// Why a session channel is to be refused when it is asked for, if it is.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match (&self.refusal, &self.account.system) {
            (Some(reason), _) => Some(reason),
            (None, None) => Some("this user has no account on the system: no sessions"),
            (None, Some(_)) => None,
        }
    }

    /// What the account is to the system, where sessions are allowed.
    pub(super) fn system(&self) -> Option<&SystemAccount> {
        self.account.system.as_ref().filter(|_| self.refusal.is_none())
    }

    /// The configured command of a subsystem.
    pub(super) fn subsystem(&self, name: &str) -> Option<&str> {
        let mut all = self.subsystems.iter();
        all.find(|(configured, _)| configured == name).map(|(_, command)| command.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(system: Option<SystemAccount>) -> SessionRules {
        let account = Account { name: "ada".into(), groups: Vec::new(), system };
        let end = SocketAddr::from(([127, 0, 0, 1], 1));
        SessionRules::new(account, end, end)
    }

    #[test]
    fn who_exists_in_the_configuration_only_has_no_sessions() {
        let rules = rules(None);
        assert!(rules.refusal().unwrap().contains("no account"));
        assert_eq!(rules.system(), None);
    }

    #[test]
    fn a_refusal_speaks_for_itself() {
        let mut rules = rules(None);
        rules.refusal = Some("gateway".into());
        assert_eq!(rules.refusal(), Some("gateway"));
    }
}

//! The environment of a command, as sshd sets it. RFC 4254 §6.4, sshd(8) LOGIN PROCESS, sshd_config(5) AcceptEnv, SetEnv.
//! Touches: names and values.   Never: the environment of this program, but for TZ.
//! Invariants: what says who and from where cannot be set by the client; no name holds `=` or NUL, no value NUL.
//! Errors: a refused variable is dropped, and the client is told.   Allocates: per command.
//! Proved by: `tests` below.

use super::plan::shell_of;
use super::rules::SessionRules;
use super::task::Task;
use super::terminal::Line;
use crate::host::SystemAccount;
use adit_pattern::{Verdict, matches, matches_list};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Variables the client may set; sshd counts as far.
pub(crate) const MAX_ACCEPTED: usize = 128;
/// Bytes of them all together; the system would not take much more for one.
const MAX_ACCEPTED_BYTES: usize = 128 * 1024;

/// Where programs are looked for, where nothing else says so.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/games";
const ROOT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Names that steer the loader or a shell: a pattern with a star does not let them in, only their own name does.
const STEERING: [&str; 7] = ["LD_*", "DYLD_*", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "IFS"];

/// Variables by name; the last value wins, the first place is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// Sets a variable, unless no environment could hold it.
    pub(crate) fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        if !can_hold(name.as_bytes(), value.as_bytes()) {
            return;
        }
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.into(), value.into())),
        }
    }

    /// All of it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    fn has_room_for(&self, len: usize) -> bool {
        let taken: usize = self.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.0.len() < MAX_ACCEPTED && taken + len <= MAX_ACCEPTED_BYTES
    }
}

fn can_hold(name: &[u8], value: &[u8]) -> bool {
    !name.is_empty() && !name.contains(&b'=') && !name.contains(&0) && !value.contains(&0)
}

/// Takes a variable of the client's, if AcceptEnv lets it in.
pub(super) fn accept(
    accepted: &mut Environment,
    patterns: &[String],
    name: &[u8],
    value: &[u8],
) -> bool {
    let is_let_in = std::str::from_utf8(name).is_ok_and(|name| lets_in(patterns, name));
    let has_room = accepted.has_room_for(name.len() + value.len());
    if !is_let_in || !can_hold(name, value) || !has_room {
        return false;
    }
    accepted.set(OsStr::from_bytes(name), OsStr::from_bytes(value));
    true
}

fn lets_in(patterns: &[String], name: &str) -> bool {
    let steers = STEERING.iter().any(|pattern| matches(name, pattern));
    patterns.iter().any(|pattern| if steers { pattern == name } else { matches(name, pattern) })
}

/// What ~/.ssh/environment may change: the client's variables, the account's, the key's. The order is sshd's.
pub(super) fn of_account(
    rules: &SessionRules,
    system: &SystemAccount,
    accepted: &Environment,
    line: Option<&Line>,
) -> Environment {
    let mut environment = accepted.clone();
    set_account(&mut environment, &rules.account.name, system);
    if let Some(line) = line.filter(|line| !line.term.is_empty()) {
        environment.set("TERM", &line.term);
    }
    for (name, value) in &rules.environment {
        if is_permitted(&rules.permit_user_environment, name) {
            environment.set(name, value);
        }
    }
    environment
}

/// What ~/.ssh/environment may not change: what the configuration sets, and where the connection comes from.
pub(super) fn of_connection(rules: &SessionRules, line: Option<&Line>, task: &Task) -> Environment {
    let mut environment = Environment::default();
    for (name, value) in &rules.set_env {
        environment.set(name, value);
    }
    let (client, server) = (rules.client, rules.server);
    let (from, to) = (client.ip().to_canonical(), server.ip().to_canonical());
    environment.set("SSH_CLIENT", format!("{from} {} {}", client.port(), server.port()));
    environment.set("SSH_CONNECTION", format!("{from} {} {to} {}", client.port(), server.port()));
    if let Some(line) = line {
        environment.set("SSH_TTY", &line.name);
    }
    if let Some(original) = &task.original {
        environment.set("SSH_ORIGINAL_COMMAND", OsString::from_vec(original.clone()));
    }
    environment
}

fn set_account(environment: &mut Environment, name: &str, system: &SystemAccount) {
    environment.set("USER", name);
    environment.set("LOGNAME", name);
    environment.set("HOME", &system.home);
    environment.set("PATH", if system.uid == 0 { ROOT_PATH } else { PATH });
    environment.set("MAIL", format!("/var/mail/{name}"));
    environment.set("SHELL", shell_of(system));
    if let Some(zone) = std::env::var_os("TZ") {
        environment.set("TZ", zone);
    }
}

/// Whether PermitUserEnvironment lets a variable of the user's in.
pub(super) fn is_permitted(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|list| matches_list(name, list) == Verdict::Match)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Account;
    use crate::session::Asked;
    use std::net::SocketAddr;

    fn system() -> SystemAccount {
        let (home, shell) = ("/home/ada".into(), "".into());
        SystemAccount { uid: 1000, gid: 1000, gids: vec![1000], home, shell }
    }

    fn rules() -> SessionRules {
        let account = Account { name: "ada".into(), groups: Vec::new(), system: Some(system()) };
        let client = "[::ffff:192.0.2.7]:40000".parse().unwrap();
        SessionRules::new(account, client, SocketAddr::from(([192, 0, 2, 1], 22)))
    }

    fn value<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
        environment.iter().find(|(other, _)| *other == name)?.1.to_str()
    }

    fn accepted(patterns: &[&str], name: &str, value: &str) -> bool {
        let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.to_string()).collect();
        accept(&mut Environment::default(), &patterns, name.as_bytes(), value.as_bytes())
    }

    #[test]
    fn only_what_a_pattern_covers_is_let_in() {
        assert!(accepted(&["LANG", "LC_*"], "LC_ALL", "C"));
        assert!(!accepted(&["LANG", "LC_*"], "PATH", "/tmp"));
        assert!(!accepted(&[], "LANG", "C"));
    }

    #[test]
    fn what_steers_the_loader_needs_its_own_name() {
        for name in ["LD_PRELOAD", "BASH_ENV", "ENV", "IFS"] {
            assert!(!accepted(&["*"], name, "x"), "{name}");
            assert!(accepted(&["*", name], name, "x"), "{name}");
        }
    }

    #[test]
    fn what_no_environment_can_hold_is_refused() {
        for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0y")] {
            assert!(!accepted(&["*"], name, value), "{name:?} {value:?}");
        }
        assert!(!accept(&mut Environment::default(), &["*".into()], b"\xff", b"x"));
    }

    #[test]
    fn a_client_sets_so_many_variables_and_no_more() {
        let mut environment = Environment::default();
        let patterns = ["*".to_owned()];
        for number in 0..MAX_ACCEPTED {
            let name = format!("A{number}");
            assert!(accept(&mut environment, &patterns, name.as_bytes(), b""));
        }
        assert!(!accept(&mut environment, &patterns, b"B", b""));
        assert!(!accepted(&["*"], "A", &"x".repeat(MAX_ACCEPTED_BYTES)));
        assert!(accepted(&["*"], "A", &"x".repeat(MAX_ACCEPTED_BYTES - 1)));
    }

    #[test]
    fn the_account_wins_over_the_client_and_the_key_over_the_account() {
        let mut sent = Environment::default();
        for name in ["HOME", "PATH", "LANG"] {
            sent.set(name, "sent");
        }
        let mut rules = rules();
        rules.environment = vec![("PATH".into(), "/opt".into()), ("NO".into(), "x".into())];
        rules.permit_user_environment = vec!["PATH,LC_*".into()];
        let environment = of_account(&rules, &system(), &sent, None);
        let expected = [
            ("HOME", Some("/home/ada")),
            ("USER", Some("ada")),
            ("LOGNAME", Some("ada")),
            ("MAIL", Some("/var/mail/ada")),
            ("SHELL", Some("/bin/sh")),
            ("LANG", Some("sent")),
            ("PATH", Some("/opt")),
            ("NO", None),
        ];
        for (name, wanted) in expected {
            assert_eq!(value(&environment, name), wanted, "{name}");
        }
    }

    #[test]
    fn a_command_learns_where_it_was_called_from() {
        let mut rules = rules();
        rules.set_env = vec![("ROLE".into(), "x".into()), ("SSH_CLIENT".into(), "me".into())];
        rules.forced_command = Some("menu".into());
        let request = adit_engine::Request::Exec { command: b"ls".into() };
        let asked = Asked::new(&request, Environment::default());
        let task = Task::new(&asked, &rules).unwrap();
        let environment = of_connection(&rules, None, &task);
        let expected = [
            ("ROLE", "x"),
            ("SSH_CLIENT", "192.0.2.7 40000 22"),
            ("SSH_CONNECTION", "192.0.2.7 40000 192.0.2.1 22"),
            ("SSH_ORIGINAL_COMMAND", "ls"),
        ];
        for (name, wanted) in expected {
            assert_eq!(value(&environment, name), Some(wanted), "{name}");
        }
        assert_eq!(value(&environment, "SSH_TTY"), None);
    }
}

//! What runs in a session: the command asked for, or the one that is forced. RFC 4254 §6.5, sshd_config(5) ForceCommand.
//! Touches: command lines.   Never: starting them.
//! Invariants: where a command is forced nothing else runs, and what was asked for is a variable only.
//! Errors: a subsystem nobody configured.   Allocates: the command line.
//! Proved by: `tests` below.

use super::environment::Environment;
use super::rules::SessionRules;
use adit_engine::Request;
use std::path::Path;

/// What a session was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A login shell.
    Shell,
    /// A command.
    Exec,
    /// A subsystem of this name.
    Subsystem(String),
}

/// What a client wants to run, and what it wants to have set there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) kind: Kind,
    /// The command line of `exec`.
    pub(crate) command: Option<Vec<u8>>,
    /// What `env` requests set.
    pub(crate) environment: Environment,
}

impl Asked {
    /// By `exec`, `shell` or `subsystem`.
    pub(super) fn new(request: &Request<'_>, environment: Environment) -> Self {
        let (kind, command) = match request {
            Request::Exec { command } => (Kind::Exec, Some(command.to_vec())),
            Request::Subsystem { name } => (Kind::Subsystem(name.to_string()), None),
            _ => (Kind::Shell, None),
        };
        Self { kind, command, environment }
    }
}

/// Something to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// What was asked for.
    pub(crate) kind: Kind,
    /// The command line for the user's shell; none for a login shell.
    pub(crate) command: Option<Vec<u8>>,
    /// What was asked for, where something else is forced.
    pub(crate) original: Option<Vec<u8>>,
    /// Whether the command was forced.
    pub(crate) forced: bool,
}

/// What OpenSSH calls its own file server, and where systems keep the one that is a program.
const INTERNAL_SFTP: &str = "internal-sftp";
const SFTP_SERVERS: [&str; 6] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/sftp-server",
    "/usr/libexec/ssh/sftp-server",
];

impl Task {
    /// What is asked for, before anybody has decided about it.
    pub(super) fn as_asked(asked: &Asked) -> Self {
        let (kind, command) = (asked.kind.clone(), asked.command.clone());
        Self { kind, command, original: None, forced: false }
    }

    /// What it comes to under these rules.
    ///
    /// # Errors
    /// Words for the log.
    pub(super) fn new(asked: &Asked, rules: &SessionRules) -> Result<Self, String> {
        let kind = asked.kind.clone();
        let asked = match &asked.kind {
            Kind::Exec => asked.command.clone(),
            Kind::Subsystem(name) => {
                let command = rules
                    .subsystem(name)
                    .ok_or_else(|| format!("no subsystem {name:?} is configured"))?;
                Some(in_full(command)?.into_bytes())
            }
            Kind::Shell => None,
        };
        match &rules.forced_command {
            None => Ok(Self { kind, command: asked, original: None, forced: false }),
            Some(forced) => {
                let command = Some(in_full(forced)?.into_bytes());
                Ok(Self { kind, command, original: asked, forced: true })
            }
        }
    }
}

/// A configured command, with the file server of this system in the place of the internal one.
///
/// # Errors
/// When this system has no file server; the configuration is refused for it.
pub(crate) fn in_full(command: &str) -> Result<String, String> {
    let Some(arguments) = command.strip_prefix(INTERNAL_SFTP) else {
        return Ok(command.to_owned());
    };
    if !(arguments.is_empty() || arguments.starts_with(char::is_whitespace)) {
        return Ok(command.to_owned());
    }
    let server = SFTP_SERVERS.iter().find(|path| Path::new(path).is_file());
    server.map(|path| format!("{path}{arguments}")).ok_or_else(|| {
        format!("{INTERNAL_SFTP}: no sftp-server in the usual places ({})", SFTP_SERVERS.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Account;
    use std::net::SocketAddr;

    fn rules() -> SessionRules {
        let account = Account { name: "ada".into(), groups: Vec::new(), system: None };
        let end = SocketAddr::from(([127, 0, 0, 1], 1));
        SessionRules {
            subsystems: vec![("echo".into(), "/bin/cat -u".into())],
            ..SessionRules::new(account, end, end)
        }
    }

    fn exec(command: &'static str) -> Request<'static> {
        Request::Exec { command: command.as_bytes().into() }
    }

    fn found(request: &Request<'_>, rules: &SessionRules) -> Result<Task, String> {
        Task::new(&Asked::new(request, Environment::default()), rules)
    }

    #[test]
    fn what_is_asked_for_runs_where_nothing_is_forced() {
        let task = found(&exec("ls"), &rules()).unwrap();
        let command = Some(b"ls".to_vec());
        assert_eq!(task, Task { kind: Kind::Exec, command, original: None, forced: false });
        let shell = found(&Request::Shell, &rules()).unwrap();
        assert_eq!((shell.kind, shell.command), (Kind::Shell, None));
    }

    #[test]
    fn a_forced_command_takes_the_place_of_everything_and_is_told_what_was_asked() {
        let rules = SessionRules { forced_command: Some("menu".into()), ..rules() };
        let subsystem = Request::Subsystem { name: "echo".into() };
        for (request, original) in [
            (exec("rm -r /"), Some("rm -r /")),
            (Request::Shell, None),
            (subsystem, Some("/bin/cat -u")),
        ] {
            let task = found(&request, &rules).unwrap();
            assert_eq!(task.command.as_deref(), Some(&b"menu"[..]));
            assert_eq!(task.original.as_deref(), original.map(str::as_bytes));
            assert!(task.forced);
        }
    }

    #[test]
    fn a_subsystem_runs_only_as_configured() {
        let task = found(&Request::Subsystem { name: "echo".into() }, &rules()).unwrap();
        assert_eq!(task.command.as_deref(), Some(&b"/bin/cat -u"[..]));
        let unknown = Request::Subsystem { name: "sftp".into() };
        assert!(found(&unknown, &rules()).unwrap_err().contains("\"sftp\""));
    }

    #[test]
    fn the_internal_file_server_is_found_by_its_name_alone() {
        assert_eq!(in_full("internal-sftpd -x").unwrap(), "internal-sftpd -x");
        match in_full("internal-sftp -d /srv") {
            Ok(command) => assert!(command.ends_with("/sftp-server -d /srv"), "{command}"),
            Err(words) => assert!(words.contains("no sftp-server"), "{words}"),
        }
    }
}

//! The sandbox: what a gateway still needs once it is set up; all else is given up. docs/SECURITY.md.
//! Touches: this process's rights.   Never: a connection; a file's content.
//! Invariants: entered before the first thread and the first connection; who starts sessions stays outside; where there is a
//! keeper who talks to clients is inside, and a gateway's keeper as well, each with its own half of what is needed.
//! Errors: none; what a kernel cannot do is in the log at DEBUG1.   Allocates: once.
//! Proved by: `tests` below, interop `sandbox.rs` and `server::gateway`, which runs in it.

use crate::log::Destination;
use adit_config::server::{ServerConfig, ServerOptions};
use adit_config::types::{AllowForwarding, Role};
use adit_sandbox::{Policy, Ports, enter};
use std::path::{Path, PathBuf};

/// Where names are asked for when an answer is too long for a datagram.
const DNS: u16 = 53;

/// What this process is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole server.
    Everything,
    /// The keeper: another process talks to clients.
    Keeper,
}

/// Enters it where the role allows; gives what there is to say of it.
pub(crate) fn confine(config: &ServerConfig, log: &Destination, part: Part) -> String {
    let options = config.global_options();
    match options.role {
        _ if !options.sandbox => "off".to_owned(),
        Role::Gateway => {
            let everything = policy(config, log);
            let policy = match part {
                Part::Everything => everything,
                Part::Keeper => keepers(everything),
            };
            enter(&policy).to_string()
        }
        Role::Auto | Role::User | Role::System => {
            "off: sessions would inherit it; Role gateway has none".to_owned()
        }
    }
}

/// The same for the process that talks to the network.
pub(crate) fn confine_network(options: &ServerOptions) -> String {
    match options.sandbox {
        true => enter(&networks()).to_string(),
        false => "off".to_owned(),
    }
}

/// Ports, and nothing that has a name in the file system.
fn networks() -> Policy {
    Policy { bind: Ports::Any, connect: Ports::Any, ..Policy::default() }
}

/// Clients' connections are the other process's, which was started before and may have to be ended.
fn keepers(everything: Policy) -> Policy {
    Policy { connect: Ports::Only(vec![DNS]), signals: true, ..everything }
}

/// What a gateway of this configuration needs, also after it was read again.
fn policy(config: &ServerConfig, log: &Destination) -> Policy {
    let parts = config.options_of_parts();
    let mut read: Vec<PathBuf> = config.files().iter().map(|file| beside(file)).collect();
    read.extend(parts.iter().flat_map(named));
    let pid_file = parts.iter().filter_map(|options| options.pid_file.as_deref());
    let mut write: Vec<PathBuf> = pid_file.map(|file| beside(Path::new(file))).collect();
    if let Destination::File(file) = log {
        // A file that is rotated away is made anew.
        write.push(beside(file));
    }
    let root = || PathBuf::from("/");
    Policy {
        read: distinct(read),
        write: distinct(write),
        // Clients say where.
        sockets: parts.iter().any(listens_on_sockets).then(root).into_iter().collect(),
        bind: Ports::Any,
        connect: Ports::Any,
        names: true,
        programs: parts.iter().any(starts_programs),
        signals: false,
    }
}

/// Folders of all files that options name: files are replaced while we run.
fn named(options: &ServerOptions) -> impl Iterator<Item = PathBuf> + use<> {
    let lists = [
        &options.host_keys,
        &options.host_certificates,
        &options.revoked_keys,
        &options.authorized_keys_files,
    ];
    let singles = [
        &options.authorized_principals_file,
        &options.banner,
        &options.trusted_user_ca_keys,
        &options.users_file,
    ];
    let names = lists.into_iter().flatten().chain(singles.into_iter().flatten());
    let folders: Vec<PathBuf> = names.filter_map(|name| folder_of(name)).collect();
    folders.into_iter()
}

/// The folder of a file whose name may have tokens in it; none for a name that is not whole, which is in no home here.
fn folder_of(name: &str) -> Option<PathBuf> {
    let fixed = name.split('%').next().unwrap_or_default();
    let (folder, _) = fixed.rsplit_once('/')?;
    fixed.starts_with('/').then(|| if folder.is_empty() { "/".into() } else { folder.into() })
}

fn beside(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => ".".into(),
    }
}

fn distinct(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    paths.dedup();
    paths
}

fn listens_on_sockets(options: &ServerOptions) -> bool {
    let allowed = options.allow_stream_local_forwarding;
    !options.disable_forwarding && matches!(allowed, AllowForwarding::Yes | AllowForwarding::Remote)
}

fn starts_programs(options: &ServerOptions) -> bool {
    options.authorized_keys_command.is_some() || options.authorized_principals_command.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::ALGORITHMS;

    fn of(lines: &str, log: &Destination) -> Policy {
        let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        policy(&ServerConfig::load(None, &lines, &ALGORITHMS).unwrap(), log)
    }

    #[test]
    fn what_is_read_are_the_folders_of_what_is_named() {
        let wanted = of(
            "HostKey /a/keys/host\nHostKey /a/keys/other\nAuthorizedKeysFile /b/%u/keys .ssh/authorized_keys\n\
             UsersFile /c/users\nBanner none",
            &Destination::Stderr,
        );
        assert_eq!(wanted.read, ["/a/keys", "/b", "/c"].map(PathBuf::from));
        assert!(wanted.write.is_empty() && wanted.names && !wanted.programs);
        assert_eq!((wanted.bind, wanted.connect), (Ports::Any, Ports::Any));
    }

    #[test]
    fn what_is_written_are_the_log_and_the_number_of_the_process() {
        let log = Destination::File("/var/log/aditd/log".into());
        let wanted = of("PidFile /run/aditd/pid", &log);
        assert_eq!(wanted.write, ["/run/aditd", "/var/log/aditd"].map(PathBuf::from));
    }

    #[test]
    fn unix_sockets_are_made_only_where_a_client_may_ask_for_them() {
        let sockets = |lines| of(lines, &Destination::Stderr).sockets.len();
        assert_eq!(sockets(""), 1);
        assert_eq!(sockets("AllowStreamLocalForwarding remote"), 1);
        for closed in ["AllowStreamLocalForwarding no", "AllowStreamLocalForwarding local"] {
            assert_eq!(sockets(closed), 0, "{closed}");
        }
        assert_eq!(sockets("DisableForwarding yes"), 0);
    }

    #[test]
    fn a_gateway_that_asks_a_program_for_keys_can_start_it() {
        let lines = "AuthorizedKeysCommand /bin/keys\nAuthorizedKeysCommandUser nobody";
        assert!(of(lines, &Destination::Stderr).programs);
    }

    #[test]
    fn only_a_gateway_is_confined_and_only_if_wanted() {
        let confined = |line: &str| {
            let config = ServerConfig::load(None, &[line.to_owned()], &ALGORITHMS).unwrap();
            confine(&config, &Destination::Stderr, Part::Everything)
        };
        assert!(confined("Role user").starts_with("off: "));
        assert!(confined("Role system").starts_with("off: "));
        let lines = ["Role gateway".to_owned(), "Sandbox no".to_owned()];
        let config = ServerConfig::load(None, &lines, &ALGORITHMS).unwrap();
        for part in [Part::Everything, Part::Keeper] {
            assert_eq!(confine(&config, &Destination::Stderr, part), "off");
        }
        assert_eq!(confine_network(&config.global_options()), "off");
    }

    #[test]
    fn of_two_processes_one_has_files_and_the_other_clients() {
        let network = networks();
        assert!(network.read.is_empty() && network.write.is_empty() && network.sockets.is_empty());
        assert!(!network.names && !network.programs && !network.signals);
        assert_eq!((network.bind, network.connect), (Ports::Any, Ports::Any));
        let whole = of("HostKey /a/keys/host", &Destination::Stderr);
        let keeper = keepers(whole.clone());
        assert_eq!(keeper.connect, Ports::Only(vec![DNS]));
        assert_eq!(Policy { connect: Ports::Any, signals: false, ..keeper }, whole);
    }
}

//! The sandbox: what the tunnel still needs once it stands; all else is given up. docs/SECURITY.md.
//! Touches: this process's rights.   Never: whether somebody is let in; a file's content.
//! Invariants: it is entered when the login is over and every listener is there, whatever the server answers to what is asked of it.
//! Errors: none; what a kernel cannot do is said at `-v`.   Allocates: once.
//! Proved by: `tests` below, interop `sandbox.rs`, and all of interop, which runs in it.
//!
//! ```text
//! Outside ──► WithKnownHosts ──► Inside
//!    └──────────────────────────────┘
//! ```

use crate::log::debug;
use adit_config::Options;
use adit_config::types::UpdateHostKeys;
use adit_forward::Target;
use adit_forward::spec::Listen;
use adit_sandbox::{Policy, Ports, enter};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Names are looked up over TCP where an answer is long.
const DOMAIN: u16 = 53;

/// How far the tunnel is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// `--no-sandbox`
    Off,
    Outside,
    /// The server may still name further host keys.
    WithKnownHosts,
    Inside,
}

/// The tunnel's own sandbox.
#[derive(Debug)]
pub(crate) struct Sandbox {
    stage: Stage,
}

impl Sandbox {
    pub(crate) fn new(wanted: bool) -> Self {
        if !wanted {
            debug!("sandbox: off");
        }
        Self { stage: if wanted { Stage::Outside } else { Stage::Off } }
    }

    /// Enters it; `known_hosts` are files that UpdateHostKeys may still write.
    pub(crate) fn enter(&mut self, options: &Options, known_hosts: &[PathBuf]) {
        let next = if known_hosts.is_empty() { Stage::Inside } else { Stage::WithKnownHosts };
        // Who asks the user may have to start a program for it: that comes first.
        let asks = options.update_host_keys == UpdateHostKeys::Ask;
        let goes_on = match self.stage {
            Stage::Off | Stage::Inside => false,
            Stage::Outside => next == Stage::Inside || !asks,
            Stage::WithKnownHosts => next == Stage::Inside,
        };
        if goes_on {
            debug!("sandbox: {}", enter(&policy(options, known_hosts)));
            self.stage = next;
        }
    }
}

/// What these options still need.
fn policy(options: &Options, known_hosts: &[PathBuf]) -> Policy {
    let names = options.remote_forwards.iter().any(|spec| names_a_host(&spec.target));
    let mut ports: Vec<u16> = names.then_some(DOMAIN).into_iter().collect();
    ports.extend(options.remote_forwards.iter().filter_map(|spec| port(&spec.target)));
    let any = options.remote_forwards.iter().any(|spec| spec.target == Target::Dynamic);
    Policy {
        write: known_hosts.iter().map(|file| place(file)).collect(),
        sockets: options.local_forwards.iter().filter_map(|spec| folder(&spec.listen)).collect(),
        connect: if any { Ports::Any } else { Ports::Only(ports) },
        names,
        ..Policy::default()
    }
}

fn names_a_host(target: &Target) -> bool {
    match target {
        Target::Tcp { host, .. } => host.parse::<IpAddr>().is_err(),
        Target::Unix(_) => false,
        Target::Dynamic => true,
    }
}

fn port(target: &Target) -> Option<u16> {
    match target {
        Target::Tcp { port, .. } => Some(*port),
        Target::Unix(_) | Target::Dynamic => None,
    }
}

/// The folder of a unix socket, which is removed at the end.
fn folder(listen: &Listen) -> Option<PathBuf> {
    match listen {
        Listen::Unix(path) => Some(beside(Path::new(path))),
        Listen::Tcp { .. } => None,
    }
}

/// What is opened to write a file anew: its folder, since the new one is made beside it; a device by itself.
fn place(file: &Path) -> PathBuf {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    if file.exists() && !file.is_file() { file } else { beside(&file) }
}

fn beside(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => ".".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::options;

    #[test]
    fn local_forwards_need_nothing_but_their_sockets_folder() {
        let options = options(&["LocalForward 8080 db:80", "LocalForward /run/me/s db:80"]);
        let sockets = vec!["/run/me".into()];
        assert_eq!(policy(&options, &[]), Policy { sockets, ..Policy::default() });
    }

    #[test]
    fn remote_forwards_need_their_ports_and_names_only_where_they_name_hosts() {
        let by_address = options(&["RemoteForward 1 127.0.0.1:80", "RemoteForward 2 [::1]:81"]);
        let wanted = policy(&by_address, &[]);
        assert_eq!((wanted.connect, wanted.names), (Ports::Only(vec![80, 81]), false));
        let by_name = policy(&options(&["RemoteForward 1 db:80"]), &[]);
        assert_eq!((by_name.connect, by_name.names), (Ports::Only(vec![53, 80]), true));
        let dynamic = policy(&options(&["RemoteForward 1"]), &[]);
        assert_eq!((dynamic.connect, dynamic.names), (Ports::Any, true));
    }

    #[test]
    fn known_hosts_are_written_by_way_of_their_folder_and_devices_alone() {
        for (file, wanted) in
            [("/nowhere/known_hosts", "/nowhere"), ("/dev/null", "/dev/null"), ("known_hosts", ".")]
        {
            assert_eq!(place(Path::new(file)), Path::new(wanted));
        }
    }
}

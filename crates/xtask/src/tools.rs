//! The programs that tests need, installed where that is possible and named where it is not.
//! Touches: PATH, apt-get as root.   Never: another package manager, another user's files.
//! Invariants: what is installed is said before it is.
//! Errors: none; what stays missing is given back by name.   Allocates: names.
//! Proved by: CI on a machine that has none of them.

use crate::report::{run, succeeds};
use std::{collections::BTreeSet, path::Path, process::Command};

/// A program, the Debian package it comes in, and what does not run without it.
#[derive(Debug)]
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
    /// What does not run without it.
    pub(crate) needed_for: Need,
}

/// What a missing tool takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// All interop tests, and the demo.
    Interop,
    /// The tests against servers in containers; these skip themselves.
    Containers,
    /// The server's tests with clients that are not OpenSSH's, and what runs through it; these skip themselves.
    Clients,
    /// The tests with peers that are Python packages; these skip themselves.
    Python,
    /// The tests in which calls fail and the time of day jumps; these skip themselves.
    Faults,
}

const TOOLS: &[Tool] = &[
    Tool { program: "sshd", package: "openssh-server", needed_for: Need::Interop },
    Tool { program: "ssh", package: "openssh-client", needed_for: Need::Interop },
    Tool { program: "ssh-keygen", package: "openssh-client", needed_for: Need::Interop },
    Tool { program: "ssh-agent", package: "openssh-client", needed_for: Need::Interop },
    Tool { program: "curl", package: "curl", needed_for: Need::Interop },
    Tool { program: "podman", package: "podman", needed_for: Need::Containers },
    Tool { program: "runc", package: "runc", needed_for: Need::Containers },
    Tool { program: "debootstrap", package: "debootstrap", needed_for: Need::Containers },
    Tool { program: "dbclient", package: "dropbear-bin", needed_for: Need::Clients },
    Tool { program: "plink", package: "putty-tools", needed_for: Need::Clients },
    Tool { program: "puttygen", package: "putty-tools", needed_for: Need::Clients },
    Tool { program: "rsync", package: "rsync", needed_for: Need::Clients },
    Tool { program: "git", package: "git", needed_for: Need::Clients },
    Tool { program: "python3", package: "python3-venv", needed_for: Need::Python },
    Tool { program: "strace", package: "strace", needed_for: Need::Faults },
    Tool { program: "faketime", package: "faketime", needed_for: Need::Faults },
];

impl Tool {
    fn is_there(&self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain([Path::new("/usr/sbin").into()]);
        let found = folders.into_iter().any(|folder| folder.join(self.program).is_file());
        // Debian ships a Python that cannot make virtual environments.
        found && (self.program != "python3" || python_makes_environments())
    }
}

fn python_makes_environments() -> bool {
    succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]))
}

/// Installs what is missing for `needs`, as root on Debian; gives what is missing afterwards.
pub(crate) fn ensure(needs: &[Need]) -> Vec<&'static Tool> {
    let missing =
        || TOOLS.iter().filter(|tool| needs.contains(&tool.needed_for) && !tool.is_there());
    let packages: BTreeSet<_> = missing().map(|tool| tool.package).collect();
    if !packages.is_empty() && rustix::process::geteuid().is_root() && has_apt() {
        println!(
            "installing with apt-get: {}",
            packages.iter().copied().collect::<Vec<_>>().join(" ")
        );
        let installed = run(apt().arg("update")).and_then(|()| {
            run(apt().args(["install", "--yes", "--no-install-recommends"]).args(&packages))
        });
        if let Err(reason) = installed {
            println!("apt-get: {reason}");
        }
    }
    missing().collect()
}

/// The packages of some tools, for a message.
pub(crate) fn packages(tools: &[&Tool]) -> String {
    let packages: BTreeSet<_> = tools.iter().map(|tool| tool.package).collect();
    packages.into_iter().collect::<Vec<_>>().join(", ")
}

fn has_apt() -> bool {
    succeeds(Command::new("apt-get").arg("--version"))
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet=2");
    command
}

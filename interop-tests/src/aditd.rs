//! The server under test: `aditd`, or what `ADITD_BIN` names.
//! Touches: one server process per guard.   Never: the machine's own servers or their files.
//! Invariants: it gets sshd's command line and configuration, and its own keywords only where it is ours.
//! Errors: a panic with the server's log.   Allocates: freely.
//! Proved by: `tests/interop/server`, which also passes with `ADITD_BIN=/usr/sbin/sshd`.

use crate::{
    client::beside_the_tests,
    skip::skip,
    sshd::{Setup, Sshd},
};
use std::{env, path::PathBuf, process::Command, sync::OnceLock};

/// The program under test.
///
/// # Panics
/// When `ADITD_BIN` is not set and no `aditd` was built beside the tests.
pub fn program() -> PathBuf {
    env::var_os("ADITD_BIN").map_or_else(|| beside_the_tests("aditd", "ADITD_BIN"), PathBuf::from)
}

/// Whether the program under test is ours, where it does better than sshd on purpose.
pub fn is_aditd() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let output =
            Command::new(program()).arg("-V").output().expect("the server under test starts");
        !String::from_utf8_lossy(&output.stderr).contains("OpenSSH")
    })
}

/// Whether a test of what only aditd has can run; skips it aloud when not.
pub fn only_aditd() -> bool {
    if !is_aditd() {
        skip("sshd has nothing like it");
    }
    is_aditd()
}

/// Whether this is root, who alone can let other users in; skips the test aloud when not.
pub fn only_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("only root lets others in");
    }
    root
}

/// The user who runs the tests logs in; nobody else does.
pub fn setup() -> Setup {
    with_role("user")
}

/// The same with a program of ours that lies elsewhere, for example a release build.
pub fn setup_of(program: PathBuf) -> Setup {
    with_subsystem(Setup::default().program(program)).default_line("Role user")
}

/// The same, where this test may count its descriptors: of a process that hides its memory only root sees them.
pub fn open_to_us() -> Setup {
    let setup = setup();
    if is_aditd() && !rustix::process::geteuid().is_root() {
        setup.arg("--no-sandbox")
    } else {
        setup
    }
}

/// Users of the system log in; for root.
pub fn system() -> Setup {
    with_role("system")
}

/// Users that exist in the configuration only; ours alone has it.
pub fn gateway() -> Setup {
    with_role("gateway")
}

/// bash reads its user's start-up files for a remote command too, unless it takes itself for a shell within a shell.
const NO_BASHRC: &str = "SetEnv SHLVL=9";

fn with_role(role: &str) -> Setup {
    let setup = Setup::default().program(program()).default_line("LogLevel VERBOSE");
    let setup = setup.default_line(NO_BASHRC);
    let setup = if role == "gateway" { setup } else { with_subsystem(setup) };
    if is_aditd() { setup.default_line(format!("Role {role}")) } else { setup }
}

fn with_subsystem(setup: Setup) -> Setup {
    match sftp_server() {
        Some(path) => setup.default_line(format!("Subsystem sftp {}", path.display())),
        None => setup,
    }
}

/// A server with the settings that most tests want.
pub fn start() -> Sshd {
    setup().start()
}

/// A server with these lines of sshd_config.
pub fn with(lines: &[&str]) -> Sshd {
    lines.iter().fold(setup(), |setup, line| setup.line(*line)).start()
}

/// Where OpenSSH's file server is.
pub fn sftp_server() -> Option<PathBuf> {
    let places = ["/usr/lib/openssh", "/usr/libexec/openssh", "/usr/lib/ssh", "/usr/libexec"];
    places
        .iter()
        .map(|folder| PathBuf::from(folder).join("sftp-server"))
        .find(|path| path.is_file())
}

//! The launcher: a fresh process that becomes the user, and then the user's shell. sshd(8) LOGIN PROCESS.
//! Touches: its own session, terminal, rights, root, directory and descriptors.   Never: anybody else's.
//! Invariants: nothing of the user's is looked at before its rights are given up; it has none that were not there before.
//! Errors: a line on stderr, which is the client's, and an exit status as sshd's.   Allocates: once.
//! Proved by: `tests` below, `tests/launch.rs`.
//!
//! `fork` and what may follow it are no code for a process with threads, and not without `unsafe`. So the program is
//! started anew, in this mode, and does here what sshd does between `fork` and `exec`.

use super::environment::{Environment, is_permitted};
use super::jail;
use super::plan::{BEFORE, BEHIND, Identity, Orders};
use adit_keys::bounded::read;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Gid, Resource, Rlimit, Uid};
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Exit statuses of what could not be started, as sshd's.
const NOT_STARTED: u8 = 255;
const NO_LOGIN: u8 = 254;
const NOT_EXECUTED: u8 = 1;

const NOLOGIN: &str = "/etc/nologin";
const MOTD: &str = "/etc/motd";
const SYSTEM_RC: &str = "/etc/ssh/sshrc";
/// Lines of ~/.ssh/environment; sshd counts as far.
const MAX_LINES: usize = 1000;

/// A larger file counts for nothing.
const MAX_ENVIRONMENT: u64 = 1 << 20;

/// What is to be said, and the exit status behind it.
struct Failure(String, u8);

impl Failure {
    fn new(what: impl Display, error: impl Display) -> Self {
        Self(format!("{what}: {error}\n"), NOT_STARTED)
    }
}

/// Becomes what the arguments say; gives back only what went wrong.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Err(Failure(words, status)) = launch(arguments);
    let _ = io::stderr().write_all(words.as_bytes());
    ExitCode::from(status)
}

enum Never {}

fn launch(arguments: impl Iterator<Item = OsString>) -> Result<Never, Failure> {
    let orders = Orders::decode(arguments).map_err(|words| Failure(words + "\n", NOT_STARTED))?;
    close_inherited();
    detach(&orders)?;
    default_signals();
    let mask = rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::process::umask(mask | Mode::from_raw_mode(0o022));
    limit_files(&orders);
    // Ours is for what we keep secret.
    orders.images.into_iter().for_each(adit_sandbox::allow_images);
    check_nologin(&orders)?;
    rustix::process::chdir("/").map_err(|error| Failure::new("/", error))?;
    if let Some(directory) = &orders.chroot {
        jail::enter(directory).map_err(|words| Failure(words + "\n", NOT_STARTED))?;
    }
    if let Some(identity) = &orders.identity {
        become_user(identity).map_err(|error| Failure::new("cannot become the user", error))?;
    }
    let environment = environment(&orders);
    go_home(&orders);
    show_motd(&orders);
    run_rc(&orders, &environment);
    Err(execute(&orders, &environment))
}

/// Whatever was open is not the user's business. All of ours closes by itself; this is for what others left open.
pub(crate) fn close_inherited() {
    let Ok(directory) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<i32> = directory
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // The directory itself is among them and is closed already.
        let _ = nix::unistd::close(fd);
    }
}

/// A session of its own, with the terminal in control of it.
fn detach(orders: &Orders) -> Result<(), Failure> {
    rustix::process::setsid().map_err(|error| Failure::new("setsid", error))?;
    if orders.terminal {
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())
            .map_err(|error| Failure::new("cannot take control of the terminal", error))?;
    }
    Ok(())
}

/// Gives ignored signals their defaults back: a signal with a handler is reset when the shell is executed.
/// The mask of blocked signals and SIGPIPE are the standard library's to reset, and it does.
fn default_signals() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let Some(ignored) = ignored_signals(&status) else { return };
    for signal in (1..=31).filter(|signal| ignored >> (signal - 1) & 1 == 1) {
        // Those that cannot be handled cannot be ignored either.
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
}

fn ignored_signals(status: &str) -> Option<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

/// A server of many connections raises its limit; programs that use select(2) do not live well with that.
fn limit_files(orders: &Orders) {
    if orders.files.is_some() {
        let limit = rustix::process::getrlimit(Resource::Nofile);
        let limit = Rlimit { current: orders.files, ..limit };
        // More than the hard limit cannot be had, and then what there is stays.
        let _ = rustix::process::setrlimit(Resource::Nofile, limit);
    }
}

/// Whoever is not root stays out while /etc/nologin is there, and reads why.
fn check_nologin(orders: &Orders) -> Result<(), Failure> {
    let own = rustix::process::geteuid().as_raw();
    if orders.identity.as_ref().map_or(own, |identity| identity.uid) == 0 {
        return Ok(());
    }
    match std::fs::read(NOLOGIN) {
        Ok(words) => Err(Failure(String::from_utf8_lossy(&words).into_owned(), NO_LOGIN)),
        Err(_) => Ok(()),
    }
}

/// Groups first, the user last, and then proves that there is no way back.
fn become_user(identity: &Identity) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    let groups: Vec<Gid> = identity.gids.iter().map(|gid| Gid::from_raw(*gid)).collect();
    // There is one thread here: its rights are those of the process.
    rustix::thread::set_thread_groups(&groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    let is_user = rustix::process::getuid() == uid && rustix::process::geteuid() == uid;
    let is_group = rustix::process::getgid() == gid && rustix::process::getegid() == gid;
    let root = Uid::ROOT;
    let came_back =
        !uid.is_root() && rustix::thread::set_thread_res_uid(root, root, root) != Err(Errno::PERM);
    if is_user && is_group && !came_back {
        Ok(())
    } else {
        Err(io::Error::other("the system did not do as it was told"))
    }
}

/// What came from the server, with ~/.ssh/environment between the variables it may change and those it may not.
fn environment(orders: &Orders) -> Environment {
    let mut environment = Environment::default();
    set_marked(&mut environment, BEFORE);
    if !orders.user_environment.is_empty() {
        let path = orders.home.join(".ssh/environment");
        let text = read(&path, MAX_ENVIRONMENT).ok().and_then(|text| String::from_utf8(text).ok());
        if let Some(text) = text {
            set_user_environment(&mut environment, &text, &orders.user_environment, &path);
        }
    }
    set_marked(&mut environment, BEHIND);
    environment
}

fn set_marked(environment: &mut Environment, digit: u8) {
    for (name, value) in std::env::vars_os() {
        if let Some((first, rest)) = name.as_bytes().split_first() {
            if *first == digit {
                environment.set(OsStr::from_bytes(rest), value);
            }
        }
    }
}

/// Empty lines, comments, and `NAME=value`.
fn set_user_environment(
    environment: &mut Environment,
    text: &str,
    permitted: &[String],
    path: &Path,
) {
    for (at, line) in text.lines().enumerate().take(MAX_LINES) {
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) if is_permitted(permitted, name) => environment.set(name, value),
            Some(_) => {}
            None => complain(&format!("{}:{}: not NAME=value", path.display(), at + 1)),
        }
    }
}

fn complain(words: &str) {
    let _ = writeln!(io::stderr(), "{words}");
}

/// Home, or the root directory with a word about it; in a chroot homes are often not there.
fn go_home(orders: &Orders) {
    if let Err(error) = rustix::process::chdir(&orders.home) {
        if orders.chroot.is_none() {
            let error = io::Error::from(error);
            complain(&format!("{}: no such home directory: {error}", orders.home.display()));
        }
    }
}

fn show_motd(orders: &Orders) {
    if orders.motd && !orders.home.join(".hushlogin").exists() {
        if let Ok(text) = std::fs::read(MOTD) {
            let _ = io::stdout().write_all(&text).and_then(|()| io::stdout().flush());
        }
    }
}

/// ~/.ssh/rc by the user's shell, else the system's; what they say goes where the command's words go.
fn run_rc(orders: &Orders, environment: &Environment) {
    if !orders.rc {
        return;
    }
    let rc = if orders.user_rc && orders.home.join(".ssh/rc").exists() {
        (orders.shell.as_os_str(), vec!["-c", "/bin/sh .ssh/rc"])
    } else if Path::new(SYSTEM_RC).exists() {
        (OsStr::new("/bin/sh"), vec![SYSTEM_RC])
    } else {
        return;
    };
    let mut command = Command::new(rc.0);
    command.args(rc.1).stdin(Stdio::null()).env_clear().envs(environment.iter());
    if let Err(error) = command.status() {
        complain(&format!("{}: {error}", rc.0.to_string_lossy()));
    }
}

/// The user's shell, with the command or as a login shell; there is a return only if that fails.
fn execute(orders: &Orders, environment: &Environment) -> Failure {
    let name = orders.shell.file_name().unwrap_or(orders.shell.as_os_str());
    let mut shell = Command::new(&orders.shell);
    shell.env_clear().envs(environment.iter());
    match &orders.command {
        Some(command) => shell.arg0(name).arg("-c").arg(command),
        None => shell.arg0(OsString::from_vec([b"-", name.as_bytes()].concat())),
    };
    let error = shell.exec();
    Failure(format!("{}: {error}\n", orders.shell.display()), NOT_EXECUTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::Scratch;

    #[test]
    fn the_ignored_signals_are_read_from_the_kernels_words() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored_signals(status), Some(0x1001));
        assert_eq!(ignored_signals("Name:\tx\n"), None);
    }

    #[test]
    fn a_users_environment_file_sets_what_is_permitted() {
        let mut environment = Environment::default();
        let text = "# mine\n\n  LANG=C\nPATH=/tmp\nA=b=c\nnonsense\n";
        let permitted = ["LANG,A".to_owned()];
        set_user_environment(&mut environment, text, &permitted, Path::new("environment"));
        let set: Vec<_> = environment.iter().collect();
        assert_eq!(set, [("LANG", "C"), ("A", "b=c")].map(|(n, v)| (n.as_ref(), v.as_ref())));
    }

    #[test]
    fn a_users_environment_file_is_a_mebibyte_long_at_most() {
        let scratch = Scratch::new("environment");
        let user_environment = vec!["*".to_owned()];
        let orders = Orders { home: scratch.path(""), user_environment, ..Orders::default() };
        let set_by = |bytes: usize| {
            let text = "A=1\n#".to_owned() + &"x".repeat(bytes - 5);
            scratch.file(".ssh/environment", &text, 0o600);
            environment(&orders).iter().any(|(name, _)| name == "A")
        };
        assert!(set_by(1 << 20));
        assert!(!set_by((1 << 20) + 1));
    }
}

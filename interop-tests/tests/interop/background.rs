//! `-f`: the shell gets its prompt back when the tunnel stands, and an error when it does not.

use adit_interop_tests::{
    carry::through_echo,
    child::send,
    client::Invocation,
    deadline::eventually,
    ports::{connect, free_port, listeners},
    service::Service,
    sshd::Sshd,
};
use rustix::process::Signal;
use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
};

/// Ends the background process of one server's client, found by the key file that only this test has.
struct Background<'a>(&'a Sshd);

impl Background<'_> {
    fn pids(&self) -> Vec<u32> {
        let key = self.0.endpoint.identity.to_str().expect("scratch paths are UTF-8");
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter(|entry| {
                fs::read_to_string(entry.path().join("cmdline"))
                    .is_ok_and(|line| line.contains(key))
            })
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        self.pids().into_iter().for_each(|pid| send(pid, Signal::KILL));
    }
}

/// Runs with `-f`; the streams go nowhere, as the background process keeps them.
fn run(invocation: &Invocation) -> Option<i32> {
    let mut command: Command = invocation.clone().arg("-fN").command(&[]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the client starts");
    eventually("the foreground process's end", || child.try_wait().expect("our child")).code()
}

#[test]
fn the_tunnel_stands_when_the_command_returns() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let background = Background(&sshd);
    let (local, remote) = (free_port(), free_port());
    let invocation = Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())])
        .args(["-R", &format!("127.0.0.1:{remote}:127.0.0.1:{}", echo.port())]);
    assert_eq!(run(&invocation), Some(0));
    assert_eq!((listeners(local).len(), listeners(remote).len()), (1, 1), "no waiting needed");
    through_echo(&mut connect(local), 10_000);
    through_echo(&mut connect(remote), 10_000);
    assert_eq!(background.pids().len(), 1);
}

#[test]
fn a_taken_local_port_is_the_commands_failure() {
    let (sshd, taken) = (Sshd::start(), free_port());
    let background = Background(&sshd);
    let _holder = TcpListener::bind(("127.0.0.1", taken)).expect("a free port");
    let invocation = Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-L", &format!("127.0.0.1:{taken}:127.0.0.1:9")]);
    assert_eq!(run(&invocation), Some(255));
    assert!(background.pids().is_empty());
}

#[test]
fn a_refused_remote_port_is_the_commands_failure() {
    let (sshd, port) = (Sshd::with(&["AllowTcpForwarding local"]), free_port());
    let background = Background(&sshd);
    let invocation = Invocation::to(&sshd.endpoint)
        .option("ExitOnForwardFailure=yes")
        .args(["-R", &format!("127.0.0.1:{port}:127.0.0.1:9")]);
    assert_eq!(run(&invocation), Some(255));
    assert!(background.pids().is_empty());
}

#[test]
fn a_denied_login_is_the_commands_failure() {
    let (sshd, other) = (Sshd::start(), Sshd::start());
    let background = Background(&sshd);
    let mut endpoint = sshd.endpoint.clone();
    endpoint.identity.clone_from(&other.endpoint.identity);
    assert_eq!(run(&Invocation::to(&endpoint)), Some(255));
    assert!(background.pids().is_empty());
}

#[test]
fn the_background_process_ends_with_sigterm_and_gives_its_port_up() {
    let (sshd, port) = (Sshd::start(), free_port());
    let background = Background(&sshd);
    let invocation =
        Invocation::to(&sshd.endpoint).args(["-L", &format!("127.0.0.1:{port}:127.0.0.1:9")]);
    assert_eq!(run(&invocation), Some(0));
    background.pids().into_iter().for_each(|pid| send(pid, Signal::TERM));
    adit_interop_tests::ports::wait_closed(port);
}

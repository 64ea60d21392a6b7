//! Remote commands: their status, their streams. Skipped aloud for a client that runs none.

use adit_interop_tests::{
    client::{Invocation, supports},
    sshd::Sshd,
};
use std::io::Write;

/// Whether the client under test runs remote commands.
fn sessions() -> bool {
    supports(&["-F", "none", "-p", "1", "127.0.0.1", "true"])
}

#[test]
fn the_remote_commands_status_is_ours() {
    if !sessions() {
        return;
    }
    let sshd = Sshd::start();
    for code in [0, 1, 7, 254] {
        let finished = Invocation::to(&sshd.endpoint).run_remotely(&["exit", &code.to_string()]);
        finished.assert(code, &[]);
    }
}

#[test]
fn a_remote_command_killed_by_a_signal_is_255() {
    if !sessions() {
        return;
    }
    let sshd = Sshd::start();
    Invocation::to(&sshd.endpoint).run_remotely(&["kill -KILL $$"]).assert(255, &[]);
}

#[test]
fn stdout_and_stderr_stay_apart() {
    if !sessions() {
        return;
    }
    // At DEBUG1 sshd itself writes to the command's stderr.
    let sshd = Sshd::with(&["LogLevel ERROR"]);
    let finished =
        Invocation::to(&sshd.endpoint).run_remotely(&["echo", "to out;", "echo", "to err", ">&2"]);
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("to out\n", "to err\n"));
}

#[test]
fn standard_input_reaches_the_remote_command() {
    if !sessions() {
        return;
    }
    let sshd = Sshd::start();
    let mut child = Invocation::to(&sshd.endpoint)
        .command(&["sort", "-r"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the client starts");
    child.stdin.take().expect("piped").write_all(b"a\nc\nb\n").expect("taken");
    let output = child.wait_with_output().expect("a child");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "c\nb\na\n");
}

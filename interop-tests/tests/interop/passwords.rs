//! Passwords and keyboard-interactive; a server that can check them lives in a container.

use adit_interop_tests::{
    client::{Finished, Invocation},
    container::{self, Container, PASSWORD, USER},
    scratch::Scratch,
    sshd::Setup,
};
use std::{fs, os::unix::fs::PermissionsExt};

fn log_in(server: &Container, method: &str, answer: &str) -> (Finished, String) {
    let scratch = Scratch::new();
    let asked = scratch.join("asked");
    let script = format!("#!/bin/sh\necho \"$1\" >> '{}'\necho '{answer}'\n", asked.display());
    let askpass = scratch.write("askpass", script);
    fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700)).expect("our own file");
    let finished = Invocation::to_host(&server.endpoint)
        .option(format!("UserKnownHostsFile={}", server.endpoint.known_hosts.display()))
        .option("StrictHostKeyChecking=yes")
        .option(format!("PreferredAuthentications={method}"))
        .env("SSH_ASKPASS", &askpass)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .run_remotely(&["id", "-un"]);
    (finished, fs::read_to_string(asked).unwrap_or_default())
}

fn server() -> Option<Container> {
    let setup = Setup::default()
        .line("UsePAM yes")
        .line("PasswordAuthentication yes")
        .line("KbdInteractiveAuthentication yes");
    container::sshd(container::TRIXIE, setup)
}

#[test]
fn a_password_logs_in() {
    let Some(server) = server() else { return };
    let (finished, asked) = log_in(&server, "password", PASSWORD);
    finished.assert(0, &[]);
    assert_eq!(finished.stdout.trim(), USER);
    assert_eq!(asked, format!("{USER}@127.0.0.1's password: \n"));
}

#[test]
fn keyboard_interactive_logs_in() {
    let Some(server) = server() else { return };
    let (finished, asked) = log_in(&server, "keyboard-interactive", PASSWORD);
    finished.assert(0, &[]);
    assert_eq!(finished.stdout.trim(), USER);
    assert!(asked.contains("Password: "), "{asked:?}");
}

#[test]
fn a_wrong_password_is_denied() {
    let Some(server) = server() else { return };
    for method in ["password", "keyboard-interactive"] {
        let (finished, _asked) = log_in(&server, method, "wrong");
        finished.assert(255, &["Permission denied"]);
    }
}

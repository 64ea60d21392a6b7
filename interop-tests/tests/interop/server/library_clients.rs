//! Libraries as clients: AsyncSSH and Paramiko, neither of which shares code with OpenSSH.

use adit_interop_tests::{
    aditd::{self, is_aditd},
    child::Guarded,
    python::{ASYNCSSH, PARAMIKO, Package, script},
    service::Service,
};
use std::process::Command;

fn tries(package: Package, name: &str, trials: &[&str]) {
    let Some(python) = package.python() else { return };
    let (server, echo) = (aditd::start(), Service::echo());
    let endpoint = &server.endpoint;
    let mut command = Command::new(python);
    command.arg(script(name)).arg(endpoint.port.to_string()).arg(&endpoint.user);
    command.arg(&endpoint.identity).arg(echo.port().to_string()).args(trials);
    let mut client = Guarded::start(name, &mut command);
    let status = client.wait();
    let (said, failed) = (client.stdout.text_at_end(), client.stderr.text_at_end());
    assert!(status.success(), "after {said:?}: {failed}");
    assert_eq!(said.lines().collect::<Vec<_>>(), trials);
}

#[test]
fn asyncssh() {
    let trials = ["commands", "terminals", "forwards", "files", "rekeyed", "denied"];
    tries(ASYNCSSH, "asyncssh_client.py", &trials);
    // sshd sends signals where it has separated privileges: not for root, nor when nobody but root could have.
    if is_aditd() {
        tries(ASYNCSSH, "asyncssh_client.py", &["signals"]);
    }
}

#[test]
fn paramiko() {
    let trials = ["commands", "local_forward", "remote_forward", "files", "rekeyed"];
    tries(PARAMIKO, "paramiko_client.py", &trials);
}

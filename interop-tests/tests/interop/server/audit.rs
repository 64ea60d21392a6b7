//! `ssh-audit` on default settings: nothing that fails, nothing that is warned about but what old clients need.

use adit_interop_tests::{
    aditd,
    keys::{ED25519, KeyKind},
    python::SSH_AUDIT,
};
use std::process::Command;

#[test]
fn the_defaults_pass() {
    if !aditd::only_aditd() {
        return;
    }
    let Some(python) = SSH_AUDIT.python() else { return };
    let rsa = KeyKind { kind: "rsa", bits: "3072" };
    for setup in [aditd::setup(), aditd::setup().host_key(ED25519).host_key(rsa), aditd::gateway()]
    {
        let server = setup.start();
        let port = server.endpoint.port.to_string();
        let output = Command::new(&python)
            // No more than one connection: it would measure how a server takes floods.
            .args([
                "-m",
                "ssh_audit",
                "--no-colors",
                "--skip-rate-test",
                "--port",
                &port,
                "127.0.0.1",
            ])
            .output()
            .expect("python starts");
        let said = String::from_utf8_lossy(&output.stdout);
        // Half of the clients in use have no key exchange that withstands quantum computers yet.
        let is_accepted = |line: &&str| line.contains("protection against post-quantum attacks");
        let judged = |line: &&str| line.contains("[fail]") || line.contains("[warn]");
        let bad: Vec<_> = said.lines().filter(judged).filter(|line| !is_accepted(line)).collect();
        assert!(bad.is_empty(), "{bad:#?}");
        assert!(said.contains("(kex)") && said.contains("(enc)"), "it saw the server:\n{said}");
    }
}

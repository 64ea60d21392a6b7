//! The server's own keys: which are told, proved and certified.

use super::ssh;
use adit_interop_tests::{
    aditd,
    deadline::eventually,
    keys::{self, ED25519, KeyKind, certify},
    scratch::Scratch,
};
use std::{fs, process::Command};

const ECDSA: KeyKind = KeyKind { kind: "ecdsa", bits: "256" };
const RSA: KeyKind = KeyKind { kind: "rsa", bits: "2048" };

#[test]
fn a_client_that_knows_one_key_learns_the_others() {
    let server = [ED25519, ECDSA, RSA]
        .into_iter()
        .fold(aditd::setup(), adit_interop_tests::sshd::Setup::host_key)
        .start();
    let all = fs::read_to_string(&server.endpoint.known_hosts).expect("written by the harness");
    let one = all.lines().find(|line| line.contains("ssh-ed25519")).expect("among them");
    fs::write(&server.endpoint.known_hosts, format!("{one}\n")).expect("our own file");
    let client =
        ssh(&server).arg("-v").option("UpdateHostKeys=yes").option("HashKnownHosts=no").tunnel();
    let known = || fs::read_to_string(&server.endpoint.known_hosts).unwrap_or_default();
    eventually("three known keys", || (known().lines().count() == 3).then_some(()));
    drop(client);
    for line in all.lines() {
        let key = line.split(' ').next_back().expect("the key");
        assert!(known().contains(key), "{line} in {}", known());
    }
    ssh(&server).option("HostKeyAlgorithms=rsa-sha2-512").log_in().assert(0, &[]);
}

#[test]
fn a_scan_finds_every_key() {
    let server = [ED25519, ECDSA, RSA]
        .into_iter()
        .fold(aditd::setup(), adit_interop_tests::sshd::Setup::host_key)
        .start();
    let port = server.endpoint.port.to_string();
    let scan = Command::new("ssh-keyscan").args(["-p", &port, "127.0.0.1"]).output();
    let found = String::from_utf8_lossy(&scan.expect("ssh-keyscan").stdout).into_owned();
    let known = fs::read_to_string(&server.endpoint.known_hosts).expect("written by the harness");
    for line in known.lines() {
        assert!(found.contains(line), "{line} in {found}");
    }
}

#[test]
fn a_host_certificate_is_shown_and_believed() {
    let scratch = Scratch::new();
    let authority = keys::generate(&scratch.join("authority"), ED25519, "");
    let host = keys::generate(&scratch.join("host"), ED25519, "");
    let options = ["-h", "-n", "127.0.0.1,[127.0.0.1]"];
    let certificate = certify(&authority, &keys::public_path(&host), &options);
    let server = aditd::with(&[
        &format!("HostKey {}", host.display()),
        &format!("HostCertificate {}", certificate.display()),
    ]);
    let line = format!("@cert-authority * {}\n", keys::public_key(&authority));
    fs::write(&server.endpoint.known_hosts, line).expect("our own file");
    ssh(&server)
        .option("HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com")
        .log_in()
        .assert(0, &[]);
}

#[test]
fn a_key_others_can_read_is_no_host_key() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let open = keys::generate(&scratch.join("open"), ECDSA, "");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("our own file");
    let server = aditd::with(&[&format!("HostKey {}", open.display())]);
    ssh(&server)
        .option("HostKeyAlgorithms=ecdsa-sha2-nistp256")
        .log_in()
        .assert(255, &["no matching host key type found"]);
    ssh(&server).log_in().assert(0, &[]);
}

//! Every key exchange, cipher with every MAC, and host key that client and server share, with data both ways.

use adit_interop_tests::{
    carry::with_each,
    client::{Invocation, program},
    container,
    endpoint::Endpoint,
    keys::EVERY_KIND,
    sshd::{Setup, Sshd},
};
use std::{path::Path, process::Command};

/// Enough for several packets and a window's worth of arithmetic, little enough for a hundred runs.
const LENGTH: u64 = 200_000;

/// What no SSH in use can do without; a matrix without these has lost something.
const NEEDED: &[(&str, &[&str])] = &[
    ("kex", &["curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256"]),
    ("cipher", &["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr"]),
    ("mac", &["hmac-sha2-256-etm@openssh.com", "hmac-sha2-256"]),
];

fn query(program: &Path, what: &str) -> Vec<String> {
    let output = Command::new(program).args(["-Q", what]).output().expect("the program starts");
    assert!(output.status.success(), "{} -Q {what}", program.display());
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// What both the client under test and the installed OpenSSH can do.
fn shared(what: &str) -> Vec<String> {
    let theirs = query(Path::new("ssh"), what);
    let shared: Vec<_> =
        query(&program(), what).into_iter().filter(|name| theirs.contains(name)).collect();
    let needed = NEEDED.iter().find(|(kind, _)| *kind == what).map_or(&[][..], |(_, names)| names);
    needed
        .iter()
        .for_each(|name| assert!(shared.iter().any(|found| found == name), "{name} in {shared:?}"));
    shared
}

fn all_carry(endpoint: &Endpoint, cases: &[Vec<String>]) {
    with_each(&Invocation::to(endpoint), "-L", cases, LENGTH);
}

fn permissive() -> Sshd {
    let all = |what| query(Path::new("ssh"), what).join(",");
    Sshd::with(&[
        &format!("KexAlgorithms {}", all("kex")),
        &format!("Ciphers {}", all("cipher")),
        &format!("MACs {}", all("mac")),
    ])
}

#[test]
fn every_key_exchange() {
    let cases: Vec<_> =
        shared("kex").iter().map(|name| vec![format!("KexAlgorithms={name}")]).collect();
    all_carry(&permissive().endpoint, &cases);
}

#[test]
fn every_cipher_with_every_mac() {
    let macs = shared("mac");
    let mut cases = Vec::new();
    for cipher in shared("cipher") {
        if cipher.contains("gcm") || cipher.contains("poly1305") {
            cases.push(vec![format!("Ciphers={cipher}")]);
        } else {
            cases.extend(
                macs.iter().map(|mac| vec![format!("Ciphers={cipher}"), format!("MACs={mac}")]),
            );
        }
    }
    all_carry(&permissive().endpoint, &cases);
}

#[test]
fn every_kind_of_host_key() {
    let names = [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-256",
        "rsa-sha2-512",
    ];
    let size_is_not_in_the_name = |kind: &&_| **kind != EVERY_KIND[5];
    let sshd = EVERY_KIND
        .iter()
        .filter(size_is_not_in_the_name)
        .fold(Setup::default(), |setup, kind| setup.host_key(*kind))
        .start();
    let cases = names.map(|name| vec![format!("HostKeyAlgorithms={name}")]);
    all_carry(&sshd.endpoint, &cases);
}

#[test]
fn the_newest_servers_key_exchanges() {
    let new =
        ["mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"];
    let ours = query(&program(), "kex");
    let cases: Vec<_> = new
        .iter()
        .filter(|name| ours.iter().any(|own| own == *name))
        .map(|name| vec![format!("KexAlgorithms={name}")])
        .collect();
    let Some(server) = container::sshd(container::SID, Setup::default()) else { return };
    all_carry(&server.endpoint, &cases);
}

#[test]
fn compression_asked_for_or_not_the_bytes_are_the_same() {
    all_carry(&Sshd::start().endpoint, &[vec!["Compression=yes".into()]]);
}

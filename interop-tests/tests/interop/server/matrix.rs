//! Every key exchange, cipher with every MAC, and host key that server and client share, with data both ways.

use super::ssh;
use adit_interop_tests::{
    aditd,
    carry::with_each,
    keys::{EVERY_KIND, KeyKind},
    sshd::{Prepared, Sshd},
};
use std::process::Command;

/// Enough for several packets and a window's worth of arithmetic, little enough for a hundred runs.
const LENGTH: u64 = 200_000;

/// What no SSH in use can do without; a matrix without these has lost something.
const NEEDED: &[&str] = &[
    "curve25519-sha256",
    "ecdh-sha2-nistp256",
    "diffie-hellman-group14-sha256",
    "chacha20-poly1305@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-ctr",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-256",
];

/// What both know, of one kind: the client says what it knows, and the server takes it in its configuration or not.
fn shared(server: &Prepared, keyword: &str, query: &str) -> Vec<String> {
    let output = Command::new("ssh").args(["-Q", query]).output().expect("ssh");
    let theirs = String::from_utf8_lossy(&output.stdout).into_owned();
    let known = |name: &&str| {
        let option = format!("{keyword}={name}");
        let output = server.command().args(["-t", "-o", &option]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let shared: Vec<_> = theirs.lines().filter(known).map(str::to_owned).collect();
    let needed = NEEDED.iter().filter(|name| theirs.lines().any(|line| line == **name));
    needed.for_each(|name| assert!(shared.iter().any(|known| known == name), "no {name}"));
    shared
}

/// A server that takes all of these.
fn permissive(keyword: &str, names: &[String]) -> Sshd {
    aditd::with(&[&format!("{keyword} {}", names.join(","))])
}

fn all_carry(server: &Sshd, cases: &[Vec<String>]) {
    with_each(&ssh(server), "-R", cases, LENGTH);
}

#[test]
fn every_key_exchange() {
    let (prepared, _endpoint) = aditd::setup().prepare();
    let names = shared(&prepared, "KexAlgorithms", "kex");
    let server = permissive("KexAlgorithms", &names);
    let cases: Vec<_> = names.iter().map(|name| vec![format!("KexAlgorithms={name}")]).collect();
    all_carry(&server, &cases);
}

#[test]
fn every_cipher_with_every_mac() {
    let (prepared, _endpoint) = aditd::setup().prepare();
    let (ciphers, macs) =
        (shared(&prepared, "Ciphers", "cipher"), shared(&prepared, "MACs", "mac"));
    let server = aditd::with(&[
        &format!("Ciphers {}", ciphers.join(",")),
        &format!("MACs {}", macs.join(",")),
    ]);
    let mut cases = Vec::new();
    for cipher in ciphers {
        if cipher.contains("gcm") || cipher.contains("poly1305") {
            cases.push(vec![format!("Ciphers={cipher}")]);
        } else {
            let with = |mac| vec![format!("Ciphers={cipher}"), format!("MACs={mac}")];
            cases.extend(macs.iter().map(with));
        }
    }
    all_carry(&server, &cases);
}

#[test]
fn every_kind_of_host_key() {
    let kinds: Vec<KeyKind> =
        EVERY_KIND.iter().copied().filter(|kind| kind.bits != "3072").collect();
    let server = kinds.iter().fold(aditd::setup(), |setup, kind| setup.host_key(*kind)).start();
    let names = [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-256",
        "rsa-sha2-512",
    ];
    let cases: Vec<_> =
        names.iter().map(|name| vec![format!("HostKeyAlgorithms={name}")]).collect();
    all_carry(&server, &cases);
}

#[test]
fn an_algorithm_that_was_taken_away_is_not_there() {
    let server =
        aditd::with(&["Ciphers -aes128-gcm@openssh.com", "KexAlgorithms curve25519-sha256"]);
    ssh(&server)
        .option("Ciphers=aes128-gcm@openssh.com")
        .log_in()
        .assert(255, &["no matching cipher found. Their offer: "]);
    ssh(&server)
        .option("KexAlgorithms=ecdh-sha2-nistp256")
        .log_in()
        .assert(255, &["no matching key exchange method found. Their offer: "]);
    ssh(&server).log_in().assert(0, &[]);
}

#[test]
fn compression_asked_for_or_not_the_bytes_are_the_same() {
    all_carry(&aditd::start(), &[vec!["Compression=yes".into()]]);
}

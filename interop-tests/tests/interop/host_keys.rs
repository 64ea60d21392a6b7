//! Whom the client believes: known_hosts, StrictHostKeyChecking, changed, hashed, revoked and certified keys.

use adit_interop_tests::{
    client::{Invocation, is_adit},
    endpoint::known_host,
    keys::{self, ED25519, KeyKind, certify, keygen},
    ports::{free_port, listeners},
    scratch::Scratch,
    skip::skip,
    sshd::{Setup, Sshd},
};
use std::{fs, path::Path};

const ANOTHER_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

/// The client with the server's user key, and `known_hosts` as its only list.
fn with_list(sshd: &Sshd, known_hosts: &Path) -> Invocation {
    Invocation::to_host(&sshd.endpoint)
        .option(format!("UserKnownHostsFile={}", known_hosts.display()))
        .option("BatchMode=yes")
        .arg("-i")
        .arg(&sshd.endpoint.identity)
}

fn name(sshd: &Sshd) -> String {
    format!("[127.0.0.1]:{}", sshd.endpoint.port)
}

#[test]
fn an_unknown_host_is_refused_when_nobody_can_be_asked() {
    let (sshd, scratch) = (Sshd::start(), Scratch::new());
    let list = scratch.join("known_hosts");
    for mode in ["yes", "ask"] {
        with_list(&sshd, &list)
            .option(format!("StrictHostKeyChecking={mode}"))
            .log_in()
            .assert(255, &["Host key verification failed."]);
        assert!(!list.exists(), "nothing is written down in mode {mode}");
    }
}

#[test]
fn accepting_a_new_host_writes_it_down() {
    for mode in ["accept-new", "no"] {
        let (sshd, scratch) = (Sshd::start(), Scratch::new());
        let list = scratch.join("known_hosts");
        let connect =
            |mode| with_list(&sshd, &list).option(format!("StrictHostKeyChecking={mode}")).log_in();
        let told = format!(
            "Warning: Permanently added '{}' (ED25519) to the list of known hosts.",
            name(&sshd)
        );
        connect(mode).assert(0, &[&told]);
        let written = fs::read_to_string(&list).expect("a list");
        let line = known_host(
            sshd.endpoint.port,
            &keys::public_key(&sshd.scratch.join("host-ed25519-256")),
        );
        assert!(written.contains(line.trim_end()), "{written:?} has not {line:?}");
        let second = connect("yes");
        second.assert(0, &[]);
        assert!(!second.stderr.contains("Permanently added"), "{second:?}");
    }
}

#[test]
fn a_written_list_is_read_and_edited_by_ssh_keygen() {
    let (sshd, scratch) = (Sshd::start(), Scratch::new());
    let list = scratch.join("known_hosts");
    with_list(&sshd, &list)
        .option("StrictHostKeyChecking=accept-new")
        .option("HashKnownHosts=yes")
        .log_in()
        .assert(0, &[]);
    let written = fs::read_to_string(&list).expect("a list");
    assert!(written.lines().all(|line| line.starts_with("|1|")), "hashed: {written}");
    let file = list.to_str().expect("scratch paths are UTF-8");
    assert!(keygen(&["-F", &name(&sshd), "-f", file]).contains("found: line 1"));
    with_list(&sshd, &list).option("StrictHostKeyChecking=yes").log_in().assert(0, &[]);
    keygen(&["-R", &name(&sshd), "-f", file]);
    with_list(&sshd, &list).option("StrictHostKeyChecking=yes").log_in().assert(255, &[]);
}

#[test]
fn a_list_hashed_by_ssh_keygen_is_believed() {
    let (sshd, scratch) = (Sshd::start(), Scratch::new());
    let list = scratch.write("known_hosts", fs::read(&sshd.endpoint.known_hosts).expect("a list"));
    keygen(&["-q", "-H", "-f", list.to_str().expect("scratch paths are UTF-8")]);
    assert!(fs::read_to_string(&list).expect("a list").starts_with("|1|"));
    with_list(&sshd, &list).option("StrictHostKeyChecking=yes").log_in().assert(0, &[]);
}

#[test]
fn a_changed_key_is_shouted_about_and_refused() {
    let (sshd, scratch) = (Sshd::start(), Scratch::new());
    let list = scratch.write(
        "known_hosts",
        format!("# a comment\n{}", known_host(sshd.endpoint.port, ANOTHER_KEY)),
    );
    for mode in ["yes", "accept-new", "ask"] {
        with_list(&sshd, &list).option(format!("StrictHostKeyChecking={mode}")).log_in().assert(
            255,
            &[
                "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
                "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!",
                &format!("{}:2", list.display()),
                "Host key verification failed.",
            ],
        );
    }
}

#[test]
fn a_changed_key_let_pass_forwards_nothing() {
    let (sshd, scratch, port) = (Sshd::start(), Scratch::new(), free_port());
    let list = scratch.write("known_hosts", known_host(sshd.endpoint.port, ANOTHER_KEY));
    let invocation = with_list(&sshd, &list)
        .option("StrictHostKeyChecking=no")
        .args(["-L", &format!("{port}:127.0.0.1:9")]);
    let client = invocation.tunnel();
    client.says("REMOTE HOST IDENTIFICATION HAS CHANGED!");
    client.says("Port forwarding is disabled to avoid man-in-the-middle attacks.");
    sshd.log().wait_for("Entering interactive session");
    assert!(listeners(port).is_empty());
    invocation
        .option("ExitOnForwardFailure=yes")
        .arg("-N")
        .run()
        .assert(255, &["Error: forwarding disabled due to host key check failure"]);
}

#[test]
fn a_revoked_key_is_never_accepted() {
    let (sshd, scratch) = (Sshd::start(), Scratch::new());
    let line = fs::read_to_string(&sshd.endpoint.known_hosts).expect("a list");
    let list = scratch.write("known_hosts", format!("{line}@revoked {line}"));
    for mode in ["yes", "accept-new"] {
        with_list(&sshd, &list)
            .option(format!("StrictHostKeyChecking={mode}"))
            .log_in()
            .assert(255, &["REVOKED"]);
    }
}

#[test]
fn a_host_certificate_is_believed_for_its_authority() {
    let scratch = Scratch::new();
    let authority = keys::generate(&scratch.join("authority"), ED25519, "");
    let host = keys::generate(&scratch.join("host"), ED25519, "");
    let certificate = certify(&authority, &keys::public_path(&host), &["-h", "-n", "127.0.0.1"]);
    let sshd = Setup::default()
        .line(format!("HostKey {}", host.display()))
        .line(format!("HostCertificate {}", certificate.display()))
        .start();
    let entry = |authority: &str| format!("@cert-authority * {authority}\n");
    let list = scratch.write("known_hosts", entry(&keys::public_key(&authority)));
    let certified = "HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com";
    let connect = |list: &Path| {
        with_list(&sshd, list).option("StrictHostKeyChecking=yes").option(certified).log_in()
    };
    connect(&list).assert(0, &[]);
    let other = scratch.write("other", entry(ANOTHER_KEY));
    connect(&other).assert(255, &["Host key verification failed."]);
}

#[test]
fn a_host_key_alias_stands_for_name_and_port() {
    let (sshd, scratch) = (Sshd::start(), Scratch::new());
    let key = keys::public_key(&sshd.scratch.join("host-ed25519-256"));
    let list = scratch.write("known_hosts", format!("the-device {key}\n"));
    with_list(&sshd, &list)
        .option("StrictHostKeyChecking=yes")
        .option("HostKeyAlias=the-device")
        .log_in()
        .assert(0, &[]);
}

#[test]
fn the_kind_of_key_that_is_known_is_asked_for_first() {
    let ecdsa = KeyKind { kind: "ecdsa", bits: "256" };
    let (sshd, scratch) =
        (Setup::default().host_key(ED25519).host_key(ecdsa).start(), Scratch::new());
    let key = keys::public_key(&sshd.scratch.join("host-ecdsa-256"));
    let list = scratch.write("known_hosts", known_host(sshd.endpoint.port, &key));
    with_list(&sshd, &list).option("StrictHostKeyChecking=yes").log_in().assert(0, &[]);
}

#[test]
fn patterns_and_negations_in_a_list_hold() {
    let (sshd, scratch) = (Sshd::start(), Scratch::new());
    let key = keys::public_key(&sshd.scratch.join("host-ed25519-256"));
    let (port, strict) = (sshd.endpoint.port, "StrictHostKeyChecking=yes");
    let matching = scratch.write("matching", format!("[127.0.0.?]:{port} {key}\n"));
    with_list(&sshd, &matching).option(strict).log_in().assert(0, &[]);
    let negated = scratch.write("negated", format!("[127.*]:{port},![127.0.0.1]:{port} {key}\n"));
    with_list(&sshd, &negated)
        .option(strict)
        .log_in()
        .assert(255, &["Host key verification failed."]);
}

#[test]
fn a_list_without_an_end_is_given_up_and_named() {
    if !is_adit() {
        return skip("ssh reads on for ever");
    }
    let sshd = Sshd::start();
    for endless in ["/dev/zero", "/dev/full"] {
        let complaint = format!("{endless}: larger than 64 MiB");
        with_list(&sshd, Path::new(endless)).log_in().assert(255, &[&complaint]);
    }
}

//! Clients of other ages, in containers: OpenSSH 8.4, 9.2, 10.0 and newest, Dropbear of the same releases.

use adit_interop_tests::{
    aditd,
    carry::{MIB, by_every_forward, through_echo},
    child::Guarded,
    container::{self, BOOKWORM, BULLSEYE, Release, SID, TRIXIE},
    keys::{ED25519, KeyKind},
    ports::{connect, free_port, wait_listening},
    service::Service,
};

fn clients_of(release: Release) {
    // Several host keys, as newer clients ask for a proof of those they do not know.
    let rsa = KeyKind { kind: "rsa", bits: "2048" };
    let server = aditd::setup().host_key(ED25519).host_key(rsa).start();
    let Some(clients) = container::clients(release, &server.scratch, &server.endpoint) else {
        return;
    };
    let command = clients.ssh().run_remotely(&["seq 100000; echo err >&2; exit 7"]);
    assert_eq!((command.code, command.stdout.lines().count()), (Some(7), 100_000), "{command:?}");
    assert_eq!(clients.ssh().log_in().stdout, "welcome");
    by_every_forward(&clients.ssh(), 2 * MIB);
    by_every_forward(&clients.ssh().option("RekeyLimit=1M"), 4 * MIB);
    let command = Guarded::start("dbclient", &mut clients.dbclient(&[], &["echo out; cat"]));
    command.stdout.wait_for("out");
    let (echo, local, remote) = (Service::echo(), free_port(), free_port());
    let to = |from: u16| format!("{from}:127.0.0.1:{}", echo.port());
    let options = ["-N", "-L", &to(local), "-R", &to(remote)];
    let _tunnel = Guarded::start("dbclient", &mut clients.dbclient(&options, &[]));
    for port in [remote, local] {
        wait_listening(port);
        through_echo(&mut connect(port), 2 * MIB);
    }
}

#[test]
fn clients_of_bullseye() {
    clients_of(BULLSEYE);
}

#[test]
fn clients_of_bookworm() {
    clients_of(BOOKWORM);
}

#[test]
fn clients_of_trixie() {
    clients_of(TRIXIE);
}

#[test]
fn clients_of_sid() {
    clients_of(SID);
}

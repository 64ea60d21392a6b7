//! Dropbear's client and PuTTY's against the server: commands, forwards both ways, new keys.

use adit_interop_tests::{
    aditd,
    carry::{MIB, through_echo},
    child::Guarded,
    peers::Peer,
    ports::{connect, free_port, wait_closed, wait_listening},
    service::Service,
    sshd::Sshd,
};
use std::io::Write;

/// Runs a remote command and gives what it said and its status.
fn run(
    peer: &Peer,
    options: &[&str],
    remote_command: &[&str],
    input: &[u8],
) -> (String, Option<i32>) {
    let mut process = Guarded::start("the client", &mut peer.command(options, remote_command));
    process.take_stdin().write_all(input).expect("taken");
    let status = process.wait();
    (process.stdout.text_at_end(), status.code())
}

fn runs_commands(peer: &Peer, options: &[&str]) {
    assert_eq!(run(peer, options, &["echo out; exit 7"], b""), ("out\n".into(), Some(7)));
    let input = vec![b'x'; 2_000_000];
    assert_eq!(run(peer, options, &["wc -c"], &input).0.trim(), "2000000");
    assert_eq!(run(peer, options, &["seq 200000"], b"").0.lines().count(), 200_000);
}

fn forwards(peer: &Peer, options: &[&str]) {
    let echo = Service::echo();
    let (local, remote) = (free_port(), free_port());
    let (to_local, to_remote) = (
        format!("{local}:127.0.0.1:{}", echo.port()),
        format!("{remote}:127.0.0.1:{}", echo.port()),
    );
    let arguments = [options, &["-N", "-L", &to_local, "-R", &to_remote]].concat();
    let client = Guarded::start("the client", &mut peer.command(&arguments, &[]));
    wait_listening(remote);
    wait_listening(local);
    for port in [local, remote] {
        through_echo(&mut connect(port), 4 * MIB);
        let streams: Vec<_> = (0..20).map(|_| connect(port)).collect();
        streams.into_iter().for_each(|mut stream| through_echo(&mut stream, 10_000));
    }
    drop(client);
    wait_closed(remote);
}

fn dbclient() -> Option<(Sshd, Peer)> {
    let server = aditd::start();
    Peer::dbclient(&server.endpoint).map(|peer| (server, peer))
}

fn plink() -> Option<(Sshd, Peer)> {
    let server = aditd::start();
    Peer::plink(&server.endpoint).map(|peer| (server, peer))
}

#[test]
fn dbclient_runs_commands() {
    let Some((_server, peer)) = dbclient() else { return };
    runs_commands(&peer, &[]);
}

#[test]
fn dbclient_forwards() {
    let Some((_server, peer)) = dbclient() else { return };
    forwards(&peer, &[]);
}

#[test]
fn dbclient_has_every_cipher() {
    // Before a message is read, its MAC should be known to be right: aditd offers the other order on request only.
    let server = aditd::with(&["MACs +hmac-sha2-256"]);
    let Some(peer) = Peer::dbclient(&server.endpoint) else { return };
    for cipher in ["chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr"] {
        assert_eq!(run(&peer, &["-c", cipher], &["echo out"], b"").0, "out\n", "{cipher}");
    }
}

#[test]
fn dbclient_reaches_one_destination() {
    let Some((_server, peer)) = dbclient() else { return };
    let echo = Service::echo();
    let (answer, code) =
        run(&peer, &["-B", &format!("127.0.0.1:{}", echo.port())], &[], b"there and back");
    assert_eq!((&*answer, code), ("there and back", Some(0)));
}

#[test]
fn plink_runs_commands() {
    let Some((_server, peer)) = plink() else { return };
    runs_commands(&peer, &[]);
}

#[test]
fn plink_forwards() {
    let Some((_server, peer)) = plink() else { return };
    forwards(&peer, &[]);
}

#[test]
fn plink_reaches_one_destination() {
    let Some((_server, peer)) = plink() else { return };
    let echo = Service::echo();
    let mut client = Guarded::start(
        "the client",
        &mut peer.command(&["-nc", &format!("127.0.0.1:{}", echo.port())], &[]),
    );
    client.write_stdin(b"there and back\n");
    assert_eq!(client.stdout.wait_for("back"), "there and back");
}

#[test]
fn a_subsystem_is_there_for_psftp() {
    let Some((_server, peer)) = plink() else { return };
    // The first packet of the protocol, SSH_FXP_INIT for version 3, is answered by a version.
    let mut client = Guarded::start("the client", &mut peer.command(&["-s"], &["sftp"]));
    client.write_stdin(&[0, 0, 0, 5, 1, 0, 0, 0, 3]);
    adit_interop_tests::deadline::eventually("a version", || {
        client.stdout.text().contains("posix-rename@openssh.com").then_some(())
    });
}

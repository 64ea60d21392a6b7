//! New keys in the middle of a transfer, whoever asks for them, in both directions.

use super::ssh;
use adit_interop_tests::{
    aditd,
    carry::{MIB, from_source, into_sink, through_echo},
    client::Client,
    ports::{connect, free_port},
    service::Service,
    sshd::Sshd,
};

/// Of 64 MiB with new keys after each: what is under way when a limit is reached belongs to the old keys, and that
/// may be a few MiB both ways together.
const MANY: usize = 10;

/// How often the client got a KEXINIT.
fn exchanges(client: &Client) -> usize {
    client.process.stderr.count("SSH2_MSG_KEXINIT received")
}

/// Carries `length` bytes each way through `-L` and `-R` at once; gives how many exchanges that took.
fn under_load(server: &Sshd, options: &[&str], length: u64) -> usize {
    let (source, sink, echo) = (Service::source(1, length), Service::sink(2), Service::echo());
    let [down, up, both] = [free_port(), free_port(), free_port()];
    let to =
        |from: u16, service: &Service| format!("127.0.0.1:{from}:127.0.0.1:{}", service.port());
    let mut client = ssh(server)
        .args(["-v", "-L", &to(down, &source), "-R", &to(up, &sink), "-R", &to(both, &echo)])
        .args(options)
        .tunnel()
        .listening(down)
        .listening(up)
        .listening(both);
    std::thread::scope(|scope| {
        scope.spawn(|| from_source(&mut connect(down), 1, length));
        scope.spawn(|| into_sink(&mut connect(up), 2, length));
        scope.spawn(|| through_echo(&mut connect(both), length));
    });
    client.assert_runs();
    exchanges(&client)
}

#[test]
fn the_client_asks() {
    let count = under_load(&aditd::start(), &["-o", "RekeyLimit=1M"], 16 * MIB);
    assert!(count > MANY, "{count} exchanges");
}

#[test]
fn the_server_asks() {
    let count = under_load(&aditd::with(&["RekeyLimit 1M"]), &[], 16 * MIB);
    assert!(count > MANY, "{count} exchanges");
}

#[test]
fn both_ask_at_once() {
    let count = under_load(&aditd::with(&["RekeyLimit 1M"]), &["-o", "RekeyLimit=1M"], 16 * MIB);
    assert!(count > MANY, "{count} exchanges");
}

#[test]
fn time_alone_brings_new_keys() {
    let server = aditd::with(&["RekeyLimit default 1s", "ClientAliveInterval 1"]);
    let client = ssh(&server).arg("-v").tunnel();
    client.process.stderr.wait_for_nth("SSH2_MSG_KEXINIT received", 3);
}

#[test]
fn a_session_goes_through_new_keys() {
    let server = aditd::start();
    let finished =
        ssh(&server).option("RekeyLimit=64K").run_remotely(&["seq 300000; seq 300000 >&2; exit 3"]);
    assert_eq!(finished.code, Some(3));
    assert_eq!(finished.stdout.lines().count(), 300_000);
    assert_eq!(finished.stderr.lines().count(), 300_000);
}

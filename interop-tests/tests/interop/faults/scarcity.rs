//! The system gives no more: descriptors, room on the disk, a file that may be written.

use super::{both_are_ours, by_link};
use adit_interop_tests::{
    aditd,
    carry::through_echo,
    child::Guarded,
    client::Invocation,
    deadline::eventually,
    ports::{connect, free_port},
    scratch::Scratch,
    service::Service,
    sshd::Sshd,
};
use std::{net::TcpStream, thread, time::Duration};

/// Descriptors for everything.
const FEW: u64 = 32;

/// The part of `time` that it computes.
pub(super) fn share_of_processor(process: &Guarded, time: Duration) -> f64 {
    let before = process.cpu_seconds();
    // The length of a measurement, not a wait for something.
    thread::sleep(time);
    (process.cpu_seconds() - before) / time.as_secs_f64()
}

/// More connections at `port` than there are descriptors, held.
fn too_many(port: u16) -> Vec<TcpStream> {
    (0..2 * FEW).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("a connection")).collect()
}

/// Waits until a process has as good as all it may; a few are taken and given back now and then.
fn wait_until_taken(process: &Guarded) {
    eventually("all descriptors taken", || (process.descriptors() as u64 >= FEW - 2).then_some(()));
}

#[test]
fn a_client_out_of_descriptors_rests_and_recovers() {
    if !both_are_ours() {
        return;
    }
    let (server, echo, local) = (aditd::start(), Service::echo(), free_port());
    let mut client = by_link(&server, server.endpoint.port)
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(local);
    client.process.limit_descriptors(FEW);
    let crowd = too_many(local);
    wait_until_taken(&client.process);
    let share = share_of_processor(&client.process, Duration::from_secs(2));
    assert!(share < 0.02, "{share}: it spins");
    client.assert_runs();
    drop(crowd);
    through_echo(&mut connect(local), 100_000);
}

#[test]
fn a_server_out_of_descriptors_rests_and_recovers() {
    if !both_are_ours() {
        return;
    }
    let mut server = aditd::with(&["MaxStartups 1000", "PerSourceMaxStartups none"]);
    server.process.limit_descriptors(FEW);
    let crowd = too_many(server.endpoint.port);
    wait_until_taken(&server.process);
    let share = share_of_processor(&server.process, Duration::from_secs(2));
    assert!(share < 0.02, "{share}: it spins");
    assert!(server.process.ended().is_none());
    drop(crowd);
    Invocation::to(&server.endpoint).log_in().assert(0, &[]);
}

#[test]
fn targets_a_server_has_no_descriptors_for_are_refused_and_reached_later() {
    if !both_are_ours() {
        return;
    }
    let (server, echo, local) = (aditd::start(), Service::echo(), free_port());
    let mut client = by_link(&server, server.endpoint.port)
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(local);
    let descriptors = server.process.descriptors();
    server.process.limit_descriptors(FEW);
    let crowd = too_many(local);
    eventually("refusals", || (client.process.stderr.count("open failed") > 0).then_some(()));
    let share = share_of_processor(&server.process, Duration::from_secs(2));
    assert!(share < 0.02, "{share}: it spins");
    drop(crowd);
    eventually("descriptors back", || (server.process.descriptors() == descriptors).then_some(()));
    client.assert_runs();
    through_echo(&mut connect(local), 100_000);
}

/// A first connection to `server` with these known hosts.
fn first_connection(server: &Sshd, known_hosts: &str) -> Invocation {
    Invocation::to(&server.endpoint)
        .option(format!("UserKnownHostsFile={known_hosts}"))
        .option("StrictHostKeyChecking=accept-new")
}

#[test]
fn a_host_that_cannot_be_written_down_is_said_and_reached() {
    if !both_are_ours() {
        return;
    }
    let (server, scratch) = (aditd::start(), Scratch::new());
    let not_a_folder = scratch.write("file", "").join("known_hosts").display().to_string();
    // No folder; and one where nobody can make files, root included.
    for known_hosts in [&not_a_folder, "/proc/self/known_hosts"] {
        let finished = first_connection(&server, known_hosts).log_in();
        let complaint =
            format!("Failed to add the host to the list of known hosts ({known_hosts}).");
        finished.assert(0, &[&complaint]);
    }
}

//! What a server does not put up with: silence, floods, idleness, repeated failure.

use super::{ssh, ssh_with_key};
use adit_interop_tests::{
    aditd::{self, is_aditd},
    carry::through_echo,
    keys::{self, ED25519},
    ports::{connect, free_port, is_closed, wait_closed},
    scratch::Scratch,
    service::Service,
    skip::skip,
    sshd::{Sshd, has_penalties},
};
use rustix::process::Signal;
use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    path::Path,
};

/// A connection that reads the server's name and never says anything.
fn silent(server: &Sshd) -> (TcpStream, String) {
    let stream = connect(server.endpoint.port);
    let mut name = String::new();
    let _ = BufReader::new(stream.try_clone().expect("a descriptor")).read_line(&mut name);
    (stream, name)
}

#[test]
fn who_does_not_log_in_in_time_is_put_out() {
    let server = aditd::with(&["LoginGraceTime 1"]);
    let (mut stream, name) = silent(&server);
    assert!(name.starts_with("SSH-2.0-"), "{name:?}");
    let _ = stream.read_to_end(&mut Vec::new());
    assert!(is_closed(&stream));
    // A fix of sshd's made it silent about this.
    if is_aditd() {
        server.log().wait_for("Timeout before authentication for ");
    }
}

#[test]
fn a_login_in_time_outlasts_the_time_for_it() {
    let server = aditd::with(&["LoginGraceTime 2"]);
    let (echo, port) = (Service::echo(), free_port());
    let mut client = ssh(&server)
        .args(["-R", &format!("{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    let (mut other, _) = silent(&server);
    // When a connection that came later is put out, the time of this one would be over.
    let _ = other.read_to_end(&mut Vec::new());
    client.assert_runs();
    through_echo(&mut connect(port), 1000);
}

#[test]
fn connections_past_the_limit_are_dropped_until_there_is_room() {
    let server = aditd::with(&["MaxStartups 3:100:3"]);
    let held: Vec<_> = (0..3).map(|_| silent(&server)).collect();
    assert!(held.iter().all(|(_, name)| name.starts_with("SSH-2.0-")));
    let (_stream, name) = silent(&server);
    assert!(!name.starts_with("SSH-2.0-"), "{name:?}");
    drop(held);
    adit_interop_tests::deadline::eventually("room again", || {
        silent(&server).1.starts_with("SSH-2.0-").then_some(())
    });
}

#[test]
fn who_has_logged_in_does_not_count_as_starting() {
    let server = aditd::with(&["MaxStartups 2:100:2"]);
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let clients = ports.map(|port| {
        let forward = format!("{port}:127.0.0.1:9");
        ssh(&server).args(["-R", &forward]).tunnel().listening(port)
    });
    drop(clients);
}

#[test]
fn a_flood_from_one_address_does_not_keep_an_honest_login_out() {
    let server = aditd::with(&["PerSourceMaxStartups 5", "MaxStartups 100:30:200"]);
    let flood: Vec<_> = (0..60).map(|_| silent(&server)).collect();
    let taken = flood.iter().filter(|(_, name)| name.starts_with("SSH-2.0-")).count();
    assert_eq!(taken, 5, "of the flood");
    ssh(&server).args(["-b", "127.0.0.2"]).log_in().assert(0, &[]);
    assert!(ssh(&server).log_in().code != Some(0), "the flood's own address has to wait");
    drop(flood);
}

/// Whether the server under test knows PerSourcePenalties; skips the test aloud when not.
fn penalties() -> bool {
    let known = has_penalties(&aditd::program());
    if !known {
        skip("sshd before 9.8 has no penalties");
    }
    known
}

#[test]
fn an_address_that_fails_to_log_in_is_shut_out_for_a_while() {
    if !penalties() {
        return;
    }
    let server = aditd::setup()
        .line("PerSourcePenalties authfail:60s noauth:60s min:1s")
        .line("PerSourcePenaltyExemptList 127.0.0.9")
        .start();
    let scratch = Scratch::new();
    let wrong = keys::generate(&scratch.join("wrong"), ED25519, "");
    let refused = |address: &str, key: &Path| {
        ssh_with_key(&server, key).args(["-b", address]).log_in().code != Some(0)
    };
    let right = server.endpoint.identity.clone();
    for address in ["127.0.0.1", "127.0.0.9"] {
        assert!(refused(address, &wrong));
    }
    adit_interop_tests::deadline::eventually("the address shut out", || {
        refused("127.0.0.1", &right).then_some(())
    });
    assert!(!refused("127.0.0.2", &right), "another address");
    assert!(!refused("127.0.0.9", &right), "an exempt address");
}

#[test]
fn a_client_that_does_not_answer_is_given_up_with_its_ports() {
    let server = aditd::with(&["ClientAliveInterval 1", "ClientAliveCountMax 1"]);
    let port = free_port();
    let client = ssh(&server).args(["-R", &format!("{port}:127.0.0.1:9")]).tunnel().listening(port);
    client.process.signal(Signal::STOP);
    wait_closed(port);
    server.log().wait_for("Timeout, client not responding from user ");
}

#[test]
fn a_client_that_answers_stays() {
    let server = aditd::with(&["ClientAliveInterval 1", "ClientAliveCountMax 1"]);
    let mut client = ssh(&server).arg("-vvv").tunnel();
    client.process.stderr.wait_for_nth("rtype keepalive@openssh.com want_reply 1", 4);
    client.assert_runs();
}

#[test]
fn an_idle_channel_is_closed_and_a_busy_one_is_not() {
    let server = aditd::with(&["ChannelTimeout direct-tcpip=1s"]);
    let (echo, port) = (Service::echo(), free_port());
    let mut client = ssh(&server)
        .args(["-L", &format!("127.0.0.1:{port}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(port);
    let idle = connect(port);
    echo.wait_connections(1);
    assert!(is_closed(idle));
    client.assert_runs();
    through_echo(&mut connect(port), 1_000_000);
}

#[test]
fn other_kinds_of_channel_have_their_own_time() {
    let server = aditd::with(&["ChannelTimeout session=1s direct-tcpip=1d"]);
    let (echo, port) = (Service::echo(), free_port());
    let client = ssh(&server)
        .args(["-L", &format!("127.0.0.1:{port}:127.0.0.1:{}", echo.port())])
        .start()
        .listening(port);
    let mut stream = connect(port);
    // The shell's channel is closed, and the one beside it is not.
    server.log().wait_for("Close session: user ");
    through_echo(&mut stream, 1000);
    drop(client);
}

#[test]
fn a_connection_without_channels_is_ended() {
    let server = aditd::with(&["UnusedConnectionTimeout 1"]);
    // A listener alone is no use.
    let port = free_port();
    let client = ssh(&server).args(["-R", &format!("{port}:127.0.0.1:9")]).tunnel();
    client.finish().assert(255, &[]);
    server.log().wait_for("terminating inactive connection");
    wait_closed(port);
}

#[test]
fn a_connection_in_use_is_not_ended() {
    let server = aditd::with(&["UnusedConnectionTimeout 1"]);
    let finished = ssh(&server).run_remotely(&["sleep 3; echo still here"]);
    assert_eq!(finished.stdout, "still here\n", "{finished:?}");
}

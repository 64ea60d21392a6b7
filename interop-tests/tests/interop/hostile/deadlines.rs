//! A peer that stops, or never comes to the point, at every stage before the login is done.

use super::{dialled, plain_server, server, to};
use adit_interop_tests::{aditd, aditd::only_aditd, client::Finished};
use adit_testkit::{
    Script,
    script::{Offer, RawScript, Socket, UnderTest},
};
use adit_transport::Role;
use adit_wire::transport::Ignore;
use std::{
    io::{ErrorKind, Read, Write},
    thread,
    time::{Duration, Instant},
};

/// What a stage comes to: a connection on which the peer says no more.
type Stage = fn(Socket) -> Socket;

fn offer(socket: &Socket) -> Offer {
    Offer::strict(socket.role())
}

fn offering(socket: Socket) -> Socket {
    let offer = offer(&socket);
    RawScript::offering(socket, offer).us
}

fn agreed(socket: Socket) -> Socket {
    let offer = offer(&socket);
    RawScript::agreed(socket, offer).us
}

fn connected(socket: Socket) -> Socket {
    let offer = offer(&socket);
    RawScript::connected(socket, offer).us
}

const STAGES: [(&str, Stage); 6] = [
    ("before the identification", |socket| socket),
    ("after the identification", |socket| RawScript::identified(socket).us),
    ("after KEXINIT", offering),
    ("before NEWKEYS", agreed),
    ("before the service request", connected),
    ("within the login", |socket| Script::at_login(socket).us),
];

/// Far more than a deadline of a second and one more are exceeded by on a busy machine.
const AT_MOST: Duration = Duration::from_secs(12);

#[test]
fn a_server_waits_at_no_stage_longer_than_its_grace() {
    if !only_aditd() {
        return;
    }
    let server = server(aditd::setup().line("LoginGraceTime 2"));
    let mut stopped = STAGES.map(|(name, stage)| (name, stage(to(&server)), Instant::now()));
    for (name, socket, since) in &mut stopped {
        assert!(socket.has_left());
        assert!(since.elapsed() < AT_MOST, "{name}: {:?}", since.elapsed());
    }
    server.log().wait_for_nth("Timeout before authentication", STAGES.len());
}

/// Says `bytes` again and again, little by little, until the other side leaves.
fn drips(socket: &mut Socket, mut next: impl FnMut(&mut Socket)) {
    let pause = Some(Duration::from_millis(50));
    socket.stream.set_read_timeout(pause).expect("a wait above zero");
    loop {
        next(socket);
        match socket.stream.read(&mut [0; 4096]) {
            Ok(0) => return,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            _ => {}
        }
    }
}

#[test]
fn a_peer_that_always_says_a_little_more_is_left_in_time_too() {
    if !only_aditd() {
        return;
    }
    let server = server(aditd::setup().line("LoginGraceTime 2"));
    let began = Instant::now();
    let mut script = RawScript::connected(to(&server), Offer::strict(Role::Server));
    let ignore = adit_testkit::script::payload(&Ignore { data: b"" });
    let pause = Some(Duration::from_millis(50));
    script.us.stream.set_read_timeout(pause).expect("a wait above zero");
    loop {
        script.sends_payload(&ignore);
        match script.us.stream.read(&mut [0; 4096]) {
            Ok(0) => break,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            _ => {}
        }
    }
    assert!(began.elapsed() < AT_MOST, "{:?}", began.elapsed());

    let began = Instant::now();
    let mut client = dialled(|client| client.option("ConnectTimeout=2"));
    drips(&mut client.socket, |socket| {
        let _ = socket.stream.write_all(b"welcome\r\n");
    });
    assert!(began.elapsed() < AT_MOST, "{:?}", began.elapsed());
    client.client.finish().assert(255, &["timed out"]);
}

#[test]
fn a_client_waits_at_no_stage_longer_than_its_connect_timeout() {
    if !only_aditd() {
        return;
    }
    let runs = STAGES.map(|(name, stage)| {
        thread::spawn(move || -> (&str, Finished, Duration) {
            let client = dialled(|client| client.option("ConnectTimeout=2"));
            let began = Instant::now();
            let socket = stage(client.socket);
            let finished = client.client.finish();
            drop(socket);
            (name, finished, began.elapsed())
        })
    });
    for run in runs {
        let (name, finished, took) = run.join().expect("a stage");
        assert!(took < AT_MOST, "{name}: {took:?}");
        finished.assert(255, &["timed out"]);
    }
}

#[test]
fn a_server_that_was_left_by_all_serves_the_next() {
    if !only_aditd() {
        return;
    }
    let server = plain_server();
    for (_, stage) in STAGES {
        drop(stage(to(&server)));
    }
    drop(super::logged_in(&server));
}

//! One side is killed or stopped, at any stage of a connection: the other one ends or goes on without it, in time.

use super::{assert_broken, assert_well, both_are_ours, by_link, each, into_tunnel, watchful};
use adit_interop_tests::{
    bad_link::BadLink, child::send, client::Client, deadline::eventually, ports::free_port,
    service::Service, sshd::Sshd,
};
use rustix::process::Signal;
use std::{
    io::{Read, Write},
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::{Duration, Instant},
};

/// From the first identification to data in both directions.
const STAGES: usize = 14;

/// By when the survivor must have noticed.
const NOTICED: Duration = Duration::from_secs(60);

/// Speaks through the tunnel, turn by turn, until it is gone; or does not begin, when it is over before.
fn speak(port: u16, is_over: impl FnMut() -> bool) {
    let Some(mut stream) = into_tunnel(port, is_over) else { return };
    let (said, mut heard) = ([7; 1000], [0; 1000]);
    while stream.write_all(&said).is_ok() && stream.read_exact(&mut heard).is_ok() {
        assert_eq!(heard, said);
    }
}

/// A client on its way to `server`; who `victim` names gets `signal` at the stage, and `struck` knows when.
struct Fall {
    client: Client,
    local: u16,
    victim: Arc<OnceLock<u32>>,
    struck: Arc<OnceLock<Instant>>,
}

impl Fall {
    fn prepare(server: &Sshd, echo: u16, stage: usize, signal: Signal) -> Self {
        let (victim, struck) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
        let (pid, at) = (victim.clone(), struck.clone());
        let link = BadLink::to(server.endpoint.port).before_turn(stage, move || {
            send(eventually("the victim's name", || pid.get().copied()), signal);
            at.set(Instant::now()).expect("once");
        });
        let local = free_port();
        let client = by_link(server, link.open())
            .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{echo}")])
            .tunnel();
        Self { client, local, victim, struck }
    }
}

fn the_server_falls(stage: usize, signal: Signal) {
    let (server, echo) = (watchful(), Service::echo());
    let mut fall = Fall::prepare(&server, echo.port(), stage, signal);
    fall.victim.set(server.process.pid()).expect("once");
    speak(fall.local, || fall.client.process.ended().is_some());
    assert_broken(fall.client);
    let took = fall.struck.get().expect("the stage was reached").elapsed();
    assert!(took < NOTICED, "{took:?} after stage {stage}");
}

/// Gives back the client, dead or standing still: until the server has noticed, nobody is to sweep it away.
fn the_client_falls(server: &Sshd, echo: u16, stage: usize, signal: Signal) -> Client {
    let mut fall = Fall::prepare(server, echo, stage, signal);
    fall.victim.set(fall.client.process.pid()).expect("once");
    let struck = fall.struck.clone();
    let local = fall.local;
    thread::spawn(move || speak(local, || struck.get().is_some()));
    // On a machine that is too busy the time for the login may be over before: the server must be well then, too.
    eventually("the stage, or the end", || {
        (fall.struck.get().is_some() || fall.client.process.ended().is_some()).then_some(())
    });
    fall.client
}

fn every_server_falls(signal: Signal) {
    if both_are_ours() {
        each(STAGES, |stage| the_server_falls(1 + stage, signal));
    }
}

fn every_client_falls(signal: Signal) {
    if !both_are_ours() {
        return;
    }
    let (mut server, echo) = (watchful(), Service::echo());
    let (descriptors, fallen) = (server.process.descriptors(), Mutex::new(Vec::new()));
    each(STAGES, |stage| {
        let client = the_client_falls(&server, echo.port(), 1 + stage, signal);
        fallen.lock().expect("nobody failed").push(client);
    });
    let start = Instant::now();
    assert_well(&mut server, descriptors);
    assert!(start.elapsed() < NOTICED, "{:?}", start.elapsed());
    drop(fallen);
}

#[test]
fn a_server_that_is_killed_at_any_stage_ends_the_client() {
    every_server_falls(Signal::KILL);
}

#[test]
fn a_server_that_stands_still_at_any_stage_ends_the_client() {
    every_server_falls(Signal::STOP);
}

#[test]
fn a_client_that_is_killed_at_any_stage_leaves_nothing_at_the_server() {
    every_client_falls(Signal::KILL);
}

#[test]
fn a_client_that_stands_still_at_any_stage_leaves_nothing_at_the_server() {
    every_client_falls(Signal::STOP);
}

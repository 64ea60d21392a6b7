//! The link resets, dribbles, or both sides are interrupted all the time: what arrives is an exact prefix, and all of it
//! where nothing broke.

use super::{
    assert_broken, assert_well, both_are_ours, by_link, each, into_tunnel, slow, watchful,
};
use adit_interop_tests::{
    bad_link::BadLink,
    carry::through_echo,
    child::send,
    pattern::Pattern,
    ports::{connect, free_port},
    service::Service,
    sshd::Sshd,
};
use rustix::process::Signal;
use std::{
    io::ErrorKind,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// What each side sends, if the link lives so long.
const LENGTH: u64 = 40_000;
/// The program at the client sends this pattern.
const HERE: u64 = 1;
/// The service at the server sends this one.
const THERE: u64 = 2;

/// Sends one pattern and holds what comes against the other, until either is over.
fn exchange() -> Service {
    Service::tcp(|stream| {
        let mut back = stream.second()?;
        let sender = thread::spawn(move || Pattern::new(THERE).send(&mut *back, LENGTH, |_| ()));
        let result = Pattern::new(HERE).verify_up_to(&mut *stream, LENGTH, |_| ());
        let _ = sender.join();
        result.map(|_| ())
    })
}

/// One connection over a link that is reset at `byte`.
fn broken_off(server: &Sshd, byte: usize) {
    let (local, service) = (free_port(), exchange());
    let link = BadLink::to(server.endpoint.port).reset_at(byte);
    let mut client = by_link(server, link.open())
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", service.port())])
        .tunnel();
    if let Some(stream) = into_tunnel(local, || client.process.ended().is_some()) {
        let mut back = stream.try_clone().expect("a descriptor");
        let sender = thread::spawn(move || Pattern::new(HERE).send(&mut back, LENGTH, |_| ()));
        exact(Pattern::new(THERE).verify_up_to(stream, LENGTH, |_| ()).map(|_| ()), byte);
        let _ = sender.join();
        // A channel that was never opened is no connection.
        if service.connections() > 0 {
            exact(service.wait_result(), byte);
        }
    }
    assert_broken(client);
}

/// A connection may break off; what came before must be right.
fn exact(result: std::io::Result<()>, byte: usize) {
    if let Err(error) = result {
        assert_ne!(error.kind(), ErrorKind::InvalidData, "reset at {byte}: {error}");
    }
}

#[test]
fn a_reset_at_any_byte_leaves_an_exact_prefix_and_a_server_that_is_well() {
    if !both_are_ours() {
        return;
    }
    let mut server = watchful();
    let descriptors = server.process.descriptors();
    // Spread over the whole, whatever the number of runs.
    each(if slow() { 10_000 } else { 24 }, |run| {
        broken_off(&server, 1 + run * 0x9e37_79b9 % 20_000);
    });
    assert_well(&mut server, descriptors);
}

#[test]
fn a_link_of_single_bytes_carries_everything() {
    if !both_are_ours() {
        return;
    }
    let (server, echo, local) = (watchful(), Service::echo(), free_port());
    let link = BadLink::to(server.endpoint.port).pieces(1).open();
    let _client = by_link(&server, link)
        .option("ConnectTimeout=30")
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(local);
    through_echo(&mut connect(local), 10_000);
}

#[test]
fn interruptions_without_end_lose_nothing() {
    if !both_are_ours() {
        return;
    }
    let (server, echo, local) = (watchful(), Service::echo(), free_port());
    let client = by_link(&server, server.endpoint.port)
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(local);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Stopped and continued in the middle of a system call, which then ends with EINTR.
            while !done.load(Ordering::Acquire) {
                for pid in [client.process.pid(), server.process.pid()] {
                    send(pid, Signal::STOP);
                    send(pid, Signal::CONT);
                }
                thread::yield_now();
            }
        });
        through_echo(&mut connect(local), 2_000_000);
        done.store(true, Ordering::Release);
    });
}

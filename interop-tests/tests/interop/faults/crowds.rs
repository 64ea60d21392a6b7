//! More than there is room or time for: connections while the link stands still, and very many one after the other.

use super::{both_are_ours, by_link, slow};
use adit_interop_tests::{
    aditd,
    carry::through_echo,
    client::Invocation,
    deadline::eventually,
    ports::{connect, free_port, is_closed},
    service::Service,
};
use rustix::process::Signal;
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

/// What a channel and its socket may cost the client while it waits, in KiB.
const PER_CONNECTION_KIB: usize = 4;

/// Connections that come and go leave memory and descriptors as they were.
#[test]
fn connections_that_come_and_go_leave_nothing() {
    if !both_are_ours() {
        return;
    }
    let (server, echo, local) = (aditd::start(), Service::echo(), free_port());
    let client = by_link(&server, server.endpoint.port)
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(local);
    let come_and_go = |count: usize| {
        for _ in 0..count {
            let mut stream = connect(local);
            stream.write_all(b"x").expect("sent");
            stream.read_exact(&mut [0; 1]).expect("received");
        }
    };
    let settled = |descriptors: [usize; 2]| {
        eventually("the descriptors back", || {
            let now = [client.process.descriptors(), server.process.descriptors()];
            (now == descriptors).then_some(())
        });
    };
    let descriptors = [client.process.descriptors(), server.process.descriptors()];
    // What is taken once, such as room in tables, is taken before it is measured.
    come_and_go(100);
    settled(descriptors);
    let memory = [client.process.resident_kib(), server.process.resident_kib()];
    come_and_go(if slow() { 10_000 } else { 500 });
    settled(descriptors);
    let after = [client.process.resident_kib(), server.process.resident_kib()];
    for (before, after) in memory.into_iter().zip(after) {
        assert!(after < before + 1024, "{memory:?} KiB before, {after} after");
    }
}

/// A listener whose link stands still takes what it has room for, and does not spin over the rest.
#[test]
fn a_crowd_at_a_listener_whose_link_stands_still_is_borne() {
    if !both_are_ours() {
        return;
    }
    let (server, echo, local) = (aditd::start(), Service::echo(), free_port());
    let mut client = Invocation::to(&server.endpoint)
        .args(["-L", &format!("127.0.0.1:{local}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(local);
    let count = if slow() { 5000 } else { 1000 };
    let before = client.process.resident_kib();
    server.process.signal(Signal::STOP);
    let crowd: Vec<_> = (0..count)
        .map(|_| TcpStream::connect(("127.0.0.1", local)).expect("a connection"))
        .collect();
    eventually("them to be taken", || (client.process.descriptors() > count).then_some(()));
    let share = super::scarcity::share_of_processor(&client.process, Duration::from_secs(1));
    assert!(share < 0.02, "{share}: it spins");
    let grown = client.process.resident_kib().saturating_sub(before);
    assert!(grown < count * PER_CONNECTION_KIB, "{grown} KiB for {count} connections");
    server.process.signal(Signal::CONT);
    // All of them are served now, or told that they are not.
    let tellers = crowd.chunks(count / 4).map(|part| part.iter());
    thread::scope(|scope| {
        for part in tellers {
            scope.spawn(move || {
                for mut stream in part {
                    let _ = stream.write_all(b"x");
                    let _ = stream.read(&mut [0; 1]);
                }
            });
        }
    });
    drop(crowd);
    client.assert_runs();
    through_echo(&mut connect(local), 10_000);
}

/// A target that swallows the first packet of a connection holds up that connection alone.
#[test]
fn a_target_that_never_answers_holds_up_nobody_else() {
    if !both_are_ours() {
        return;
    }
    let (server, echo) = (aditd::start(), Service::echo());
    let (_listener, silent, _waiting) = full_backlog();
    let (to_silent, to_echo) = (free_port(), free_port());
    let _client = by_link(&server, server.endpoint.port)
        .args(["-L", &format!("127.0.0.1:{to_silent}:127.0.0.1:{silent}")])
        .args(["-L", &format!("127.0.0.1:{to_echo}:127.0.0.1:{}", echo.port())])
        .tunnel()
        .listening(to_silent)
        .listening(to_echo);
    let held_up = connect(to_silent);
    through_echo(&mut connect(to_echo), 1_000_000);
    if slow() {
        let start = std::time::Instant::now();
        assert!(is_closed(&held_up));
        assert!(start.elapsed() < Duration::from_secs(35), "{:?}", start.elapsed());
        server.log().wait_for("imed out");
    }
}

/// A listener that answers nobody any more: its queue is full, and the kernel drops what comes.
fn full_backlog() -> (std::net::TcpListener, u16, Vec<TcpStream>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    rustix::net::listen(&listener, 0).expect("a shorter backlog");
    let address = listener.local_addr().expect("bound");
    let wait = Duration::from_millis(300);
    let waiting = std::iter::from_fn(|| TcpStream::connect_timeout(&address, wait).ok()).collect();
    (listener, address.port(), waiting)
}

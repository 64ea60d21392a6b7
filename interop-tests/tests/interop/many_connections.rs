//! Five hundred connections at the same time through one tunnel.

use adit_interop_tests::{
    carry::at_once,
    client::Invocation,
    ports::{connect, free_port},
    service::Service,
    sshd::Sshd,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    io::{Read, Write},
    net::Shutdown,
};

const COUNT: usize = 500;

/// Both ends of every connection are in this process.
fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[test]
fn all_of_them_stand_and_each_gets_its_own_bytes() {
    allow_descriptors();
    let (sshd, echo, port) = (Sshd::start(), Service::echo(), free_port());
    let forward = format!("127.0.0.1:{port}:127.0.0.1:{}", echo.port());
    let mut client = Invocation::to(&sshd.endpoint).args(["-L", &forward]).tunnel().listening(port);
    at_once(port, &echo, COUNT);
    client.assert_runs();
}

#[test]
fn a_thousand_in_a_row_leave_nothing_behind() {
    let (sshd, echo, port) = (Sshd::start(), Service::echo(), free_port());
    let forward = format!("127.0.0.1:{port}:127.0.0.1:{}", echo.port());
    let client =
        Invocation::to(&sshd.endpoint).open_to_us().args(["-L", &forward]).tunnel().listening(port);
    let descriptors = || {
        std::fs::read_dir(format!("/proc/{}/fd", client.process.pid())).map_or(0, Iterator::count)
    };
    let once = || {
        let mut stream = connect(port);
        stream.write_all(b"hello").expect("taken");
        stream.shutdown(Shutdown::Write).expect("still open");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the echo and its end");
        assert_eq!(answer, b"hello");
    };
    once();
    let before = descriptors();
    (0..1000).for_each(|_| once());
    adit_interop_tests::deadline::eventually("descriptors given back", || {
        (descriptors() <= before).then_some(())
    });
}

//! `-W`: standard input and output joined to one destination.

use adit_interop_tests::{
    carry::MIB, client::Invocation, pattern::Pattern, ports::free_port, service::Service,
    sshd::Sshd,
};
use std::{process::Stdio, thread};

#[test]
fn bytes_pass_both_ways_and_the_end_comes_through() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    let mut child = Invocation::to(&sshd.endpoint)
        .args(["-W", &format!("127.0.0.1:{}", echo.port())])
        .command(&[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client starts");
    let (stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let length = 8 * MIB;
    let writer = thread::spawn(move || Pattern::new(1).send(stdin, length, |_| ()));
    let got = Pattern::new(1).verify(stdout, |_| ());
    if got.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().expect("a child");
    assert_eq!(got.expect("the same bytes"), length);
    writer.join().expect("the writer").expect("sent");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_refused_destination_ends_it() {
    let sshd = Sshd::start();
    Invocation::to(&sshd.endpoint)
        .args(["-W", &format!("127.0.0.1:{}", free_port())])
        .run()
        .assert(
            255,
            &["open failed: connect failed: Connection refused", "stdio forwarding failed"],
        );
}

#[test]
fn other_forwards_are_cleared() {
    let (sshd, port) = (Sshd::start(), free_port());
    let source = Service::source(3, 1000);
    let finished = Invocation::to(&sshd.endpoint)
        .args(["-W", &format!("127.0.0.1:{}", source.port())])
        .args(["-L", &format!("{port}:127.0.0.1:9")])
        .option("ExitOnForwardFailure=yes")
        .run();
    finished.assert(0, &[]);
}

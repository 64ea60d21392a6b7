//! One direction ends, the other one stays: in every kind of forward, whoever ends first.

use adit_interop_tests::{
    carry::{MIB, after_its_end, ends_first, from_source, into_sink},
    client::{Client, Invocation},
    pattern::Pattern,
    ports::{connect, free_port, is_closed},
    proxy_client::{Target, socks5},
    service::{Duplex, Service},
    sshd::Sshd,
};
use std::net::{Ipv4Addr, TcpStream};

/// Each kind of forward to `to`, with a connection through it.
fn each_kind(sshd: &Sshd, to: u16) -> Vec<(&'static str, Client, TcpStream)> {
    let forward = |letter: &str| {
        let port = free_port();
        let spec = format!("127.0.0.1:{port}:127.0.0.1:{to}");
        let client = Invocation::to(&sshd.endpoint).args([letter, &spec]).tunnel().listening(port);
        (client, connect(port))
    };
    let (local, through_local) = forward("-L");
    let (remote, through_remote) = forward("-R");
    let port = free_port();
    let dynamic = Invocation::to(&sshd.endpoint)
        .args(["-D", &format!("127.0.0.1:{port}")])
        .tunnel()
        .listening(port);
    let through_dynamic = connect(port);
    socks5(&through_dynamic, Target::V4(Ipv4Addr::LOCALHOST), to).expect("reached");
    vec![
        ("-L", local, through_local),
        ("-R", remote, through_remote),
        ("-D", dynamic, through_dynamic),
    ]
}

#[test]
fn the_answer_given_after_our_end_arrives() {
    let (sshd, sink) = (Sshd::start(), Service::sink(5));
    for (_kind, _client, mut stream) in each_kind(&sshd, sink.port()) {
        into_sink(&mut stream, 5, 300_000);
        assert!(is_closed(&stream));
    }
}

#[test]
fn we_may_go_on_after_the_servers_end() {
    let sshd = Sshd::start();
    let service = ends_first();
    for (kind, _client, mut stream) in each_kind(&sshd, service.port()) {
        after_its_end(&mut stream, &service, kind);
    }
}

#[test]
fn everything_sent_before_the_end_arrives_before_the_end() {
    let (sshd, source) = (Sshd::start(), Service::source(8, 3 * MIB));
    for (_kind, _client, mut stream) in each_kind(&sshd, source.port()) {
        from_source(&mut stream, 8, 3 * MIB);
    }
}

#[test]
fn an_end_without_data_is_an_end() {
    let (sshd, echo) = (Sshd::start(), Service::echo());
    for (kind, _client, stream) in each_kind(&sshd, echo.port()) {
        stream.finish_writing().expect("open");
        assert!(is_closed(&stream), "{kind}");
    }
}

#[test]
fn stdio_takes_the_answer_given_after_our_end() {
    let (sshd, sink) = (Sshd::start(), Service::sink(9));
    let mut client =
        Invocation::to(&sshd.endpoint).args(["-W", &format!("127.0.0.1:{}", sink.port())]).start();
    Pattern::new(9).send(client.process.take_stdin(), 0x44444, |_| ()).expect("sent");
    let finished = client.finish();
    assert_eq!(finished.stdout, "\0\0\0\0\0\x04DD", "the sink's count, big-endian: {finished:?}");
    assert_eq!(finished.code, Some(0));
    sink.wait_result().expect("the same bytes");
}

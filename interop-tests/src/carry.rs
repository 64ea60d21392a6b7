//! Moving data through a tunnel and holding every byte against what was sent.
//! Touches: connected streams.   Never: SSH.
//! Invariants: both directions end by half-close, and both ends are seen.
//! Errors: a panic naming the first wrong byte or the missing count.   Allocates: buffers.
//! Proved by: every interop test.

use crate::{
    client::Invocation,
    endpoint::Endpoint,
    pattern::Pattern,
    ports::{connect, free_port},
    proxy_client::{Target, socks5},
    service::{Duplex, Service},
};
use std::{
    io::{self, Read, Write},
    net::Ipv4Addr,
    thread,
};

/// 1 MiB.
pub const MIB: u64 = 1024 * 1024;

/// Sends `length` bytes to an echo and verifies what comes back, both at the same time.
///
/// # Panics
/// When a byte is wrong or missing.
pub fn through_echo(stream: &mut dyn Duplex, length: u64) {
    let mut sender = stream.second().expect("a second handle");
    let writer = thread::spawn(move || {
        Pattern::new(length).send(&mut *sender, length, |_| ()).expect("sent through the tunnel");
        sender.finish_writing().expect("the tunnel is still open");
    });
    let got =
        Pattern::new(length).verify(&mut *stream, |_| ()).expect("received through the tunnel");
    assert_eq!(got, length, "bytes that came back");
    writer.join().expect("the writing half");
}

/// Takes everything from [`Service::source`] with the same seed.
///
/// # Panics
/// When a byte is wrong or missing.
pub fn from_source(stream: &mut dyn Duplex, seed: u64, length: u64) {
    let got = Pattern::new(seed).verify(&mut *stream, |_| ()).expect("received through the tunnel");
    assert_eq!(got, length, "bytes from the source");
}

/// Sends to [`Service::sink`] with the same seed, ends, and reads the count that it answers.
///
/// # Panics
/// When the sink got something else.
pub fn into_sink(stream: &mut dyn Duplex, seed: u64, length: u64) {
    Pattern::new(seed).send(&mut *stream, length, |_| ()).expect("sent through the tunnel");
    stream.finish_writing().expect("the tunnel is still open");
    let mut count = [0; 8];
    stream.read_exact(&mut count).expect("the sink's answer after our end");
    assert_eq!(u64::from_be_bytes(count), length, "bytes at the sink");
}

/// `count` connections to `port` at once, all of which lead to `echo`: each gets back what it sent.
///
/// # Panics
/// When one gets less, or another's.
pub fn at_once(port: u16, echo: &Service, count: usize) {
    let mut streams: Vec<_> = (0..count).map(|_| connect(port)).collect();
    echo.wait_connections(count);
    let text = |number: usize| format!("connection {number:03} ").repeat(300);
    for (number, stream) in streams.iter_mut().enumerate() {
        stream.write_all(text(number).as_bytes()).expect("taken");
        stream.finish_writing().expect("still open");
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the echo and its end");
        assert!(answer == text(number), "connection {number} got another's bytes");
    }
}

const LAST_WORDS: &str = "all I have to say";

/// A service that is the first to end, and goes on to listen.
pub fn ends_first() -> Service {
    Service::tcp(|stream| {
        stream.write_all(LAST_WORDS.as_bytes())?;
        stream.finish_writing()?;
        Pattern::new(6).verify(&mut *stream, |_| ()).and_then(|count| match count {
            MIB => Ok(()),
            other => Err(io::Error::other(format!("{other} bytes"))),
        })
    })
}

/// Goes on to speak to [`ends_first`] after its end.
///
/// # Panics
/// When anything is missing on either side.
pub fn after_its_end(stream: &mut dyn Duplex, service: &Service, way: &str) {
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("the service's words and its end");
    assert_eq!(said, LAST_WORDS, "{way}");
    Pattern::new(6).send(&mut *stream, MIB, |_| ()).expect("the way there is still open");
    stream.finish_writing().expect("still open");
    service.wait_result().unwrap_or_else(|error| panic!("{way}: {error}"));
}

/// Carries `length` bytes both ways through the client's forward, by `-L` or `-R`, once with each of so many lists of
/// `-o` options. Several at a time: most of each case is waiting.
///
/// # Panics
/// When any of it fails.
pub fn with_each(client: &Invocation, letter: &str, cases: &[Vec<String>], length: u64) {
    let echo = Service::echo();
    let carries = |options: &Vec<String>| {
        let port = free_port();
        let forward = format!("127.0.0.1:{port}:127.0.0.1:{}", echo.port());
        let client = options.iter().fold(client.clone(), Invocation::option);
        let _client = client.args([letter, &forward]).tunnel().listening(port);
        through_echo(&mut connect(port), length);
    };
    let quarter = cases.len().div_ceil(4).max(1);
    thread::scope(|scope| {
        for part in cases.chunks(quarter) {
            scope.spawn(|| part.iter().for_each(carries));
        }
    });
}

/// Opens -L, -R and -D to a server in one connection and carries `length` bytes both ways through each.
///
/// # Panics
/// When any of it fails.
pub fn through_every_forward(endpoint: &Endpoint, options: &[&str], length: u64) {
    by_every_forward(&Invocation::to(endpoint).args(options), length);
}

/// The same with a client of the test's choice.
///
/// # Panics
/// When any of it fails.
pub fn by_every_forward(client: &Invocation, length: u64) {
    let echo = Service::echo();
    let (local, remote, dynamic) = (free_port(), free_port(), free_port());
    let destination = format!("127.0.0.1:{}", echo.port());
    let _client = client
        .clone()
        .args(["-L", &format!("127.0.0.1:{local}:{destination}")])
        .args(["-R", &format!("127.0.0.1:{remote}:{destination}")])
        .args(["-D", &format!("127.0.0.1:{dynamic}")])
        .tunnel()
        .listening(local)
        .listening(dynamic)
        .listening(remote);
    through_echo(&mut connect(local), length);
    through_echo(&mut connect(remote), length);
    let mut proxied = connect(dynamic);
    socks5(&proxied, Target::V4(Ipv4Addr::LOCALHOST), echo.port())
        .expect("SOCKS5 through the tunnel");
    through_echo(&mut proxied, length);
}

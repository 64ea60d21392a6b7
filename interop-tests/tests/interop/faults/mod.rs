//! `adit` and `aditd` on a bad day: one of them dies or stands still, the link breaks, the system gives no more.

mod calls;
mod clock;
mod crowds;
mod links;
mod peers;
mod scarcity;

use adit_interop_tests::{
    aditd::{self, only_aditd},
    client::{Client, Invocation, is_adit},
    deadline::eventually,
    skip::skip,
    sshd::Sshd,
};
use std::{
    env, iter,
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Whether both programs under test are ours: others promise something else.
fn both_are_ours() -> bool {
    if !is_adit() {
        skip("ssh promises nothing like it");
    }
    is_adit() && only_aditd()
}

/// Full numbers are for nights.
fn slow() -> bool {
    env::var_os("ADIT_SLOW_TESTS").is_some()
}

/// Does `work` for each number below `count`, a few at a time.
fn each(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let numbers = || Some(next.fetch_add(1, Ordering::Relaxed));
                iter::from_fn(numbers).take_while(|number| *number < count).for_each(&work);
            });
        }
    });
}

/// The client on its way to `server` by the link at `port`.
fn by_link(server: &Sshd, port: u16) -> Invocation {
    let port = port.to_string();
    Invocation::to(&server.endpoint)
        .args(["-p", &port])
        .option("NoHostAuthenticationForLocalhost=yes")
        .option("ConnectTimeout=5")
        .option("ServerAliveInterval=1")
        .option("ServerAliveCountMax=2")
}

/// A server that notices soon when somebody is gone.
fn watchful() -> Sshd {
    aditd::with(&[
        "LoginGraceTime 3",
        "ClientAliveInterval 1",
        "ClientAliveCountMax 2",
        "PerSourceMaxStartups none",
    ])
}

/// A connection into the tunnel at `port`, unless it is over before it listens.
fn into_tunnel(port: u16, mut is_over: impl FnMut() -> bool) -> Option<TcpStream> {
    eventually("a tunnel, or its end", || {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok();
        (stream.is_some() || is_over()).then_some(stream)
    })
}

/// The client must end with ssh's code for a broken connection, and in its own words.
fn assert_broken(client: Client) {
    let finished = client.finish();
    assert!(!finished.stderr.contains("panicked"), "{finished:#?}");
    assert_eq!(finished.code, Some(255), "{finished:#?}");
}

/// The server runs, lets people in, and holds nothing of those who are gone.
fn assert_well(server: &mut Sshd, descriptors: usize) {
    eventually("its descriptors back", || {
        (server.process.descriptors() == descriptors).then_some(())
    });
    assert!(server.process.ended().is_none());
    assert_eq!(server.log().count("panicked"), 0);
    Invocation::to(&server.endpoint).log_in().assert(0, &[]);
}

//! Many hostile connections at once, and long ones: what they cost the server, and whether others notice.
//!
//! `ADIT_SLOW_TESTS=1` runs them at their full size.

use super::{logged_in, plain_server, server, to};
use adit_interop_tests::{aditd, aditd::only_aditd, client::Invocation, sshd::Sshd};
use adit_testkit::{
    Script,
    keys::key,
    script::{Offer, RawScript, UnderTest, payload},
};
use adit_transport::{MAX_PACKET, Role};
use adit_wire::{
    Message, Rest,
    auth::UserauthSuccess,
    channel::ChannelOpen,
    global_request::{GlobalRequest, RequestFailure},
    transport::{Debug, Ignore, Ping},
};
use std::{
    env,
    io::{ErrorKind, Write},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The small size, or the full one.
fn sized(small: usize, full: usize) -> usize {
    if env::var_os("ADIT_SLOW_TESTS").is_some() { full } else { small }
}

/// Memory of the server's process in KiB.
fn resident(server: &Sshd) -> i64 {
    i64::try_from(server.process.resident_kib()).expect("no such memory")
}

/// What a client that has logged in says again and again.
fn floods() -> Vec<Vec<u8>> {
    let long = vec![b'x'; 33_000];
    vec![
        payload(&Ignore { data: &long }),
        payload(&Debug { always_display: true, message: &long, language_tag: b"" }),
        payload(&GlobalRequest { request_name: "x", want_reply: true, data: Rest(&long) }),
        payload(&ChannelOpen {
            channel_type: "x",
            sender_channel: 0,
            initial_window_size: u32::MAX,
            maximum_packet_size: u32::MAX,
            data: Rest(&long),
        }),
        payload(&Ping { data: &long }),
        // No message at all.
        [&[250], &long[..]].concat(),
    ]
}

#[test]
fn a_flooding_connection_costs_the_server_less_than_a_mebibyte() {
    if !only_aditd() {
        return;
    }
    let server = plain_server();
    let flooded = |message: &[u8]| {
        let mut script = logged_in(&server);
        for _ in 0..sized(40, 2000) {
            script.sends_payload(message);
            // Until it has been read, and answered where it wants to be.
            script.sends(&GlobalRequest { request_name: "x", want_reply: true, data: Rest(b"") });
            while script.hears().is_some_and(|heard| heard[0] != RequestFailure::NUMBER) {}
        }
        script
    };
    let count = 4;
    for message in floods() {
        // What the loops lend to whoever has bytes is not a connection's.
        drop(flooded(&message));
        let before = resident(&server);
        let held: Vec<_> = (0..count).map(|_| flooded(&message)).collect();
        let each = (resident(&server) - before) / count;
        drop(held);
        assert!(each < 1024, "{each} KiB for each of {count} that say {}", message[0]);
    }
}

#[test]
fn a_packet_that_is_never_finished_costs_the_server_less_than_a_mebibyte() {
    if !only_aditd() {
        return;
    }
    let server = plain_server();
    let held_up = || {
        let mut script = RawScript::connected(to(&server), Offer::strict(Role::Server));
        script.sends_framed(MAX_PACKET, &vec![0; MAX_PACKET as usize - 1000]);
        script
    };
    drop(held_up());
    let before = resident(&server);
    let count = 8;
    let held: Vec<_> = (0..count).map(|_| held_up()).collect();
    // Whoever comes later has been read later.
    drop(logged_in(&server));
    let each = (resident(&server) - before) / count;
    drop(held);
    assert!(each < 1024, "{each} KiB for each");
}

#[test]
fn a_client_that_asks_and_never_reads_fills_nothing() {
    if !only_aditd() {
        return;
    }
    let server = plain_server();
    let mut script = RawScript::connected(to(&server), Offer::strict(Role::Server));
    let before = resident(&server);
    // Each is answered with UNIMPLEMENTED; nobody reads the answers. The server stops listening instead.
    let stuck = Some(Duration::from_secs(2));
    script.us.stream.set_write_timeout(stuck).expect("a wait above zero");
    let mut probe = script.us.stream.try_clone().expect("a descriptor");
    let mut sent = 0;
    let most = 64 << 20;
    while sent < most {
        // Sealed by the script, written here: the script would take a stuck server for a failure.
        let packets = script.sealed(&[250], 1000);
        match probe.write_all(&packets) {
            Ok(()) => sent += packets.len(),
            Err(_) => break,
        }
    }
    let grown = resident(&server) - before;
    assert!(sent < most, "the server read on");
    assert!(grown < 4096, "{grown} KiB after {sent} bytes");
    logged_in(&server);
}

#[test]
fn handshakes_that_are_abandoned_keep_nobody_out() {
    if !only_aditd() {
        return;
    }
    let setup = aditd::setup().line("MaxStartups 1000").line("PerSourceMaxStartups none");
    // At its full size the flood outlasts it: a deadline whose connection is gone must not end another.
    let server = server(setup.line("LoginGraceTime 20"));
    let over = AtomicBool::new(false);
    let least = sized(200, 30_000);
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut count = 0;
            while count < least || !over.load(Ordering::Acquire) {
                drop(RawScript::offering(to(&server), Offer::strict(Role::Server)));
                count += 1;
            }
            count
        });
        let began = Instant::now();
        let mut logins = 0;
        while !flood.is_finished() && logins < 3 {
            Invocation::to(&server.endpoint).log_in().assert(0, &[]);
            logins += 1;
        }
        let each = began.elapsed() / logins;
        over.store(true, Ordering::Release);
        let count = flood.join().expect("a flood");
        // A second on a machine of its own; this one is shared with whatever else is tested.
        assert!(each < Duration::from_secs(15), "{each:?} a login beside {count} handshakes");
    });
    logged_in(&server);
}

#[test]
fn logins_at_the_very_end_of_their_time_succeed_or_are_put_out() {
    if !only_aditd() {
        return;
    }
    let grace = Duration::from_secs(2);
    let server = server(aditd::setup().line("LoginGraceTime 2").line("MaxStartups 20000"));
    let count = sized(120, 10_000);
    let batch = 30;
    let mut accepted = 0;
    for _ in 0..count / batch {
        let mut waiting: Vec<_> = (0..batch)
            .map(|n: usize| {
                let since = Instant::now();
                let script = Script::at_login(to(&server));
                // From a little before to a little behind the end.
                let at =
                    since + grace + Duration::from_millis(n as u64 * 4) - Duration::from_millis(60);
                (at, script)
            })
            .collect();
        // The first of them never asks.
        for (at, script) in waiting.iter_mut().skip(1) {
            let left = at.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            script.us.stream.set_read_timeout(Some(left)).expect("a wait above zero");
            // Waiting for its moment, or for the end.
            let early = script.us.stream.peek(&mut [0]);
            script.us.stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a wait");
            if early.is_err_and(|error| {
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
            }) {
                script.asks_with_key(&server.endpoint.user, &key(1));
            }
        }
        for (n, (_, mut script)) in waiting.into_iter().enumerate() {
            let mut let_in = false;
            while let Some(heard) = script.hears() {
                if heard == payload(&UserauthSuccess {}) {
                    let_in = true;
                    break;
                }
            }
            accepted += usize::from(let_in);
            assert!(if let_in { n > 0 } else { script.us.has_left() }, "{n}");
        }
    }
    let logged = || server.log().count("Accepted publickey for ");
    adit_interop_tests::deadline::eventually("as many logins in the log", || {
        (logged() >= accepted).then_some(())
    });
    logged_in(&server);
}

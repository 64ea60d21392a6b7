//! The keeper at work, with a process that talks to the network and has been taken over.
//! Touches: a child that sleeps and stands for it; the other end of its socket, in this process.   Never: a client.
//! Invariants: whatever is done there, the keeper ends the child and comes to an end itself, soon and in order.
//! Errors: panics.   Allocates: freely.
//! Proved by: taking a check away and seeing them fail.

use super::*;
use crate::algorithms::ALGORITHMS;
use crate::host::keys::HostKeyRing;
use crate::host::testing::House;
use crate::keeper::message::{Bytes, Heard, Reply};
use crate::log::{Format, LogLevel};
use adit_config::server::ServerConfig;
use rustix::net::{SendFlags, send as send_raw};
use std::thread;

/// What the keeper came to.
struct Outcome {
    result: Result<ExitCode, String>,
    log: String,
    took: Duration,
}

impl Outcome {
    #[track_caller]
    fn is_the_end_because(&self, why: &str) {
        assert!(self.log.contains(why), "{}", self.log);
        assert_eq!(self.result, Ok(ExitCode::from(FAILURE)));
    }
}

fn settings() -> Settings {
    let config = ServerConfig::load(None, &[], &ALGORITHMS).unwrap();
    Settings::with_keys(config, HostKeyRing::of(adit_testkit::keys::key(7)))
}

/// Keeps while `hostile` does as it likes with the other end; its child outlives every test, unless the keeper ends it.
fn kept(hostile: impl FnOnce(OwnedFd) + Send + 'static) -> Outcome {
    kept_from(|_| {}, hostile)
}

/// As `kept`, but `first` something is done.
fn kept_from(
    first: impl FnOnce(&mut Serving),
    hostile: impl FnOnce(OwnedFd) + Send + 'static,
) -> Outcome {
    let (near, far) = line().unwrap();
    let child = Command::new("sleep").arg("600").spawn().unwrap();
    let (log, captured) = Log::captured(LogLevel::Info, Format::Text);
    let mut serving = Serving {
        keeper: Arc::new(Keeper::new(
            Arc::new(House::default()),
            Launch::by_this_program(None),
            Errands::new(1).unwrap(),
            settings(),
        )),
        socket: Arc::new(near),
        child,
        errands: Errands::new(2).unwrap(),
        look_ups: Errands::new(2).unwrap(),
        waiting: Arc::default(),
        log,
        origin: Origin::nowhere(),
        notify: Notify::from_env().unwrap(),
        background: None,
        pid_file: None,
        written: None,
        status: String::new(),
        fatal: None,
        ready: false,
        deadline: None,
    };
    let signals = Signals::watch(&[]).unwrap();
    let began = Instant::now();
    first(&mut serving);
    let other = thread::spawn(move || hostile(far));
    let result = serving.run(&signals);
    let took = began.elapsed();
    other.join().unwrap();
    Outcome { result, log: captured.lines().join("\n"), took }
}

fn says(far: &OwnedFd, request: &Request) {
    send(far, &request.encode(1), &[]).unwrap();
}

/// Until the keeper has hung up.
fn stays(far: &OwnedFd) {
    while let Ok(Some(_)) = receive(far) {}
}

#[test]
fn what_is_no_request_ends_whoever_sent_it() {
    for bytes in [&b"garbage"[..], &[1], &[1, 0, 0, 0, 1, 200], &[1, 0, 0, 0, 1, 14, 0]] {
        let outcome = kept(move |far| {
            send(&far, bytes, &[]).unwrap();
            stays(&far);
        });
        outcome.is_the_end_because("it sent what is no request");
    }
}

#[test]
fn a_message_longer_than_any_ends_whoever_sent_it() {
    let outcome = kept(|far| {
        send_raw(&far, &vec![1; MAX_LENGTH + 1], SendFlags::empty()).unwrap();
        stays(&far);
    });
    outcome.is_the_end_because("is ended: Message too long");
}

#[test]
fn descriptors_are_for_the_other_way_only() {
    for count in [1, 100] {
        let outcome = kept(move |far| {
            send(&far, &Request::Alive {}.encode(0), &vec![far.as_fd(); count]).unwrap();
            stays(&far);
        });
        outcome.is_the_end_because("it sent what is no request");
    }
}

#[test]
fn whoever_hangs_up_and_stays_is_ended_within_a_second() {
    let outcome = kept(drop);
    outcome.is_the_end_because("the process that talks to the network ended");
    assert!(outcome.took < Duration::from_secs(5), "on a busy machine too: {:?}", outcome.took);
}

#[test]
fn whoever_reads_no_answer_or_does_not_end_is_ended_after_ten_seconds() {
    let deaf = thread::spawn(|| {
        kept(|far| {
            let (algorithm, hash) = (String::new(), Bytes(Vec::new()));
            let request = Request::Sign { connection: 1, algorithm, hash }.encode(1);
            while send(&far, &request, &[]).is_ok() {}
        })
    });
    let stop = |serving: &mut Serving| serving.signalled(Signal::TERM).ok().unwrap();
    let stubborn = kept_from(stop, |far| stays(&far));
    stubborn.is_the_end_because("it does not end");
    let deaf = deaf.join().unwrap();
    deaf.is_the_end_because("the process that talks to the network ended");
    for took in [deaf.took, stubborn.took] {
        assert!((10..20).contains(&took.as_secs()), "on a busy machine too: {took:?}");
    }
}

#[test]
fn whoever_asks_without_end_and_hears_no_answer_is_ended() {
    let outcome = kept(|far| {
        let message = crate::keeper::message::Private(vec![0; 60_000].into());
        let request = Request::Login { connection: 1, message };
        let bytes = request.encode(1);
        while send(&far, &bytes, &[]).is_ok() {}
    });
    outcome.is_the_end_because("it asks too much at a time");
}

#[test]
fn connections_that_end_without_end_weigh_nothing() {
    let outcome = kept(|far| {
        (0..20_000).for_each(|connection| says(&far, &Request::Gone { connection }));
        says(&far, &Request::Alive {});
        send(&far, b"enough", &[]).unwrap();
        stays(&far);
    });
    outcome.is_the_end_because("it sent what is no request");
}

#[test]
fn nobody_waits_for_a_session_that_is_not_there() {
    let outcome = kept(|far| {
        let (connection, session) = (1, 1);
        says(&far, &Request::Leave { connection, session });
        says(&far, &Request::Wait { connection, session });
        let (bytes, descriptors) = receive(&far).unwrap().unwrap();
        assert_eq!(Heard::decode(&bytes), Ok(Heard::Reply(1, Reply::Refused {})));
        assert!(descriptors.is_empty());
        send(&far, b"enough", &[]).unwrap();
        stays(&far);
    });
    outcome.is_the_end_because("it sent what is no request");
}

#[test]
fn why_it_cannot_start_is_told_in_one_line_and_only_before_it_has_started() {
    let fatal = || Request::Fatal { words: "no\n\x1b[2Jroom".into() };
    let outcome = kept(move |far| says(&far, &fatal()));
    assert_eq!(outcome.result, Err("no  [2Jroom".to_owned()));
    let outcome = kept(move |far| {
        says(&far, &Request::Ready { status: "listening".into() });
        says(&far, &fatal());
        stays(&far);
    });
    outcome.is_the_end_because("it cannot go on");
}

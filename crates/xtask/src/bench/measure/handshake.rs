//! From the start of a client to the first byte that has come back through its -L: time, and round trips.
//! Touches: passages over a line, one per sample.   Never: name resolution; the host is an address.
//! Invariants: the line's own TCP handshakes take no time, so round trips are SSH's alone.
//! Errors: a client's skips it.   Allocates: rows.
//! Proved by: running it.

use crate::{
    Outcome,
    bench::{
        contender::{Cipher, Contender},
        line::Settings,
        measurement::Measurement,
        near_end::visit,
        passage::Passage,
        row::Row,
        run::Run,
    },
};
use std::time::Duration;

pub(crate) struct Handshake;

/// Long enough that the processors' share is small.
const ROUND_TRIP: Duration = Duration::from_millis(100);

impl Measurement for Handshake {
    fn name(&self) -> &'static str {
        "handshake"
    }

    fn what(&self) -> &'static str {
        "from a client's start to its listener and to the first byte back: milliseconds, and round trips"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        for round in 1..=run.plan.rounds {
            for contender in run.plan.tunnels.clone() {
                sample(run, round, contender);
            }
        }
        Ok(())
    }
}

fn sample(run: &mut Run, round: usize, contender: Contender) {
    let watch = run.watch();
    let near = once(run, contender, Duration::ZERO);
    let far = near.and_then(|near| Ok((near, once(run, contender, ROUND_TRIP)?)));
    match far {
        Ok((near, far)) => {
            let trips = |times: fn(&Times) -> Duration| {
                (times(&far).as_secs_f64() - times(&near).as_secs_f64()) / ROUND_TRIP.as_secs_f64()
            };
            let row = Row::new("handshake", contender.name())
                .figure("near_listener_ms", near.listener.as_secs_f64() * 1e3)
                .figure("near_echo_ms", near.echo.as_secs_f64() * 1e3)
                .figure("round_trips_to_listener", trips(|times| times.listener))
                .figure("round_trips_to_echo", trips(|times| times.echo))
                .figure("flights", far.flights as f64);
            run.record(round, watch, row);
        }
        Err(why) => run.skip(&contender.name(), &format!("handshake: {why}")),
    }
}

/// Since the client's start.
struct Times {
    listener: Duration,
    echo: Duration,
    flights: usize,
}

fn once(run: &mut Run, contender: Contender, round_trip: Duration) -> Result<Times, String> {
    let settings = Settings { round_trip, rate: None };
    let passage = Passage::open(&mut run.fleet, contender, Cipher::Aes128Gcm, Some(settings))?;
    let listener = passage.started.elapsed();
    visit(passage.port).map_err(|error| format!("{error}; it said: {}", passage.said()))?;
    let echo = passage.started.elapsed();
    let flights = passage.line.as_ref().map_or(0, |line| line.flights());
    Ok(Times { listener, echo, flights })
}

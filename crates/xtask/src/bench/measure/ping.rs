//! One byte there and back through a tunnel: alone, and beside a stream that takes all it can.
//! Touches: passages.   Never: the network.
//! Invariants: both use one connection of the tunnel, and a channel each.
//! Errors: a ping's skips its contender.   Allocates: the times.
//! Proved by: running it.

use crate::{
    Outcome,
    bench::{
        contender::{Cipher, Contender},
        measurement::Measurement,
        near_end::{Way, pings, pour_aside},
        passage::Passage,
        row::Row,
        run::Run,
        statistics::quantile,
    },
};
use std::{io, thread, time::Duration};

pub(crate) struct Ping;

impl Measurement for Ping {
    fn name(&self) -> &'static str {
        "ping"
    }

    fn what(&self) -> &'static str {
        "a byte's round trip in microseconds, idle and beside a stream"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        let contenders = [&run.plan.tunnels[..], &[Contender::TwoRelays]].concat();
        let passages = run.passages(&contenders, Cipher::Aes128Gcm, None);
        for round in 1..=run.plan.rounds {
            for beside in [None, Some(Way::Down), Some(Way::Up)] {
                passages.iter().for_each(|passage| sample(run, round, beside, passage));
            }
        }
        Ok(())
    }
}

fn sample(run: &mut Run, round: usize, beside: Option<Way>, passage: &Passage) {
    let watch = run.watch();
    match times(run, beside, passage) {
        Ok(times) => {
            let row = Row::new("ping", passage.contender.name())
                .case("beside", beside.map_or("idle", Way::name));
            run.record(round, watch, with_quantiles(row, &times, 1e6, "us"));
        }
        Err(error) => run.fail(&passage.contender.name(), &format!("ping: {error}")),
    }
}

fn times(run: &Run, beside: Option<Way>, passage: &Passage) -> io::Result<Vec<f64>> {
    let Some(way) = beside else {
        return pings(passage.port, run.plan.pings, Duration::from_secs(10));
    };
    let settle = Duration::from_millis(200);
    let stream = pour_aside(passage.port, way, run.plan.time + settle);
    thread::sleep(settle);
    let times = pings(passage.port, 100_000, run.plan.time);
    stream.join().expect("the stream's thread")?;
    times
}

/// The middle, the slow and the count.
pub(crate) fn with_quantiles(row: Row, times: &[f64], scale: f64, unit: &str) -> Row {
    [("p50", 0.5), ("p99", 0.99)].into_iter().fold(row, |row, (name, share)| {
        match quantile(times, share) {
            Some(time) => row.figure(&format!("{name}_{unit}"), time * scale),
            None => row,
        }
    })
}

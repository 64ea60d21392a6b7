//! One stream over a long path, one gigabit wide: how much of it a tunnel fills.
//! Touches: passages over lines.   Never: the kernel's congestion control; the line takes its place.
//! Invariants: the same line without SSH is measured in the same rounds: what it carries is what is there.
//! Errors: a transfer's skips its contender.   Allocates: what is under way.
//! Proved by: running it; `line`'s tests.

use crate::{
    Outcome,
    bench::{
        contender::{Cipher, Contender},
        line::{Line, Settings},
        measurement::Measurement,
        near_end::{Way, pour},
        passage::Passage,
        row::Row,
        run::Run,
    },
};
use std::time::Duration;

pub(crate) struct LongPath;

/// Bytes per second of the line.
const RATE: f64 = 125e6;

impl Measurement for LongPath {
    fn name(&self) -> &'static str {
        "long-path"
    }

    fn what(&self) -> &'static str {
        "one stream over a line of 1 Gbit/s and a long way, growing windows included: MiB per second"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        let contenders = [&run.plan.tunnels[..], &[Contender::TwoRelays]].concat();
        for round_trip in run.plan.round_trips.clone() {
            let settings = Settings { round_trip, rate: Some(RATE) };
            for round in 1..=run.plan.long_rounds() {
                for contender in &contenders {
                    for way in Way::BOTH {
                        // A passage each: what a window has learnt would help the next sample.
                        if let Some(passage) =
                            run.passage(*contender, Cipher::Aes128Gcm, Some(settings))
                        {
                            sample(run, round, way, round_trip, &passage);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn sample(run: &mut Run, round: usize, way: Way, round_trip: Duration, passage: &Passage) {
    let watch = run.watch();
    match pour(passage.port, way, run.plan.line_time) {
        Ok(poured) => {
            let lateness = passage.line.as_ref().map_or(0.0, Line::lateness);
            let row = Row::new("long-path", passage.contender.name())
                .case("round trip", format!("{:>3} ms", round_trip.as_millis()))
                .case("way", way.name())
                .figure("mib_per_second", poured.mib_per_second())
                .figure("line_late_ms", lateness * 1e3);
            run.record(round, watch, row);
        }
        Err(error) => run.fail(
            &passage.contender.name(),
            &format!("{} ms {}: {error}", round_trip.as_millis(), way.name()),
        ),
    }
}

//! A thin line that is full: how long a byte on another channel waits, and whether the line stays full.
//! Touches: passages over lines.   Never: the kernel's queueing discipline.
//! Invariants: ping and stream share one SSH connection, and the line knows no difference between them.
//! Errors: a transfer's skips its contender.   Allocates: what is under way.
//! Proved by: running it; `line`'s tests.

use super::ping::with_quantiles;
use crate::{
    Outcome,
    bench::{
        contender::Cipher,
        line::Settings,
        measurement::Measurement,
        near_end::{Way, pings, pour_aside},
        passage::Passage,
        row::Row,
        run::Run,
    },
};
use std::{io, thread, time::Duration};

pub(crate) struct Bloat;

/// 100 Mbit/s and 20 ms.
const LINE: Settings = Settings { round_trip: Duration::from_millis(20), rate: Some(12.5e6) };

impl Measurement for Bloat {
    fn name(&self) -> &'static str {
        "bloat"
    }

    fn what(&self) -> &'static str {
        "a byte's round trip in milliseconds on a line of 100 Mbit/s and 20 ms, idle and while a stream fills it"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        for round in 1..=run.plan.long_rounds() {
            for contender in run.plan.tunnels.clone() {
                for beside in [None, Some(Way::Down), Some(Way::Up)] {
                    if let Some(passage) = run.passage(contender, Cipher::Aes128Gcm, Some(LINE)) {
                        sample(run, round, beside, &passage);
                    }
                }
            }
        }
        Ok(())
    }
}

fn sample(run: &mut Run, round: usize, beside: Option<Way>, passage: &Passage) {
    let watch = run.watch();
    match times(passage.port, beside, run.plan.line_time) {
        Ok((times, share)) => {
            let row = Row::new("bloat", passage.contender.name())
                .case("beside", beside.map_or("idle", Way::name));
            let row = with_quantiles(row, &times, 1e3, "ms");
            run.record(
                round,
                watch,
                share.into_iter().fold(row, |row, share| row.figure("line_share", share)),
            );
        }
        Err(error) => run.fail(&passage.contender.name(), &format!("bloat: {error}")),
    }
}

/// The pings', and the stream's share of the line.
fn times(port: u16, beside: Option<Way>, time: Duration) -> io::Result<(Vec<f64>, Option<f64>)> {
    let Some(way) = beside else {
        return Ok((pings(port, 50, time)?, None));
    };
    let stream = pour_aside(port, way, time);
    // Until the window has found the line.
    let settle = time / 4;
    thread::sleep(settle);
    let times = pings(port, 100_000, time - 2 * settle)?;
    let poured = stream.join().expect("the stream's thread")?;
    Ok((times, Some(poured.bytes as f64 / poured.seconds / LINE.rate.unwrap_or(f64::INFINITY))))
}

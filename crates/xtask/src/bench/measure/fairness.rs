//! A thousand streams at once in one connection: whether each gets its share.
//! Touches: passages, two threads per stream.   Never: a stream that ends before it is counted.
//! Invariants: all are counted over the same time.
//! Errors: a stream's skips its contender.   Allocates: a small stack per stream.
//! Proved by: running it; `statistics`' tests.

use crate::{
    Outcome,
    bench::{
        contender::Cipher,
        far_end::{Ask, STACK},
        measurement::Measurement,
        near_end::{connect, discard_once},
        passage::Passage,
        row::Row,
        run::Run,
        statistics::{fairness, quantile},
    },
    scale::allow_files,
};
use std::{
    io,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

pub(crate) struct Fairness;

impl Measurement for Fairness {
    fn name(&self) -> &'static str {
        "fairness"
    }

    fn what(&self) -> &'static str {
        "a thousand streams down one connection: Jain's index of their shares, and MiB per second in all"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        allow_files(4 * run.plan.streams as u64 + 1000)?;
        for round in 1..=run.plan.long_rounds() {
            for contender in run.plan.tunnels.clone() {
                if let Some(passage) = run.passage(contender, Cipher::Aes128Gcm, None) {
                    sample(run, round, &passage);
                }
            }
        }
        Ok(())
    }
}

fn sample(run: &mut Run, round: usize, passage: &Passage) {
    let (watch, count, time) = (run.watch(), run.plan.streams, run.plan.line_time);
    match shares(passage.port, count, time) {
        Ok(shares) => {
            let sum: f64 = shares.iter().sum();
            let mut row = Row::new("fairness", passage.contender.name())
                .case("streams", count)
                .figure("mib_per_second", sum / f64::from(1 << 20) / time.as_secs_f64());
            if let Some((index, least)) = fairness(&shares).zip(quantile(&shares, 0.0)) {
                row = row.figure("jain", index).figure("least_to_mean", least * count as f64 / sum);
            }
            run.record(round, watch, row);
        }
        Err(error) => run.fail(&passage.contender.name(), &format!("{count} streams: {error}")),
    }
}

/// Bytes of each stream in the same time.
fn shares(port: u16, count: usize, time: Duration) -> io::Result<Vec<f64>> {
    let ready = Arc::new(Barrier::new(count));
    let stream = |_| {
        let ready = ready.clone();
        let take = move || {
            // Longer than it is looked at, so that none ends before.
            let stream = connect(port, Ask::SmallSource { millis: 10 * time.as_millis() as u64 });
            ready.wait();
            let (stream, deadline) = (stream?, Instant::now() + time);
            stream.set_read_timeout(Some(time))?;
            let mut bytes = 0;
            while Instant::now() < deadline {
                // Nothing in all the time is a share too.
                bytes += discard_once(&stream).unwrap_or_default();
            }
            Ok(bytes as f64)
        };
        thread::Builder::new().stack_size(STACK).spawn(take)
    };
    let streams = (0..count).map(stream).collect::<io::Result<Vec<_>>>()?;
    streams.into_iter().map(|stream| stream.join().expect("a stream's thread")).collect()
}

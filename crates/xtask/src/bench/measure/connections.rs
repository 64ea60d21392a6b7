//! How many connections a tunnel takes per second, one after the other and 64 at once; what one costs each end.
//! Touches: passages, a thread per visitor.   Never: a login; it is the tunnel's channels that are opened.
//! Invariants: a connection counts when its first byte has come back.
//! Errors: a visitor's skips the contender.   Allocates: little.
//! Proved by: running it.

use crate::{
    Outcome,
    bench::{
        contender::Cipher, measurement::Measurement, near_end::visit, passage::Passage, row::Row,
        run::Run,
    },
};
use std::{
    io, thread,
    time::{Duration, Instant},
};

pub(crate) struct Connections;

/// Visitors at a time.
const CROWDS: [usize; 2] = [1, 64];

impl Measurement for Connections {
    fn name(&self) -> &'static str {
        "connections"
    }

    fn what(&self) -> &'static str {
        "new connections through a tunnel: per second, and microseconds of processor time for each"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        let passages = run.passages(&run.plan.tunnels.clone(), Cipher::Aes128Gcm, None);
        for round in 1..=run.plan.rounds {
            for crowd in CROWDS {
                passages.iter().for_each(|passage| sample(run, round, crowd, passage));
            }
        }
        Ok(())
    }
}

fn sample(run: &mut Run, round: usize, crowd: usize, passage: &Passage) {
    let (watch, before, start) = (run.watch(), passage.cpu(), Instant::now());
    match visits(passage.port, crowd, run.plan.time) {
        Ok(count) => {
            let (took, after) = (start.elapsed().as_secs_f64(), passage.cpu());
            let spent = [0, 1].map(|end: usize| after[end] - before[end]);
            let each = |seconds: f64| seconds * 1e6 / count as f64;
            let row = Row::new("connections", passage.contender.name())
                .case("at once", crowd)
                .figure("per_second", count as f64 / took)
                .figure("client_us", each(spent[0].total))
                .figure("client_system_us", each(spent[0].system))
                .figure("server_us", each(spent[1].total))
                .figure("server_system_us", each(spent[1].system));
            run.record(round, watch, row);
        }
        Err(error) => {
            run.fail(&passage.contender.name(), &format!("{crowd} connections at once: {error}"));
        }
    }
}

/// Comes and goes for that long; tells how often.
fn visits(port: u16, crowd: usize, time: Duration) -> io::Result<usize> {
    let deadline = Instant::now() + time;
    let visitor = move || {
        let mut count = 0;
        while Instant::now() < deadline {
            visit(port)?;
            count += 1;
        }
        Ok::<_, io::Error>(count)
    };
    let visitors: Vec<_> = (0..crowd).map(|_| thread::spawn(visitor)).collect();
    visitors.into_iter().map(|visitor| visitor.join().expect("a visitor's thread")).sum()
}

//! One stream through -L, as fast as it goes: throughput, and what each end pays for a gibibyte.
//! Touches: passages.   Never: contents, which were checked when the passage was opened.
//! Invariants: ceilings are measured in the same rounds as tunnels.
//! Errors: a transfer's skips its contender.   Allocates: rows.
//! Proved by: running it.

use crate::{
    Outcome,
    bench::{
        contender::{Cipher, Contender},
        measurement::Measurement,
        near_end::{Poured, Way, pour},
        passage::Passage,
        process::Cpu,
        row::Row,
        run::Run,
    },
};

pub(crate) struct Bulk;

impl Measurement for Bulk {
    fn name(&self) -> &'static str {
        "bulk"
    }

    fn what(&self) -> &'static str {
        "one stream through -L: throughput, and processor seconds per GiB of client and server"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        for cipher in run.plan.ciphers.clone() {
            let contenders = [&run.plan.tunnels[..], &run.plan.ceilings].concat();
            let passages = run.passages(&contenders, cipher, None);
            for round in 1..=run.plan.rounds {
                for way in Way::BOTH {
                    passages.iter().for_each(|passage| sample(run, round, way, cipher, passage));
                }
            }
        }
        Ok(())
    }
}

fn sample(run: &mut Run, round: usize, way: Way, cipher: Cipher, passage: &Passage) {
    let (watch, before) = (run.watch(), passage.cpu());
    match pour(passage.port, way, run.plan.time) {
        Ok(poured) => {
            let after = passage.cpu();
            let row = Row::new("bulk", passage.contender.name())
                .case("cipher", cipher.case())
                .case("way", way.name())
                .figure("mib_per_second", poured.mib_per_second());
            let row = with_cpu(row, passage.contender, &poured, before, after);
            run.record(round, watch, row);
        }
        Err(error) => run.fail(&passage.contender.name(), &format!("bulk {}: {error}", way.name())),
    }
}

/// Seconds per GiB, where there are processes that take them.
fn with_cpu(row: Row, who: Contender, poured: &Poured, before: [Cpu; 2], after: [Cpu; 2]) -> Row {
    let ends: &[&str] = match who {
        Contender::Nothing => &[],
        Contender::Relay(_) => &["client"],
        _ => &["client", "server"],
    };
    ends.iter().zip(before.into_iter().zip(after)).fold(row, |row, (end, (before, after))| {
        let took = after - before;
        row.figure(&format!("{end}_user"), took.user / poured.gib())
            .figure(&format!("{end}_system"), took.system / poured.gib())
            .figure(&format!("{end}_cpu"), took.total / poured.gib())
    })
}

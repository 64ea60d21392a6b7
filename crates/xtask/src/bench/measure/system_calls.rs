//! System calls of client and server for a gibibyte, by name.
//! Touches: passages, strace.   Never: times; strace slows what it counts, and batches may grow by it.
//! Invariants: attached before the transfer, detached after it.
//! Errors: no strace, no rows.   Allocates: rows.
//! Proved by: running it; `strace`'s tests.

use crate::{
    Outcome,
    bench::{
        contender::Cipher,
        measurement::Measurement,
        near_end::{Way, pour},
        passage::Passage,
        process::family,
        row::Row,
        run::Run,
        strace::Strace,
    },
};

pub(crate) struct SystemCalls;

/// Calls that are told by name; the rest counts in the sum.
const NAMED: usize = 6;

impl Measurement for SystemCalls {
    fn name(&self) -> &'static str {
        "system-calls"
    }

    fn what(&self) -> &'static str {
        "system calls of client and server per GiB of one stream through -L"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        let contenders = [&run.plan.tunnels[..], &run.plan.ceilings].concat();
        let passages = run.passages(&contenders, Cipher::Aes128Gcm, None);
        for way in Way::BOTH {
            for passage in &passages {
                for (end, pid) in ["client", "server"].into_iter().zip(passage.pids) {
                    if let Some(pid) = pid {
                        sample(run, way, passage, end, pid);
                    }
                }
            }
        }
        Ok(())
    }
}

fn sample(run: &mut Run, way: Way, passage: &Passage, end: &str, pid: u32) {
    let watch = run.watch();
    let counted = Strace::attach(&family(pid)).and_then(|strace| {
        let poured = pour(passage.port, way, run.plan.time).map_err(|error| error.to_string())?;
        Ok((strace.counts(), poured))
    });
    match counted {
        Ok((mut counts, poured)) => {
            counts.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
            let sum: u64 = counts.iter().map(|(_, calls)| calls).sum();
            let row = Row::new("system-calls", passage.contender.name())
                .case("end", end)
                .case("way", way.name())
                .figure("per_gib", sum as f64 / poured.gib());
            let named = counts.iter().take(NAMED);
            let row = named.fold(row, |row, (name, calls)| {
                row.figure(&format!("call_{name}"), *calls as f64 / poured.gib())
            });
            run.record(1, watch, row);
        }
        Err(why) => run.skip("system calls", &format!("{} {end}: {why}", passage.contender.name())),
    }
}

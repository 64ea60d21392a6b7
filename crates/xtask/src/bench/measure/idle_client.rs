//! A client with one -L and nothing to do: what it takes of memory.
//! Touches: passages.   Never: a server's memory; `crowd` and `channels` have that.
//! Invariants: shared pages count in proportion.
//! Errors: none.   Allocates: rows.
//! Proved by: running it.

use crate::{
    Outcome,
    bench::{contender::Cipher, measurement::Measurement, process::family, row::Row, run::Run},
    scale::Usage,
};
use std::{thread, time::Duration};

pub(crate) struct IdleClient;

/// Buffers that are lent are given back after a second.
const REST: Duration = Duration::from_secs(2);

impl Measurement for IdleClient {
    fn name(&self) -> &'static str {
        "idle-client"
    }

    fn what(&self) -> &'static str {
        "KiB of an idle client with one -L"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        let passages = run.passages(&run.plan.tunnels.clone(), Cipher::Aes128Gcm, None);
        thread::sleep(REST);
        for passage in &passages {
            let watch = run.watch();
            let usage = passage.pids[0].map(|pid| Usage::of(&family(pid))).unwrap_or_default();
            let row = Row::new("idle-client", passage.contender.name())
                .figure("pss_kib", usage.pss as f64)
                .figure("private_kib", usage.private as f64);
            run.record(1, watch, row);
        }
        Ok(())
    }
}

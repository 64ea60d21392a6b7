//! Idle channels: what each takes of memory, and what it costs to open one more.
//! Touches: passages, two descriptors per channel here.   Never: a channel that moves data.
//! Invariants: memory is read when everything has come to rest, against the same processes with none open.
//! Errors: how many channels a contender takes, where it takes fewer.   Allocates: a descriptor per channel.
//! Proved by: running it.

use crate::{
    Outcome,
    bench::{
        contender::Cipher,
        measurement::Measurement,
        near_end::{hold, visit},
        passage::Passage,
        process::family,
        row::Row,
        run::Run,
    },
    scale::{Usage, allow_as_many},
};
use std::{
    io,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

pub(crate) struct Channels;

/// Opened, pinged and closed beside those that stand.
const VISITS: usize = 300;
/// Buffers that are lent are given back after a second.
const REST: Duration = Duration::from_secs(2);

impl Measurement for Channels {
    fn name(&self) -> &'static str {
        "channels"
    }

    fn what(&self) -> &'static str {
        "KiB per idle channel, and microseconds of processor time to open one more"
    }

    fn run(&self, run: &mut Run) -> Outcome {
        let most = run.plan.channels.iter().max().copied().unwrap_or_default();
        // Both ends of all of them are ours.
        let most = allow_as_many(most, 2, 1000)?;
        run.plan.channels.iter_mut().for_each(|count| *count = most.min(*count));
        for contender in run.plan.tunnels.clone() {
            // One passage at a time: what others hold would be in the way.
            if let Some(passage) = run.passage(contender, Cipher::Aes128Gcm, None) {
                if let Err(error) = grow(run, &passage) {
                    let held = passage.said();
                    run.fail(&contender.name(), &format!("more channels: {error}; {held}"));
                }
            }
        }
        Ok(())
    }
}

fn grow(run: &mut Run, passage: &Passage) -> io::Result<()> {
    (0..VISITS).try_for_each(|_| visit(passage.port))?;
    thread::sleep(REST);
    let empty = memory(passage);
    let mut held: Vec<TcpStream> = Vec::new();
    for count in run.plan.channels.clone() {
        while held.len() < count {
            held.push(hold(passage.port)?);
        }
        thread::sleep(REST);
        let full = memory(passage);
        let (watch, before, start) = (run.watch(), passage.cpu(), Instant::now());
        (0..VISITS).try_for_each(|_| visit(passage.port))?;
        let (took, after) = (start.elapsed(), passage.cpu());
        let cpu = |end: usize| (after[end] - before[end]).total * 1e6 / VISITS as f64;
        let kib = |end: usize| full[end].saturating_sub(empty[end]) as f64 / count as f64;
        let row = Row::new("channels", passage.contender.name())
            .case("open", format!("{count:>5}"))
            .figure("client_kib", kib(0))
            .figure("server_kib", kib(1))
            .figure("open_client_us", cpu(0))
            .figure("open_server_us", cpu(1))
            .figure("open_us", took.as_secs_f64() * 1e6 / VISITS as f64);
        run.record(1, watch, row);
    }
    Ok(())
}

/// KiB of client and server.
fn memory(passage: &Passage) -> [u64; 2] {
    passage.pids.map(|pid| pid.map_or(0, |pid| Usage::of(&family(pid)).pss))
}

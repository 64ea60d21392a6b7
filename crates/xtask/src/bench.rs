//! `cargo xtask bench`: adit and aditd beside OpenSSH, Dropbear and russh, on this machine, in interleaved rounds.
//! Touches: release builds, servers and clients with throw-away keys, loopback, `/proc`.   Never: the user's keys or servers.
//! Invariants: what is compared was measured in the same run; raw rows are kept; what is left out is said aloud.
//! Errors: ours do not build, or the short run finds a gross regression.   Allocates: freely.
//! Proved by: `tests` in each file, running it.

mod about;
mod contender;
mod far_end;
mod fleet;
mod keys;
mod line;
mod measure;
mod measurement;
mod near_end;
mod noise;
mod null_relay;
mod passage;
mod plots;
mod process;
mod programs;
mod report;
mod results;
mod root_folder;
mod row;
mod run;
mod server;
mod smoke;
mod statistics;
mod strace;
mod summary;
mod targets;
mod wish;

use crate::Outcome;
use fleet::Fleet;
use measurement::MEASUREMENTS;
use programs::Programs;
use results::Results;
use run::Run;
use summary::Summary;
use wish::Wish;

pub(crate) use wish::ARGUMENTS;

/// Measures what is wanted, and writes rows, report and plots.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some((null_relay::VERB, rest)) =
        arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        return null_relay::serve(rest);
    }
    let wish = Wish::read(arguments)?;
    if wish.list {
        MEASUREMENTS.iter().for_each(|each| println!("{:<14}{}", each.name(), each.what()));
        return Ok(());
    }
    if let Some(earlier) = &wish.from {
        return told(&wish, &Results::read(earlier)?);
    }
    let programs = Programs::find(wish.plan.with_rivals)?;
    let mut results = Results::create(&wish.out)?;
    results.tell_about(about::lines(&programs, arguments));
    let mut run = Run::new(wish.plan.clone(), Fleet::new(programs)?, results);
    let failed = measure(&wish, &mut run);
    println!("\nrows     {}", wish.out.join(results::FILE).display());
    told(&wish, &run.results)?;
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// Report, and after a short run the verdict.
fn told(wish: &Wish, results: &Results) -> Outcome {
    let summary = Summary::of(&results.rows);
    let path = wish.report.clone().unwrap_or_else(|| wish.out.join("report.md"));
    report::write(&path, results, &summary)?;
    if wish.smoke { smoke::judge(&summary, &results.failed) } else { Ok(()) }
}

/// One after the other; one that fails does not stop the others.
fn measure(wish: &Wish, run: &mut Run) -> Vec<String> {
    let mut failed = Vec::new();
    for each in MEASUREMENTS.iter().filter(|each| wish.wants(each.name())) {
        println!("\n== {}: {}", each.name(), each.what());
        if let Err(why) = each.run(run) {
            failed.push(format!("{}: {why}", each.name()));
        }
    }
    failed
}

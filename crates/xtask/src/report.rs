//! Steps one after the other, each with its time, and one line at the end that counts them.
//! Touches: stdout, child processes.   Never: what a step means.
//! Invariants: a failed step does not hide the ones after it; nothing is skipped in silence.
//! Errors: the names of the failed steps, at the end.   Allocates: names.
//! Proved by: `tests` below.

use crate::Outcome;
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Report {
    /// Runs a step and prints how long it took.
    pub(crate) fn step(&mut self, name: &str, run: impl FnOnce() -> Outcome) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = run();
        let took = seconds(start.elapsed());
        match outcome {
            Ok(()) => {
                println!("== {name}: ok in {took}");
                self.passed += 1;
            }
            Err(reason) => {
                println!("== {name}: FAILED in {took}: {reason}");
                self.failed.push(name.to_owned());
            }
        }
    }

    /// A step that is one child process.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command) {
        self.step(name, || run(command));
    }

    /// Says what does not run, and why.
    pub(crate) fn skip(&mut self, what_and_why: &str) {
        println!("\nSKIPPED: {what_and_why}");
        self.skipped.push(what_and_why.to_owned());
    }

    /// Takes over skips that the tests have said aloud themselves.
    pub(crate) fn skipped_by_tests(&mut self, lines: impl Iterator<Item = String>) {
        self.skipped.extend(lines);
    }

    /// Prints what failed, what was skipped and the counts.
    pub(crate) fn finish(self) -> Outcome {
        println!();
        self.failed.iter().for_each(|name| println!("FAILED: {name}"));
        self.skipped.iter().for_each(|why| println!("SKIPPED: {why}"));
        println!("{}", self.counts());
        if self.failed.is_empty() {
            Ok(())
        } else {
            Err(format!("failed: {}", self.failed.join(", ")))
        }
    }

    fn counts(&self) -> String {
        format!(
            "steps: {} passed, {} failed, {} skipped",
            self.passed,
            self.failed.len(),
            self.skipped.len()
        )
    }
}

/// Runs a child process to its end.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

/// Whether a program runs and succeeds; what it prints is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_counted_and_does_not_stop_what_follows() {
        let mut report = Report::default();
        report.step("first", || Err("broken".into()));
        report.step("second", || Ok(()));
        report.skip("third: no engine");
        assert_eq!(report.counts(), "steps: 1 passed, 1 failed, 1 skipped");
        assert_eq!(report.finish(), Err("failed: first".into()));
    }
}

//! Counting system calls of a running process with strace.
//! Touches: `strace`, a file for its table.   Never: a process that is not ours.
//! Invariants: it is attached when `attach` returns, and detached before its table is read.
//! Errors: why nothing was counted.   Allocates: small texts.
//! Proved by: `tests` below.

use super::programs::installed;
use adit_interop_tests::{child::Guarded, scratch::Scratch};
use rustix::process::Signal;
use std::{fs, path::PathBuf, process::Command};

/// One that counts.
#[derive(Debug)]
pub(crate) struct Strace {
    process: Guarded,
    table: PathBuf,
    _scratch: Scratch,
}

impl Strace {
    /// Starts to count the calls of `pids` and their threads.
    pub(crate) fn attach(pids: &[u32]) -> Result<Self, String> {
        let program = installed("strace").ok_or("strace is not installed")?;
        let scratch = Scratch::new();
        let table = scratch.join("table");
        let mut command = Command::new(program);
        command.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(&table);
        pids.iter().for_each(|pid| {
            command.args(["-p", &pid.to_string()]);
        });
        let mut process = Guarded::start("strace", &mut command);
        let attached = adit_interop_tests::deadline::within(PATIENCE, || {
            process.ended().map_or_else(
                || (process.stderr.count("attached") >= pids.len()).then_some(true),
                |_| Some(false),
            )
        });
        if attached == Some(true) {
            return Ok(Self { process, table, _scratch: scratch });
        }
        Err(format!("strace does not attach: {}", process.stderr.text().trim_end()))
    }

    /// Detaches; calls by name.
    pub(crate) fn counts(mut self) -> Vec<(String, u64)> {
        self.process.signal(Signal::INT);
        self.process.wait();
        parse(&fs::read_to_string(&self.table).unwrap_or_default())
    }
}

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Lines of `calls name`, between two rules, with a sum at the end.
fn parse(table: &str) -> Vec<(String, u64)> {
    let lines = table.lines().filter_map(|line| {
        let (calls, name) = line.trim().split_once(char::is_whitespace)?;
        Some((name.trim().to_owned(), calls.parse().ok()?))
    });
    lines.filter(|(name, _)| name != "total").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_between_the_rules() {
        let table = "    calls syscall\n--------- ----------------\n     1200 readv\n        7 epoll_wait\n--------- ----------------\n     1207 total\n";
        assert_eq!(parse(table), [("readv".into(), 1200), ("epoll_wait".into(), 7)]);
    }

    #[test]
    fn an_empty_table_counts_nothing() {
        assert!(parse("").is_empty());
    }
}

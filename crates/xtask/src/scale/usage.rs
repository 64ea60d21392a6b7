//! What processes take of memory and time, as the kernel tells it.
//! Touches: `/proc`.   Never: a process.
//! Invariants: a process that has gone meanwhile counts as nothing.
//! Errors: none.   Allocates: small texts.
//! Proved by: `tests` below.

use rustix::param::clock_ticks_per_second;
use std::fs;

/// Sums over some processes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// KiB, shared pages counted in proportion.
    pub(crate) pss: u64,
    /// KiB nobody else has.
    pub(crate) private: u64,
    pub(crate) processes: usize,
    /// Seconds, user and system.
    pub(crate) cpu: f64,
}

impl Usage {
    pub(crate) fn of(pids: &[u32]) -> Self {
        pids.iter().fold(Self::default(), |sum, pid| {
            let rollup =
                fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let private = field(&rollup, "Private_Clean:") + field(&rollup, "Private_Dirty:");
            Self {
                pss: sum.pss + field(&rollup, "Pss:"),
                private: sum.private + private,
                processes: sum.processes + usize::from(!rollup.is_empty()),
                cpu: sum.cpu + cpu(&stat),
            }
        })
    }
}

/// The number of a line of `smaps_rollup`.
fn field(rollup: &str, name: &str) -> u64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Fields 14 and 15; the name before them may hold anything but ends with the last parenthesis.
fn cpu(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    ticks as f64 / clock_ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_something() {
        let usage = Usage::of(&[std::process::id()]);
        assert!(usage.pss > 100 && usage.private > 100, "{usage:?}");
        assert_eq!(usage.processes, 1);
    }

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "1 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 250 50 0 0";
        assert!((cpu(stat) * clock_ticks_per_second() as f64 - 300.0).abs() < 0.01);
    }
}

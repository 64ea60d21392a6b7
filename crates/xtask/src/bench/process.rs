//! What a process and everything that descends from it took of the processor, user and system apart.
//! Touches: `/proc`.   Never: a process.
//! Invariants: threads count with their process; a process that has gone meanwhile counts as nothing.
//! Errors: none.   Allocates: small texts.
//! Proved by: `tests` below.

use rustix::param::clock_ticks_per_second;
use std::{fs, ops::Sub};

/// Seconds of processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
    /// Their sum, to the nanosecond; the two are counted in hundredths of a second.
    pub(crate) total: f64,
}

impl Cpu {
    /// Of a process with its descendants.
    pub(crate) fn of_family(pid: u32) -> Self {
        family(pid).into_iter().map(Self::of).fold(Self::default(), |sum, cpu| Self {
            user: sum.user + cpu.user,
            system: sum.system + cpu.system,
            total: sum.total + cpu.total,
        })
    }

    fn of(pid: u32) -> Self {
        let [user, system, ..] = times(&stat(pid));
        // Threads that have ended are in the coarse sum alone.
        Self { user, system, total: running(pid).max(user + system) }
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            system: self.system - before.system,
            total: self.total - before.total,
        }
    }
}

/// Of the threads that are there, to the nanosecond.
fn running(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let texts = threads.filter_map(|each| fs::read_to_string(each.path().join("schedstat")).ok());
    texts.map(|text| nanoseconds(&text) / 1e9).sum()
}

/// The first of three numbers.
fn nanoseconds(schedstat: &str) -> f64 {
    schedstat.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

/// Of this process, its descendants, and those of them that have ended and were waited for.
pub(crate) fn own_seconds() -> f64 {
    family(std::process::id()).into_iter().flat_map(|pid| times(&stat(pid))).sum()
}

/// A process and all that descend from it.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while next < found.len() {
        found.extend(children(found[next]));
        next += 1;
    }
    found
}

fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

fn stat(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default()
}

/// User, system, and both of children that were waited for, in seconds: fields 14 to 17. The name before them may
/// hold anything but ends with the last parenthesis.
fn times(stat: &str) -> [f64; 4] {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut ticks = after_name.split_whitespace().skip(11).map_while(|field| field.parse().ok());
    [(); 4].map(|()| ticks.next().unwrap_or(0.0) / clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "1 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 250 50 7 8 20 0";
        let ticks = times(stat).map(|seconds| seconds * clock_ticks_per_second() as f64);
        assert_eq!(ticks.map(f64::round), [250.0, 50.0, 7.0, 8.0]);
    }

    #[test]
    fn the_fine_clock_is_the_first_number() {
        assert_eq!(nanoseconds("1500 20 3\n"), 1500.0);
        assert_eq!(nanoseconds(""), 0.0);
    }

    #[test]
    fn a_process_that_is_gone_took_nothing() {
        assert_eq!(times(""), [0.0; 4]);
    }

    #[test]
    fn a_family_begins_with_its_head() {
        assert_eq!(family(std::process::id())[0], std::process::id());
    }
}

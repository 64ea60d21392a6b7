//! How quiet the machine was while something was measured.
//! Touches: `/proc/stat`, `/proc/loadavg`, the clock, one processor for some milliseconds.   Never: what is measured.
//! Invariants: our own processes are not noise; what the machine took from us as steal is.
//! Errors: none; where the kernel tells nothing, nothing was noisy.   Allocates: small texts.
//! Proved by: `tests` below.

use super::process::own_seconds;
use rustix::param::clock_ticks_per_second;
use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

/// Cores that others may burn before a row is set aside.
const FOREIGN: f64 = 0.25;
/// Share of the machine's time that its host may take away.
const STEAL: f64 = 0.05;
/// How much longer than the quickest the calibration may take.
const SPIN: f64 = 1.25;

/// What disturbed one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Noise {
    /// The load average of the last minute; told, not judged: we are in it.
    pub(crate) load: f64,
    /// Cores' worth of time that processes outside this run took.
    pub(crate) foreign: f64,
    /// Share of the machine's time that was not given to it.
    pub(crate) steal: f64,
    /// Time of the calibration as a multiple of the quickest so far.
    pub(crate) spin: f64,
}

impl Noise {
    /// Whether the row is to be set aside.
    pub(crate) fn is_loud(&self) -> bool {
        self.foreign > FOREIGN || self.steal > STEAL || self.spin > SPIN
    }
}

/// The quickest calibration of the run.
#[derive(Debug)]
pub(crate) struct Calibration {
    quickest: Duration,
}

impl Calibration {
    pub(crate) fn new() -> Self {
        Self { quickest: (0..5).map(|_| spin()).min().unwrap_or_default() }
    }

    /// Starts to watch.
    pub(crate) fn watch(&mut self) -> Watch {
        let took = spin();
        self.quickest = self.quickest.min(took);
        let spin = took.as_secs_f64() / self.quickest.as_secs_f64();
        Watch { spin, start: Instant::now(), machine: Machine::now(), own: own_seconds() }
    }
}

/// A watch that runs.
#[derive(Debug)]
pub(crate) struct Watch {
    spin: f64,
    start: Instant,
    machine: Machine,
    own: f64,
}

impl Watch {
    pub(crate) fn stop(self) -> Noise {
        let (machine, own) = (Machine::now(), own_seconds() - self.own);
        let seconds = self.start.elapsed().as_secs_f64();
        let total = machine.total - self.machine.total;
        Noise {
            load: load(),
            foreign: ((machine.busy - self.machine.busy - own) / seconds).max(0.0),
            steal: if total > 0.0 { (machine.steal - self.machine.steal) / total } else { 0.0 },
            spin: self.spin,
        }
    }
}

/// Seconds of all processors.
#[derive(Debug, Default, PartialEq)]
struct Machine {
    /// In processes; interrupts are nobody's.
    busy: f64,
    steal: f64,
    total: f64,
}

impl Machine {
    fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// `cpu user nice system idle iowait irq softirq steal …`, in ticks.
    fn parse(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let ticks = line.split_whitespace().skip(1).take(8).filter_map(|n| n.parse::<f64>().ok());
        let all: Vec<f64> = ticks.map(|n| n / clock_ticks_per_second() as f64).collect();
        let [user, nice, system, .., steal] = all[..] else { return Self::default() };
        Self { busy: user + nice + system, steal, total: all.iter().sum() }
    }
}

fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

/// Work of a fixed size that touches no memory.
fn spin() -> Duration {
    let start = Instant::now();
    let mut state = 1_u64;
    for _ in 0..1_000_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }
    black_box(state);
    start.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_busy_from_stolen_time() {
        let machine = Machine::parse("cpu  100 20 30 400 5 6 7 8 0 0\ncpu0 1 2\n");
        let tick = 1.0 / clock_ticks_per_second() as f64;
        assert!((machine.busy - 150.0 * tick).abs() < 1e-9, "{machine:?}");
        assert!((machine.steal - 8.0 * tick).abs() < 1e-9, "{machine:?}");
        assert!((machine.total - 576.0 * tick).abs() < 1e-9, "{machine:?}");
    }

    #[test]
    fn a_kernel_that_tells_nothing_is_quiet() {
        assert_eq!(Machine::parse(""), Machine::default());
    }

    #[test]
    fn any_one_disturbance_sets_a_row_aside() {
        let quiet = Noise { load: 9.0, foreign: 0.2, steal: 0.01, spin: 1.1 };
        assert!(!quiet.is_loud());
        assert!(Noise { foreign: 0.3, ..quiet }.is_loud());
        assert!(Noise { steal: 0.1, ..quiet }.is_loud());
        assert!(Noise { spin: 1.5, ..quiet }.is_loud());
    }
}

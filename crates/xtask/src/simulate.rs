//! `cargo xtask simulate`: two engines over a bad link, by seed, as many runs as there is time for.
//! Touches: the engine's simulation through cargo.   Never: what a run does; `crates/engine/tests/simulation.rs` has that.
//! Invariants: a seed is the whole run: the same one fails again, anywhere.
//! Errors: the seed that failed, and how to see it alone.   Allocates: arguments.
//! Proved by: use; `cargo xtask test` runs the first seeds of the same test.

use crate::{Outcome, cargo::cargo, report};
use std::env;

/// How it is called.
pub(crate) const ARGUMENTS: &str = "[--seeds N] [--from SEED]";

/// Runs without `--seeds`: a minute's work, and what `ADIT_SLOW_TESTS=1` asks of the tests.
const SEEDS: u64 = 20_000;

/// Runs among the tests: a few seconds.
const FEW_SEEDS: u64 = 2000;

/// Runs as many seeds as wanted.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (mut seeds, mut from) = (SEEDS, 0);
    for pair in arguments.chunks(2) {
        let wrong = || format!("takes {ARGUMENTS}");
        let [option, value] = pair else { return Err(wrong()) };
        let value = value.parse::<u64>().map_err(|_| format!("{value:?} is not a number"))?;
        match option.as_str() {
            "--seeds" => seeds = value,
            "--from" => from = value,
            _ => return Err(wrong()),
        }
    }
    simulate(seeds, from)
}

/// The first seeds, as a step of the tests.
pub(crate) fn smoke() -> Outcome {
    let slow = env::var_os("ADIT_SLOW_TESTS").is_some();
    simulate(if slow { SEEDS } else { FEW_SEEDS }, 0)
}

fn simulate(seeds: u64, from: u64) -> Outcome {
    let mut test = cargo(&["test", "--package", "adit-engine", "--test", "simulation"]);
    test.args(["--profile", "simulation"]);
    test.env("ADIT_SIM_SEEDS", seeds.to_string()).env("ADIT_SIM_FROM", from.to_string());
    report::run(&mut test).map_err(|_| "a run failed; its seed is above".into())
}

//! `cargo xtask test`: everything that CI runs, in the order that finds mistakes soonest.
//! Touches: cargo, tools, containers.   Never: logic that CI has and a developer has not.
//! Invariants: one target folder; each step's flags as in everyday use, so that little is built twice.
//! Errors: the failed steps by name.   Allocates: freely.
//! Proved by: itself, in CI.

use crate::{
    Outcome, bench,
    cargo::{cargo, target_folder},
    fuzz, layers,
    report::Report,
    simulate, supply,
    tools::{self, Need},
};
use adit_interop_tests::container;
use std::{env, fs};

/// What a fuzz target gets here, so that all of them take two minutes; nights are for more.
const FUZZ_SECONDS: u64 = 4;

/// Runs all steps.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return Err("takes no arguments".into());
    }
    let mut report = Report::default();
    let missing = tools::ensure(&[
        Need::Interop,
        Need::Containers,
        Need::Clients,
        Need::Python,
        Need::Faults,
    ]);
    report.command("format", &mut cargo(&["fmt", "--all", "--check"]));
    report.step("layers", || layers::run(&[]));
    supply::check(&mut report);
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    report.command("clippy", &mut cargo(&clippy));
    let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
    report.command("documentation", doc.env("RUSTDOCFLAGS", "--deny warnings"));
    let tests = ["test", "--workspace", "--exclude", "adit-interop-tests"];
    report.command("unit, property and documentation tests", &mut cargo(&tests));
    report.step("simulation", simulate::smoke);
    let portable =
        ["test", "--package", "adit-crypto", "--no-default-features", "--features", "portable"];
    report.command("cryptography, portable back end", &mut cargo(&portable));
    let small = ["--no-default-features", "--features", "ring"];
    let mut crypto = cargo(&["test", "--package", "adit-crypto"]);
    report.command("cryptography, fewest methods", crypto.args(small));
    let small = ["test", "--package", "adit", "--no-default-features", "--features", "constrained"];
    report.command("client for small devices", &mut cargo(&small));
    let blocking: Vec<_> =
        missing.into_iter().filter(|tool| tool.needed_for == Need::Interop).collect();
    if blocking.is_empty() {
        interop(&mut report);
    } else {
        report.skip(&format!("interop tests: not installed: {}", tools::packages(&blocking)));
    }
    fuzz::smoke(&mut report, FUZZ_SECONDS);
    if blocking.is_empty() {
        report.step("short benchmark", || bench::run(&["--smoke".into()]));
    }
    report.finish()
}

fn interop(report: &mut Report) {
    for (variable, package) in [("ADIT_BIN", "adit"), ("ADITD_BIN", "aditd")] {
        if env::var_os(variable).is_none() {
            let name = format!("{package}, which is under test");
            report.command(&name, &mut cargo(&["build", "--package", package]));
        }
    }
    // Beforehand, so that the tests' own times say something.
    if let Ok(engine) = container::engine() {
        report.step("container images", || {
            container::RELEASES.iter().try_for_each(|release| match engine.image(release.name) {
                Ok(image) => {
                    println!("{image}");
                    Ok(())
                }
                // The tests that need it say so and are counted.
                Err(container::Unavailable(why)) => {
                    println!("{}: {why}", release.name);
                    Ok(())
                }
            })
        });
    }
    let log = target_folder().join("skipped-interop-tests");
    let _ = fs::remove_file(&log);
    let mut tests =
        cargo(&["test", "--package", "adit-interop-tests", "--", "--test-threads", "6"]);
    report.command("interop tests", tests.env("ADIT_SKIP_LOG", &log));
    let said = fs::read_to_string(&log).unwrap_or_default();
    report
        .skipped_by_tests(said.lines().map(|line| line.trim_start_matches("SKIPPED: ").to_owned()));
}

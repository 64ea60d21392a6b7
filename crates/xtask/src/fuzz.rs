//! `cargo xtask fuzz`: the targets of `fuzz/`, with cargo-fuzz where it is installed, else their seeds alone.
//! Touches: the nightly toolchain, cargo-fuzz, `fuzz/`.   Never: new files among the seeds.
//! Invariants: every target has a file in `fuzz/fuzz_targets`; the seeds are replayed on stable too.
//! Errors: the target that crashed.   Allocates: names.
//! Proved by: CI.

use crate::{
    Outcome,
    cargo::{cargo, nightly, root},
    report::{Report, run as run_command, succeeds},
};
use std::{fs, process::Command};

/// What may stand behind the verb.
pub(crate) const ARGUMENTS: &str = "[--seconds N] [TARGET]";

const INSTALL: &str = "cargo install cargo-fuzz --locked, and rustup toolchain install nightly";
const USUAL_SECONDS: u64 = 30;

/// Fuzzes one target, or one after the other.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (seconds, wanted) = parse(arguments)?;
    if !fuzzer_is_there() {
        return Err(format!("the fuzzer is not installed: {INSTALL}"));
    }
    let targets: Vec<_> = targets()?
        .into_iter()
        .filter(|name| wanted.as_ref().is_none_or(|one| one == name))
        .collect();
    if targets.is_empty() {
        return Err("no such target".into());
    }
    targets.iter().try_for_each(|target| {
        println!("== {target}, {seconds} s");
        run_command(&mut fuzzing(target, seconds)).map_err(|reason| format!("{target}: {reason}"))
    })
}

/// The seeds on stable, then a short run of each target where the fuzzer is installed.
pub(crate) fn smoke(report: &mut Report, seconds: u64) {
    let seeds = ["test", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target/fuzz"];
    report.command("fuzz seeds", &mut cargo(&seeds));
    if !fuzzer_is_there() {
        return report.skip(&format!("fuzzing: not installed: {INSTALL}"));
    }
    report.command("fuzz targets", &mut nightly(&["fuzz", "build", "--features", "fuzzer"]));
    for target in targets().unwrap_or_default() {
        report.command(&format!("fuzz {target}, {seconds} s"), &mut fuzzing(&target, seconds));
    }
}

fn parse(arguments: &[String]) -> Result<(u64, Option<String>), String> {
    let (mut seconds, mut target) = (USUAL_SECONDS, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = rest.next().and_then(|number| number.parse().ok());
                seconds = number.ok_or("--seconds wants a number")?;
            }
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            name => target = Some(name.to_owned()),
        }
    }
    Ok((seconds, target))
}

fn fuzzer_is_there() -> bool {
    succeeds(&mut nightly(&["fuzz", "--version"]))
}

/// One target's run. What it finds goes to `fuzz/found`, not among the seeds.
fn fuzzing(target: &str, seconds: u64) -> Command {
    let (found, seeds) = (format!("fuzz/found/{target}"), format!("fuzz/corpus/{target}"));
    [&found, &seeds].iter().for_each(|folder| {
        let _ = fs::create_dir_all(root().join(folder));
    });
    let limit = format!("-max_total_time={seconds}");
    nightly(&[
        "fuzz",
        "run",
        "--features",
        "fuzzer",
        target,
        &found,
        &seeds,
        "--",
        &limit,
        "-timeout=10",
        "-print_final_stats=1",
    ])
}

/// The targets, by their files.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<_> = files
        .flatten()
        .filter_map(|file| file.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_target_come_in_any_order() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parse(&[]), Ok((30, None)));
        assert_eq!(parse(&words("wire --seconds 5")), Ok((5, Some("wire".into()))));
        assert_eq!(parse(&words("--seconds 5 wire")), Ok((5, Some("wire".into()))));
        assert!(parse(&words("--seconds")).is_err());
        assert!(parse(&words("--forever")).is_err());
    }
}

//! `cargo xtask fuzz`: the targets of `fuzz/`, with cargo-fuzz where it is installed, else their seeds alone.
//! Touches: the nightly toolchain, cargo-fuzz, `fuzz/`, logs in the target folder.   Never: new files among the seeds.
//! Invariants: every target has a file in `fuzz/fuzz_targets`; a finding does not hide those after it; the seeds are
//! replayed on stable too.
//! Errors: the targets with findings.   Allocates: names, logs.
//! Proved by: `tests` below, CI.

mod outcome;

use crate::{
    Outcome,
    cargo::{cargo, nightly, root, target_folder},
    report::{Report, run as run_command, succeeds},
};
use outcome::{Figures, table};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

/// What may stand behind the verb.
pub(crate) const ARGUMENTS: &str = "[--seconds N] [TARGET…]";

const INSTALL: &str = "cargo install cargo-fuzz --locked, and rustup toolchain install nightly";
const USUAL_SECONDS: u64 = 30;

/// Fuzzes the targets named one after the other, or all, and those only once their seeds reach what they should.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (seconds, wanted) = parse(arguments)?;
    if !fuzzer_is_there() {
        return Err(format!("the fuzzer is not installed: {INSTALL}"));
    }
    let all = targets()?;
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        return Err(format!("no such target: {unknown}"));
    }
    if wanted.is_empty() {
        run_command(&mut seeds())?;
    }
    run_command(&mut build())?;
    fuzz(if wanted.is_empty() { &all } else { &wanted }, seconds)
}

/// A short run of each target, which begins with its seeds; the seeds alone where the fuzzer is not installed.
pub(crate) fn smoke(report: &mut Report, seconds: u64) {
    if fuzzer_is_there() {
        report.command("fuzz targets", &mut build());
        return report.step(&format!("fuzz, {seconds} s a target"), || fuzz(&targets()?, seconds));
    }
    report.command("fuzz seeds", &mut seeds());
    report.skip(&format!("fuzzing: not installed: {INSTALL}"));
}

/// The seeds on stable, and what they have to reach. As the fuzzer has it: without encryption, or the recorded
/// connections end at the first sealed packet.
fn seeds() -> Command {
    let arguments = ["test", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target/fuzz"];
    let mut command = cargo(&arguments);
    command.env("RUSTFLAGS", "--cfg fuzzing");
    command
}

/// Runs the targets, and prints what came of it as a table.
fn fuzz(targets: &[String], seconds: u64) -> Outcome {
    let folder = binaries()?;
    let mut rows = Vec::new();
    for target in targets {
        println!("{target}, {seconds} s");
        rows.push((target.as_str(), fuzz_one(&folder, target, seconds)?));
    }
    print!("\n{}", table(&rows));
    let found: Vec<_> = rows
        .iter()
        .filter(|(_, figures)| figures.finding.is_some())
        .map(|(name, _)| *name)
        .collect();
    if found.is_empty() { Ok(()) } else { Err(format!("findings: {}", found.join(", "))) }
}

/// One target's run. What it says goes to a log, which is shown when there is a finding.
fn fuzz_one(folder: &str, target: &str, seconds: u64) -> Result<Figures, String> {
    let logs = target_folder().join("fuzz-logs");
    let log = logs.join(format!("{target}.log"));
    let path = |error| format!("{}: {error}", log.display());
    fs::create_dir_all(&logs).map_err(path)?;
    let file = File::create(&log).map_err(path)?;
    let mut command = fuzzing(folder, target, seconds);
    command.stderr(file.try_clone().map_err(path)?).stdout(file);
    let ended = run_command(&mut command);
    let said = String::from_utf8_lossy(&fs::read(&log).map_err(path)?).into_owned();
    let figures = Figures::read(&said, ended.err());
    if figures.finding.is_some() {
        println!("{}", outcome::end_of(&said));
    }
    Ok(figures)
}

fn parse(arguments: &[String]) -> Result<(u64, Vec<String>), String> {
    let (mut seconds, mut targets) = (USUAL_SECONDS, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = rest.next().and_then(|number| number.parse().ok());
                seconds = number.ok_or("--seconds wants a number")?;
            }
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            name => targets.push(name.to_owned()),
        }
    }
    Ok((seconds, targets))
}

fn fuzzer_is_there() -> bool {
    succeeds(&mut nightly(&["fuzz", "--version"]))
}

fn target_dir() -> PathBuf {
    root().join("fuzz/target")
}

fn build() -> Command {
    let mut command = nightly(&["fuzz", "build", "--features", "fuzzer", "--target-dir"]);
    command.arg(target_dir());
    command
}

/// Where the build has put the targets: cargo-fuzz names the host's triple on every build.
fn binaries() -> Result<String, String> {
    let version = Command::new("rustup").args(["run", "nightly", "rustc", "-vV"]).output();
    let version = version.map_err(|error| format!("rustc: {error}"))?.stdout;
    let version = String::from_utf8_lossy(&version);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("the nightly compiler does not name its host")?;
    Ok(format!("{}/{host}/release", target_dir().display()))
}

/// One target. What it finds goes to `fuzz/found`, not among the seeds; what breaks it to `fuzz/artifacts`.
fn fuzzing(folder: &str, target: &str, seconds: u64) -> Command {
    let fuzz = root().join("fuzz");
    let [found, seeds, artifacts] =
        ["found", "corpus", "artifacts"].map(|folder| fuzz.join(folder).join(target));
    for folder in [&found, &seeds, &artifacts] {
        let _ = fs::create_dir_all(folder);
    }
    let mut command = Command::new(format!("{folder}/{target}"));
    command.current_dir(root()).args([found, seeds]);
    command.arg(format!("-max_total_time={seconds}"));
    // Operations and whole connections are long: to begin with short inputs would waste a short run.
    command.args(["-len_control=0", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    let dictionary = fuzz.join("dictionaries").join(format!("{target}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command
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
    fn seconds_and_targets_come_in_any_order() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parse(&[]), Ok((30, vec![])));
        assert_eq!(parse(&words("wire --seconds 5")), Ok((5, words("wire"))));
        assert_eq!(parse(&words("--seconds 5 wire keys")), Ok((5, words("wire keys"))));
        assert!(parse(&words("--seconds")).is_err());
        assert!(parse(&words("--forever")).is_err());
    }

    #[test]
    fn every_dictionary_belongs_to_a_target_and_is_one() {
        let targets = targets().unwrap();
        for file in fs::read_dir(root().join("fuzz/dictionaries")).unwrap().flatten() {
            let path = file.path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(targets.contains(&name), "{name}");
            for line in fs::read_to_string(&path).unwrap().lines() {
                let is_entry = line.len() > 2 && line.starts_with('"') && line.ends_with('"');
                assert!(is_entry || line.is_empty() || line.starts_with('#'), "{name}: {line}");
            }
        }
    }
}

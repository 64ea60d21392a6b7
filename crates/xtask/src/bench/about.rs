//! What a run ran on: machine, kernel, versions, command.
//! Touches: `/proc`, versions.   Never: anything that names a person or a host.
//! Invariants: enough to judge whether two reports can be compared.
//! Errors: none; what is not told is left out.   Allocates: small texts.
//! Proved by: `tests` below.

use super::programs::Programs;
use std::{fs, process::Command, thread};

/// Name and value, in the order of the report.
pub(crate) fn lines(programs: &Programs, arguments: &[String]) -> Vec<[String; 2]> {
    let mut lines = vec![
        ["command".into(), format!("cargo xtask bench {}", arguments.join(" ")).trim().into()],
        ["processor".into(), processor()],
        ["kernel".into(), read("/proc/sys/kernel/osrelease").trim().into()],
        ["commit".into(), commit()],
    ];
    lines.extend(programs.versions());
    lines
}

fn processor() -> String {
    let cpuinfo = read("/proc/cpuinfo");
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let memory = read("/proc/meminfo");
    format!("{} ({cores} cores, {:.0} GiB)", model(&cpuinfo), memory_in_gib(&memory))
}

/// `model name : …`
fn model(cpuinfo: &str) -> &str {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, model)| model.trim())
}

/// `MemTotal: N kB`
fn memory_in_gib(meminfo: &str) -> f64 {
    let kib = meminfo.split_whitespace().nth(1).and_then(|number| number.parse::<f64>().ok());
    kib.unwrap_or_default() / f64::from(1 << 20)
}

fn commit() -> String {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(crate::cargo::root())
        .output();
    output.map_or_else(
        |_| "unknown".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        assert_eq!(model("processor\t: 0\nmodel name\t: AMD EPYC 7B13\n"), "AMD EPYC 7B13");
        assert_eq!(model(""), "unknown");
    }

    #[test]
    fn memory_is_told_in_gibibytes() {
        assert_eq!(memory_in_gib("MemTotal:       8388608 kB\n"), 8.0);
        assert_eq!(memory_in_gib(""), 0.0);
    }
}

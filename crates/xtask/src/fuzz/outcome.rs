//! What a run of libFuzzer came to, read from what it printed.
//! Touches: text.   Never: processes.
//! Invariants: a run that did not end well has a finding, whatever it printed.
//! Errors: none; a figure that is not there is 0.   Allocates: lines.
//! Proved by: `tests` below.

/// The figures of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    executions: u64,
    /// Edges of the program that were taken.
    coverage: u64,
    /// Edges, and how often and with what operands, as libFuzzer counts them.
    features: u64,
    /// What broke it: the file with the bytes, or how it ended.
    pub(super) finding: Option<String>,
}

impl Figures {
    /// Reads a log; `failure` is how the run ended, if not well.
    pub(super) fn read(log: &str, failure: Option<String>) -> Self {
        let after = |line: &str, label: &str| {
            let (_, rest) = line.split_once(label)?;
            rest.split_whitespace().next()?.parse().ok()
        };
        let last = |label: &str| log.lines().rev().find_map(|line| after(line, label)).unwrap_or(0);
        let written = log.lines().find_map(|line| line.split_once("Test unit written to "));
        Self {
            executions: last("stat::number_of_executed_units:"),
            coverage: last(" cov:"),
            features: last(" ft:"),
            finding: failure.map(|how| written.map_or(how, |(_, path)| path.to_owned())),
        }
    }
}

/// One line a target, and one below them all.
pub(super) fn table(rows: &[(&str, Figures)]) -> String {
    let mut text = format!(
        "{:<24}{:>12}{:>10}{:>10}  {}\n",
        "target", "executions", "coverage", "features", "finding"
    );
    for (name, figures) in rows {
        let Figures { executions, coverage, features, finding } = figures;
        let finding = finding.as_deref().unwrap_or("none");
        text += &format!("{name:<24}{executions:>12}{coverage:>10}{features:>10}  {finding}\n");
    }
    let executions: u64 = rows.iter().map(|(_, figures)| figures.executions).sum();
    let findings = rows.iter().filter(|(_, figures)| figures.finding.is_some()).count();
    text + &format!("{:<24}{executions:>12}{:>10}{:>10}  {findings}\n", "all", "", "")
}

/// What is worth showing of a log with a finding: what was said before the end.
pub(super) fn end_of(log: &str) -> String {
    const LINES: usize = 60;
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "INFO: seed corpus: files: 9\n\
        #2\tINITED cov: 70 ft: 71 corp: 1/1b exec/s: 0 rss: 40Mb\n\
        #999\tREDUCE cov: 210 ft: 345 corp: 30/2Kb lim: 4 exec/s: 99 rss: 50Mb L: 3/9 MS: 1\n\
        Done 1234 runs in 2 second(s)\n\
        stat::number_of_executed_units: 1234\n";

    #[test]
    fn the_last_figures_count() {
        let figures = Figures::read(LOG, None);
        let expected = Figures { executions: 1234, coverage: 210, features: 345, finding: None };
        assert_eq!(figures, expected);
        assert_eq!(Figures::read("", None), Figures::default());
    }

    #[test]
    fn a_finding_is_named_by_its_file_or_by_how_the_run_ended() {
        let log =
            format!("{LOG}==1== ERROR\nartifact_prefix='a/'; Test unit written to a/crash-1\n");
        let finding =
            |log: &str, how: Option<&str>| Figures::read(log, how.map(Into::into)).finding;
        assert_eq!(finding(&log, Some("exit status: 77")).as_deref(), Some("a/crash-1"));
        assert_eq!(finding(LOG, Some("signal: 9")).as_deref(), Some("signal: 9"));
        assert_eq!(finding(&log, None), None, "a slow unit is written down, too");
    }

    #[test]
    fn the_table_has_a_line_for_each_and_the_sum() {
        let broken = Figures::read(LOG, Some("exit status: 77".into()));
        let text = table(&[("one", Figures::read(LOG, None)), ("two", broken)]);
        let lines: Vec<Vec<_>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["one", "1234", "210", "345", "none"]);
        assert_eq!(lines[2], ["two", "1234", "210", "345", "exit", "status:", "77"]);
        assert_eq!(lines[3], ["all", "2468", "1"]);
    }

    #[test]
    fn a_long_log_is_shown_from_near_its_end() {
        let log = (0..100).map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
        assert!(end_of(&log).starts_with("40\n") && end_of(&log).ends_with("\n99"));
        assert_eq!(end_of("short"), "short");
    }
}

//! A run: servers, passages, the plan, and every row as it comes.
//! Touches: stdout; the results' file through `results`.   Never: what a figure means.
//! Invariants: a row is on disk before the next is measured; what is left out is said once, aloud, and kept.
//! Errors: the file's.   Allocates: rows.
//! Proved by: running it.

use super::{
    contender::{Cipher, Contender},
    fleet::Fleet,
    line::Settings,
    near_end::check,
    noise::{Calibration, Watch},
    passage::Passage,
    results::Results,
    row::Row,
    wish::Plan,
};

/// A run under way.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) fleet: Fleet,
    calibration: Calibration,
    pub(crate) results: Results,
}

impl Run {
    pub(crate) fn new(plan: Plan, fleet: Fleet, results: Results) -> Self {
        Self { plan, fleet, calibration: Calibration::new(), results }
    }

    /// Starts to watch the machine; what comes out belongs to the next row.
    pub(crate) fn watch(&mut self) -> Watch {
        self.calibration.watch()
    }

    /// Keeps a sample, and shows it.
    pub(crate) fn record(&mut self, round: usize, watch: Watch, row: Row) {
        let row = Row { round, noise: watch.stop(), ..row };
        println!("{}", told(&row));
        self.results.keep(row);
    }

    /// Says once what is not measured, and why.
    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        let line = format!("{what}: {why}");
        if self.results.skip(&line) {
            println!("SKIPPED: {line}");
        }
    }

    /// Says what did not get to its end; each time, as one is one too many.
    pub(crate) fn fail(&mut self, what: &str, why: &str) {
        println!("FAILED: {what}: {why}");
        self.results.fail(&format!("{what}: {why}"));
    }

    /// Opens a passage and holds what goes through it against the pattern; `None` was skipped aloud.
    pub(crate) fn passage(
        &mut self,
        contender: Contender,
        cipher: Cipher,
        line: Option<Settings>,
    ) -> Option<Passage> {
        let opened = Passage::open(&mut self.fleet, contender, cipher, line);
        let checked = opened.and_then(|passage| {
            // Over a thin line the check would take longer than what it checks for.
            let length = if line.is_some() { 256 << 10 } else { self.plan.checked };
            let said = |error| format!("{error}; it said: {}", passage.said());
            check(passage.port, length).map_err(said).map(|()| passage)
        });
        match checked {
            Ok(passage) => {
                for (who, command) in &passage.commands {
                    self.results.tell_command(who, command);
                }
                Some(passage)
            }
            Err(why) => {
                self.skip(&contender.name(), &why);
                None
            }
        }
    }

    /// One for each contender that is there.
    pub(crate) fn passages(
        &mut self,
        contenders: &[Contender],
        cipher: Cipher,
        line: Option<Settings>,
    ) -> Vec<Passage> {
        contenders.iter().filter_map(|each| self.passage(*each, cipher, line)).collect()
    }
}

/// `bulk  adit → aditd  aes128-gcm, up  mib_per_second 812  …`
fn told(row: &Row) -> String {
    let figures = row.figures.iter().map(|(name, value)| format!("{name} {}", short(*value)));
    let aside = if row.noise.is_loud() { "  (noisy)" } else { "" };
    format!(
        "{:<13} {:<26} {:<24} {}{aside}",
        row.measurement,
        row.who,
        row.case_name(),
        figures.collect::<Vec<_>>().join("  ")
    )
}

/// Three digits that say something.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_with_three_digits() {
        assert_eq!([1234.5, 12.34, 1.234].map(short), ["1234", "12.3", "1.23"]);
    }
}

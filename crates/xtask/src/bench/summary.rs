//! The rows of a run put together: a median of each figure, with the least and the most.
//! Touches: rows.   Never: a row that was noisy, while there are quiet ones of the same kind.
//! Invariants: the order is that of the first row of each kind.
//! Errors: none.   Allocates: a copy of the figures.
//! Proved by: `tests` below.

use super::{row::Row, statistics::median};

/// A figure of one contender in one case over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// All samples of one contender in one case.
#[derive(Clone, Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) measurement: &'a str,
    pub(crate) who: &'a str,
    pub(crate) case: String,
    rows: Vec<&'a Row>,
    /// Samples that were noisy.
    pub(crate) noisy: usize,
    /// Nothing but noisy samples were there.
    pub(crate) doubtful: bool,
}

/// All cells.
#[derive(Clone, Debug)]
pub(crate) struct Summary<'a> {
    pub(crate) cells: Vec<Cell<'a>>,
}

impl<'a> Summary<'a> {
    pub(crate) fn of(rows: &'a [Row]) -> Self {
        let mut cells: Vec<Cell<'a>> = Vec::new();
        for row in rows {
            let case = row.case_name();
            let fits = |cell: &&mut Cell<'_>| {
                cell.measurement == row.measurement && cell.who == row.who && cell.case == case
            };
            match cells.iter_mut().find(fits) {
                Some(cell) => cell.rows.push(row),
                None => cells.push(Cell {
                    measurement: &row.measurement,
                    who: &row.who,
                    case,
                    rows: vec![row],
                    noisy: 0,
                    doubtful: false,
                }),
            }
        }
        cells.iter_mut().for_each(Cell::set_noise_aside);
        Self { cells }
    }

    /// The cells of a measurement.
    pub(crate) fn of_measurement(&self, name: &str) -> Vec<&Cell<'a>> {
        self.cells.iter().filter(|cell| cell.measurement == name).collect()
    }

    /// The largest of a measurement's cases that are numbers: how many a machine allows differs.
    pub(crate) fn most(&self, measurement: &str) -> Option<usize> {
        let cells = self.of_measurement(measurement);
        cells.iter().filter_map(|cell| cell.case.trim().parse().ok()).max()
    }

    /// The median of one figure.
    pub(crate) fn figure(
        &self,
        measurement: &str,
        who: &str,
        case: &str,
        name: &str,
    ) -> Option<f64> {
        let fits = |cell: &&Cell<'_>| {
            cell.measurement == measurement && cell.who == who && cell.case == case
        };
        Some(self.cells.iter().find(fits)?.spread(name)?.median)
    }
}

impl Cell<'_> {
    fn set_noise_aside(&mut self) {
        let quiet: Vec<_> = self.rows.iter().copied().filter(|row| !row.noise.is_loud()).collect();
        self.noisy = self.rows.len() - quiet.len();
        self.doubtful = quiet.is_empty();
        if !self.doubtful {
            self.rows = quiet;
        }
    }

    /// A figure over all samples that count.
    pub(crate) fn spread(&self, figure: &str) -> Option<Spread> {
        let values: Vec<f64> =
            self.rows.iter().filter_map(|row| row.figures.get(figure).copied()).collect();
        let least = values.iter().copied().min_by(f64::total_cmp)?;
        let most = values.iter().copied().max_by(f64::total_cmp)?;
        Some(Spread { median: median(&values)?, least, most })
    }

    /// The names of all figures, sorted.
    pub(crate) fn figures(&self) -> Vec<&str> {
        let mut names: Vec<_> =
            self.rows.iter().flat_map(|row| row.figures.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::super::noise::Noise;
    use super::*;

    fn row(who: &str, value: f64, foreign: f64) -> Row {
        let row = Row::new("bulk", who).case("way", "up").figure("mib_per_second", value);
        Row { noise: Noise { foreign, ..Noise::default() }, ..row }
    }

    #[test]
    fn noisy_samples_do_not_count_beside_quiet_ones() {
        let rows =
            [row("a", 10.0, 0.0), row("b", 1.0, 0.0), row("a", 90.0, 1.0), row("a", 20.0, 0.0)];
        let summary = Summary::of(&rows);
        let spread = summary.cells[0].spread("mib_per_second").unwrap();
        assert_eq!(spread, Spread { median: 15.0, least: 10.0, most: 20.0 });
        assert_eq!((summary.cells[0].noisy, summary.cells[0].doubtful), (1, false));
        assert_eq!(summary.figure("bulk", "b", "up", "mib_per_second"), Some(1.0));
        assert_eq!(summary.figure("bulk", "c", "up", "mib_per_second"), None);
    }

    #[test]
    fn the_largest_number_among_the_cases_is_told() {
        let rows = [" 100", "9500", "up"].map(|count| Row::new("crowd", "a").case("of", count));
        assert_eq!(Summary::of(&rows).most("crowd"), Some(9500));
        assert_eq!(Summary::of(&rows).most("bulk"), None);
    }

    #[test]
    fn nothing_but_noise_counts_and_is_doubtful() {
        let rows = [row("a", 10.0, 1.0)];
        let summary = Summary::of(&rows);
        assert!(summary.cells[0].doubtful);
        assert_eq!(summary.figure("bulk", "a", "up", "mib_per_second"), Some(10.0));
    }
}

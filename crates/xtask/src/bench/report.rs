//! The report: Markdown with a table per measurement, the claims, and the pictures beside it.
//! Touches: the report's folder.   Never: a raw row, which is in the results' file.
//! Invariants: every table says its command; what is doubtful is marked; what is left out is listed.
//! Errors: the files'.   Allocates: the text.
//! Proved by: `tests` below.

use super::{
    measurement::{MEASUREMENTS, Measurement},
    plots,
    results::Results,
    run::short,
    summary::{Cell, Summary},
    targets::{Claim, claims},
};
use crate::Outcome;
use std::{fmt::Write, fs, path::Path};

/// Writes the report where it was wished, or beside the rows.
pub(crate) fn write(path: &Path, results: &Results, summary: &Summary<'_>) -> Outcome {
    let folder = path.parent().unwrap_or(Path::new("."));
    let drawn = plots::draw(summary, &folder.join("plots"))?;
    let text = text(results, summary, &drawn);
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("report   {}", path.display());
    Ok(())
}

fn text(results: &Results, summary: &Summary<'_>, drawn: &[[String; 2]]) -> String {
    let mut text = String::from(HEAD);
    results.about.iter().for_each(|[name, value]| line(&mut text, &[name, value]));
    text += "\n## Claims\n\n| claim | bound | found | |\n|---|---|---|---|\n";
    claims(summary).iter().for_each(|claim| claim_line(&mut text, claim));
    MEASUREMENTS.iter().for_each(|each| section(&mut text, *each, summary));
    if !drawn.is_empty() {
        text += "\n## Pictures\n";
    }
    for [file, title] in drawn {
        let _ = write!(text, "\n![{title}](plots/{file})\n");
    }
    let commands = results.commands.iter().map(|(who, command)| format!("{who}: `{command}`"));
    list(&mut text, "Command lines", commands);
    list(&mut text, "Failed", results.failed.iter().cloned());
    list(&mut text, "Left out", results.skipped.iter().cloned());
    text
}

fn list(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    for (number, line) in lines.enumerate() {
        if number == 0 {
            let _ = write!(text, "\n## {title}\n\n");
        }
        let _ = writeln!(text, "- {}", line.replace('\n', " "));
    }
}

const HEAD: &str = "# Benchmarks

Made by `cargo xtask bench`, which anyone can run; [TESTING.md](TESTING.md#benchmarks) says how. Everything runs on
one machine over loopback, contenders in turn within each round. Cells are medians, with the least and the most where
they differ; \"CPU s/GiB\" is user and system time of one end for each GiB carried. A sample is set aside when other
processes took more than a quarter of a core meanwhile, when the machine's host took more than 5 % of its time, or
when a fixed piece of work took a quarter longer than at best; `?` marks a cell that has no other samples. Absolute
figures are this machine's; ratios within one report are what counts.

| | |
|---|---|
";

fn line(text: &mut String, cells: &[&String]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn claim_line(text: &mut String, claim: &Claim) {
    let found = claim.found.map_or_else(|| "not measured".into(), short);
    let verdict = match claim.holds() {
        Some(true) => "holds",
        Some(false) => "**not reached**",
        None => "",
    };
    line(text, &[&claim.what, &claim.bound.to_string(), &found, &verdict.to_string()]);
}

/// A table: contenders and cases down, figures across.
fn section(text: &mut String, each: &dyn Measurement, summary: &Summary<'_>) {
    let cells = summary.of_measurement(each.name());
    if cells.is_empty() {
        return;
    }
    let _ = write!(
        text,
        "\n## {}\n\nWhat is told: {}. `cargo xtask bench {}`\n\n",
        each.name(),
        each.what(),
        each.name()
    );
    let mut figures: Vec<&str> = cells.iter().flat_map(|cell| cell.figures()).collect();
    figures.sort_unstable();
    figures.dedup();
    // Calls by name differ from contender to contender; rows have them.
    figures.retain(|name| !name.starts_with("call_"));
    let _ = writeln!(text, "| who | case | {} |", figures.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(2 + figures.len()));
    let mut cells = cells;
    cells.sort_by_key(|cell| cell.case.clone());
    cells.iter().for_each(|cell| cell_line(text, cell, &figures));
}

fn cell_line(text: &mut String, cell: &Cell<'_>, figures: &[&str]) {
    let doubt = if cell.doubtful { " ?" } else { "" };
    let mut line_cells = vec![format!("{}{doubt}", cell.who), cell.case.trim().to_owned()];
    line_cells.extend(figures.iter().map(|figure| told(cell, figure)));
    line(text, &line_cells.iter().collect::<Vec<_>>());
}

/// `812 (790–830)`
fn told(cell: &Cell<'_>, figure: &str) -> String {
    let Some(spread) = cell.spread(figure) else { return "–".into() };
    let [median, least, most] = [spread.median, spread.least, spread.most].map(short);
    if least == most { median } else { format!("{median} ({least}–{most})") }
}

#[cfg(test)]
mod tests {
    use super::super::{noise::Noise, row::Row};
    use super::*;

    fn rows() -> Vec<Row> {
        [700.0, 800.0]
            .map(|speed| {
                let row = Row::new("bulk", "adit → aditd").case("way", "up");
                let noise = Noise { foreign: 1.0, ..Noise::default() };
                Row { noise, ..row.figure("mib_per_second", speed) }
            })
            .to_vec()
    }

    #[test]
    fn a_table_has_medians_with_their_ends_and_marks_doubt() {
        let mut results = Results::default();
        results.rows = rows();
        results.about.push(["kernel".to_owned(), "6.1".to_owned()]);
        results.skipped.insert("russh: not there".to_owned());
        let report = text(&results, &Summary::of(&results.rows), &[]);
        assert!(report.contains("| adit → aditd ? | up | 750 (700–800) |"), "{report}");
        assert!(report.contains("| kernel | 6.1 |"), "{report}");
        assert!(report.contains("- russh: not there"), "{report}");
        assert!(!report.contains("## ping"), "{report}");
    }
}

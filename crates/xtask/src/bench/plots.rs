//! The report's pictures, as SVG beside it.
//! Touches: files.   Never: a font; the reader's own is used.
//! Invariants: what was not measured makes no picture, and no gap that looks like a zero.
//! Errors: the file's.   Allocates: freely.
//! Proved by: `tests` below.

mod bars;
mod lines;
mod pictures;

use super::summary::Summary;
use plotters::style::{RGBColor, colors::WHITE};
use std::{error::Error, fs, path::Path};

/// Pixels across, for a page.
const WIDTH: u32 = 900;
const FONT: &str = "sans-serif";
/// Told apart by readers who see few colours, too.
const COLOURS: [RGBColor; 12] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(120, 120, 120),
    RGBColor(0, 0, 0),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(188, 189, 34),
    RGBColor(190, 190, 190),
];

/// A picture that knows how to be drawn.
trait Picture {
    fn title(&self) -> &str;
    fn is_empty(&self) -> bool;
    fn draw(&self, path: &Path) -> Result<(), Box<dyn Error>>;
}

/// Draws all that there is something for; file names and titles.
pub(crate) fn draw(summary: &Summary<'_>, folder: &Path) -> Result<Vec<[String; 2]>, String> {
    let mut drawn = Vec::new();
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (name, picture) in pictures::all(summary) {
        if picture.is_empty() {
            continue;
        }
        let path = folder.join(format!("{name}.svg"));
        picture.draw(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        drawn.push([format!("{name}.svg"), picture.title().to_owned()]);
    }
    Ok(drawn)
}

fn colour(place: usize) -> RGBColor {
    COLOURS[place % COLOURS.len()]
}

#[cfg(test)]
mod tests {
    use super::super::{contender::OURS, row::Row};
    use super::*;
    use adit_interop_tests::scratch::Scratch;

    #[test]
    fn what_was_measured_is_drawn_and_nothing_else() {
        let rows: Vec<Row> = OURS
            .iter()
            .map(|who| {
                let row = Row::new("bulk", who.name()).case("cipher", "aes128-gcm");
                row.case("way", "up").figure("mib_per_second", 700.0)
            })
            .collect();
        let scratch = Scratch::new();
        let drawn = draw(&Summary::of(&rows), scratch.path()).unwrap();
        let names: Vec<_> = drawn.iter().map(|[name, _]| name.as_str()).collect();
        assert_eq!(names, ["throughput-up.svg"]);
        let picture = fs::read_to_string(scratch.join("throughput-up.svg")).unwrap();
        assert!(picture.contains("<svg") && picture.contains("adit → aditd"), "{picture}");
    }
}

//! Bars from left to right, one row per contender; parts of a row stand side by side or on top of each other.
//! Touches: one SVG file.   Never: which figure it is.
//! Invariants: the axis begins at zero.
//! Errors: the file's.   Allocates: freely.
//! Proved by: `super::tests`.

use super::{FONT, Picture, WHITE, WIDTH, colour};
use crate::bench::run::short;
use plotters::{
    coord::{Shift, types::RangedCoordf64},
    prelude::{
        BLACK, Cartesian2d, ChartBuilder, ChartContext, Color, DrawingArea, IntoDrawingArea,
        IntoFont, Rectangle, SVGBackend, Text,
    },
};
use std::{error::Error, path::Path};

/// The picture.
pub(super) struct Bars {
    pub(super) title: String,
    pub(super) unit: &'static str,
    /// What the parts of a row are.
    pub(super) parts: Vec<&'static str>,
    pub(super) stacked: bool,
    /// A contender, and its parts.
    pub(super) rows: Vec<(String, Vec<Option<f64>>)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Pixels that names take at the left.
const NAMES: u32 = 260;
const PART: u32 = 13;
const GAP: u32 = 9;

impl Picture for Bars {
    fn title(&self) -> &str {
        &self.title
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn draw(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let height = 110 + self.rows.len() as u32 * self.row_height();
        let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        self.legend(&area)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(10)
            .margin_top(60)
            .margin_right(60)
            .x_label_area_size(36)
            .y_label_area_size(NAMES)
            .build_cartesian_2d(0.0..self.longest() * 1.05, 0.0..self.rows.len() as f64)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_label_formatter(&|value| short(*value))
            .disable_y_axis()
            .disable_y_mesh()
            .x_desc(self.unit)
            .draw()?;
        for (place, (name, parts)) in self.rows.iter().enumerate() {
            self.row(&area, &mut chart, place, name, parts)?;
        }
        area.present()?;
        Ok(())
    }
}

impl Bars {
    fn row_height(&self) -> u32 {
        GAP + PART * if self.stacked { 1 } else { self.parts.len() as u32 }
    }

    fn longest(&self) -> f64 {
        let of_row = |parts: &Vec<Option<f64>>| {
            let parts = parts.iter().flatten().copied();
            if self.stacked { parts.sum() } else { parts.fold(0.0, f64::max) }
        };
        self.rows.iter().map(|(_, parts)| of_row(parts)).fold(f64::MIN_POSITIVE, f64::max)
    }

    /// One row: a bar for each part, and what it says at its end.
    fn row(
        &self,
        area: &Area<'_>,
        chart: &mut Chart<'_, '_>,
        place: usize,
        name: &str,
        parts: &[Option<f64>],
    ) -> Result<(), Box<dyn Error>> {
        let top = (self.rows.len() - place) as f64 - f64::from(GAP) / f64::from(self.row_height());
        let thick = f64::from(PART) / f64::from(self.row_height());
        let (mut from, mut at) = (0.0, top);
        for (number, value) in parts.iter().enumerate() {
            if let Some(value) = value {
                let corners = [(from, at - thick), (from + value, at)];
                let bar = Rectangle::new(corners, colour(number).filled());
                chart.draw_series([bar])?;
                if self.stacked {
                    from += value;
                }
            }
            let told = if self.stacked { None } else { *value };
            self.tell(chart, told.map(|value| (value, at)))?;
            at -= if self.stacked { 0.0 } else { thick };
        }
        if self.stacked {
            self.tell(chart, Some((from, at)))?;
        }
        let (_, y) = chart.backend_coord(&(0.0, top));
        area.draw(&Text::new(name.to_owned(), (12, y), (FONT, 13).into_font().color(&BLACK)))?;
        Ok(())
    }

    fn tell(
        &self,
        chart: &mut Chart<'_, '_>,
        end: Option<(f64, f64)>,
    ) -> Result<(), Box<dyn Error>> {
        let text = |(value, at): (f64, f64)| {
            let offset = self.longest() * 0.005;
            Text::new(short(value), (value + offset, at), (FONT, 11).into_font())
        };
        chart.draw_series(end.map(text))?;
        Ok(())
    }

    fn legend(&self, area: &Area<'_>) -> Result<(), Box<dyn Error>> {
        area.draw(&Text::new(self.title.as_str(), (12, 12), (FONT, 18).into_font()))?;
        for (number, part) in self.parts.iter().enumerate() {
            let left = NAMES as i32 + 10 + 170 * number as i32;
            let square = Rectangle::new([(left, 36), (left + 12, 48)], colour(number).filled());
            area.draw(&square)?;
            area.draw(&Text::new(*part, (left + 18, 36), (FONT, 13).into_font()))?;
        }
        Ok(())
    }
}

//! Lines over a logarithmic axis, one per contender.
//! Touches: one SVG file.   Never: which figure it is.
//! Invariants: both axes are logarithmic, as what grows tenfold is compared.
//! Errors: the file's.   Allocates: freely.
//! Proved by: running it.

use super::{FONT, Picture, WHITE, WIDTH, colour};
use crate::bench::run::short;
use plotters::{
    prelude::{
        ChartBuilder, Circle, Color, IntoDrawingArea, IntoLogRange, LineSeries, PathElement,
        SVGBackend, SeriesLabelPosition,
    },
    style::colors::BLACK,
};
use std::{error::Error, ops::Range, path::Path};

/// The picture.
pub(super) struct Lines {
    pub(super) title: String,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    pub(super) series: Vec<(String, Vec<(f64, f64)>)>,
}

impl Picture for Lines {
    fn title(&self) -> &str {
        &self.title
    }

    fn is_empty(&self) -> bool {
        self.series.iter().all(|(_, points)| points.len() < 2)
    }

    fn draw(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let area = SVGBackend::new(path, (WIDTH, 520)).into_drawing_area();
        area.fill(&WHITE)?;
        let [x, y] = [self.range(|point| point.0), self.range(|point| point.1)];
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, (FONT, 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .right_y_label_area_size(0)
            .build_cartesian_2d(x.log_scale(), y.log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .x_desc(self.x)
            .y_desc(self.y)
            .draw()?;
        for (number, (name, points)) in self.series.iter().enumerate() {
            let colour = colour(number);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2))
                });
            chart
                .draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .draw()?;
        area.present()?;
        Ok(())
    }
}

impl Lines {
    /// From a little below the least to a little above the most.
    fn range(&self, axis: fn(&(f64, f64)) -> f64) -> Range<f64> {
        let values = self.series.iter().flat_map(|(_, points)| points.iter().map(axis));
        let (least, most) = values
            .fold((f64::MAX, f64::MIN_POSITIVE), |(l, m), value| (l.min(value), m.max(value)));
        least * 0.8..most * 1.3
    }
}

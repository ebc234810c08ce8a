//! Curves over one coordinate.

use std::ops::Range;

use plotters::prelude::*;

use super::canvas::{Area, Figure, Symbol, TEXT, font, legend, mark, places, reason};
use super::{Mark, Words, axis, colour};
use xsam_lab::numbers::short;
use xsam_lab::statistics::mean;

/// A point of a curve: a value, and the range of what it is the mean of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Point {
    /// A value without a range.
    pub(crate) fn at(x: f64, y: f64) -> Self {
        Self {
            x,
            mean: y,
            low: y,
            high: y,
        }
    }

    /// The mean and the range of several values; nothing of nothing.
    pub(crate) fn over(x: f64, values: &[f64]) -> Option<Self> {
        let mean = mean(values.iter().copied())?;
        Some(Self {
            x,
            mean,
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// A curve with its name.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) label: String,
    /// Which colour it has: the same in all plots of a comparison.
    pub(crate) colour: usize,
    pub(crate) points: Vec<Point>,
}

/// Curves; where a value is not finite there is a gap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines<'a> {
    pub(crate) words: Words<'a>,
    pub(crate) lines: &'a [Line],
    pub(crate) marks: &'a [Mark],
    /// Whether values are drawn by their logarithms. What is not above zero is left out then.
    pub(crate) logarithmic: bool,
}

impl Figure for Lines<'_> {
    fn draw<DB: DrawingBackend>(&self, area: &Area<'_, DB>, unit: i32) -> Result<(), String> {
        let (plot, side) = places(area, self.words, unit)?;
        let (x, y) = self.ranges()?;
        let names = |value: &f64| short(self.back(*value));
        let mut chart = ChartBuilder::on(&plot)
            .margin(12 * unit)
            .x_label_area_size(58 * unit)
            .y_label_area_size(84 * unit)
            .build_cartesian_2d(x, y)
            .map_err(reason)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.6))
            .x_desc(self.words.x)
            .y_desc(self.words.y)
            .x_labels(9)
            .y_labels(8)
            .x_label_formatter(&|x| short(*x))
            .y_label_formatter(&names)
            .axis_desc_style(font(TEXT, unit))
            .label_style(font(TEXT - 1, unit))
            .draw()
            .map_err(reason)?;
        for line in self.lines {
            let band = colour(line.colour).mix(0.15);
            for stretch in self.stretches(line) {
                let upper = stretch.iter().map(|p| (p.x, p.high));
                let lower = stretch.iter().rev().map(|p| (p.x, p.low));
                let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
                if stretch.iter().any(|p| p.high > p.low) {
                    chart
                        .draw_series([Polygon::new(outline, band)])
                        .map_err(reason)?;
                }
            }
        }
        for line in self.lines {
            let style = colour(line.colour).stroke_width(3 * unit as u32);
            for stretch in self.stretches(line) {
                if let [alone] = stretch.as_slice() {
                    let dot = Circle::new((alone.x, alone.mean), 3 * unit, style.filled());
                    chart.draw_series([dot]).map_err(reason)?;
                }
                let points = stretch.iter().map(|p| (p.x, p.mean));
                chart
                    .draw_series(LineSeries::new(points, style))
                    .map_err(reason)?;
            }
        }
        for (number, at) in self.marks.iter().enumerate() {
            let y = self.forth(at.y);
            if at.x.is_finite() && y.is_finite() {
                let place = chart.backend_coord(&(at.x, y));
                let place = within(&plot, place);
                mark(&plot, place, number, unit).map_err(reason)?;
            }
        }
        let lines = self.lines.iter();
        let lines = lines.map(|line| (Symbol::Line(colour(line.colour)), line.label.clone()));
        let marks = self.marks.iter().enumerate();
        let marks = marks.map(|(number, mark)| (Symbol::Mark(number), mark.label.clone()));
        let entries: Vec<(Symbol, String)> = lines.chain(marks).collect();
        legend(&side, 20, &entries, unit)
    }
}

/// A place on the whole canvas as one in an area of it.
pub(super) fn within<DB: DrawingBackend>(area: &Area<'_, DB>, (x, y): (i32, i32)) -> (i32, i32) {
    let (left, top) = area.get_base_pixel();
    (x - left, y - top)
}

impl Lines<'_> {
    /// How a value is drawn.
    fn forth(&self, value: f64) -> f64 {
        match (self.logarithmic, value > 0.0) {
            (false, _) => value,
            (true, true) => value.log10(),
            (true, false) => f64::NAN,
        }
    }

    /// The value that is drawn so.
    fn back(&self, drawn: f64) -> f64 {
        match self.logarithmic {
            false => drawn,
            true => 10f64.powf(drawn),
        }
    }

    /// The parts of a line between its gaps, as they are drawn.
    fn stretches(&self, line: &Line) -> Vec<Vec<Point>> {
        let mut stretches = vec![Vec::new()];
        for point in &line.points {
            let drawn = Point {
                x: point.x,
                mean: self.forth(point.mean),
                low: self.forth(point.low),
                high: self.forth(point.high),
            };
            let all = [drawn.x, drawn.mean, drawn.low, drawn.high];
            match (all.iter().all(|v| v.is_finite()), stretches.last_mut()) {
                (true, Some(stretch)) => stretch.push(drawn),
                _ => stretches.push(Vec::new()),
            }
        }
        stretches.retain(|stretch| !stretch.is_empty());
        stretches
    }

    /// The ranges of both axes, with a little room above and below.
    fn ranges(&self) -> Result<(Range<f64>, Range<f64>), String> {
        let points: Vec<Point> = self
            .lines
            .iter()
            .flat_map(|line| self.stretches(line))
            .flatten()
            .collect();
        if points.is_empty() {
            return Err("no value can be drawn".to_owned());
        }
        let least = |of: fn(&Point) -> f64| points.iter().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&Point) -> f64| points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        let (from, to) = (least(|p| p.x), most(|p| p.x));
        let (low, high) = (least(|p| p.low), most(|p| p.high));
        Ok((axis(from, to, 0.0)?, axis(low, high, 0.05)?))
    }
}

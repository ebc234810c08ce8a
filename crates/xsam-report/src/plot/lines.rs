//! Curves over one coordinate.

use std::ops::Range;

use plotters::prelude::*;

use super::canvas::{
    Area, Backend, Drawing, Figure, Symbol, TEXT, chart, draw_marks, font, legend, of_marks, places,
};
use super::{Mark, Words, axis, bounds, colour};
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
        let [low, high] = bounds(values.iter().copied());
        Some(Self { x, mean, low, high })
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
#[derive(Clone, Debug)]
pub(crate) struct Lines<'a> {
    pub(crate) words: Words<'a>,
    pub(crate) lines: Vec<Line>,
    pub(crate) marks: Vec<Mark>,
    /// Whether values are drawn by their logarithms. What is not above zero is left out then.
    pub(crate) logarithmic: bool,
}

impl Figure for Lines<'_> {
    fn draw<DB: Backend>(&self, area: &Area<DB>, unit: i32) -> Drawing {
        let (plot, side) = places(area, self.words, unit)?;
        let (x, y) = self.ranges()?;
        let names = |value: &f64| short(self.back(*value));
        let mut chart = chart(&plot, x, y, unit)?;
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
            .draw()?;
        for line in &self.lines {
            let band = colour(line.colour).mix(0.15);
            for stretch in self.stretches(line) {
                if stretch.iter().any(|p| p.high > p.low) {
                    let upper = stretch.iter().map(|p| (p.x, p.high));
                    let lower = stretch.iter().rev().map(|p| (p.x, p.low));
                    let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
                    chart.draw_series([Polygon::new(outline, band)])?;
                }
            }
        }
        for line in &self.lines {
            let style = colour(line.colour).stroke_width(3 * unit as u32);
            for stretch in self.stretches(line) {
                if let [alone] = stretch.as_slice() {
                    let dot = Circle::new((alone.x, alone.mean), 3 * unit, style.filled());
                    chart.draw_series([dot])?;
                }
                let points = stretch.iter().map(|p| (p.x, p.mean));
                chart.draw_series(LineSeries::new(points, style))?;
            }
        }
        let drawn = self.marks.iter().map(|mark| Mark {
            y: self.forth(mark.y),
            ..mark.clone()
        });
        draw_marks(&plot, &chart, &drawn.collect::<Vec<_>>(), unit)?;
        let lines = self.lines.iter();
        let lines = lines.map(|line| (Symbol::Line(colour(line.colour)), line.label.clone()));
        legend(&side, 20, lines.chain(of_marks(&self.marks)), unit)
    }
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
        let [from, to] = bounds(points.iter().map(|p| p.x));
        let [low, high] = bounds(points.iter().flat_map(|p| [p.low, p.high]));
        Ok((axis(from, to, 0.0)?, axis(low, high, 0.05)?))
    }
}

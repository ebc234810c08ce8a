//! Plots of curves over epochs, as SVG.

use std::ops::Range;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::Error;
use crate::files;

/// Size of a plot, in pixels: half a slide.
const SIZE: (u32, u32) = (960, 600);

/// Colours that stay apart for most colour-blind readers (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 0, 0),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// A mean over runs, and the range of the runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// A curve with its name.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) label: String,
    /// Which colour it has: the same in all plots of a comparison.
    pub(crate) colour: usize,
    pub(crate) points: Vec<Point>,
}

impl Curve {
    fn colour(&self) -> RGBColor {
        COLOURS[self.colour % COLOURS.len()]
    }
}

/// What a plot says in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) title: &'a str,
    pub(crate) subtitle: &'a str,
    pub(crate) axis: &'a str,
}

/// Draws curves over epochs into the SVG file `path`, their ranges as bands.
pub(crate) fn curves(path: &Path, words: Words<'_>, curves: &[Curve]) -> Result<(), Error> {
    let mut svg = String::new();
    draw(&mut svg, words, curves).map_err(|reason| Error::Plot {
        path: path.to_owned(),
        reason,
    })?;
    files::write(path, &svg)
}

fn draw(svg: &mut String, words: Words<'_>, curves: &[Curve]) -> Result<(), String> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(text)?;
    let area = area.titled(words.title, ("sans-serif", 28)).map_err(text)?;
    let grey = ("sans-serif", 17).into_font().color(&BLACK.mix(0.65));
    let area = area.titled(words.subtitle, grey).map_err(text)?;
    let (x, y) = ranges(curves);
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .margin_right(28)
        .x_label_area_size(52)
        .y_label_area_size(72)
        .build_cartesian_2d(x, y)
        .map_err(text)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .axis_style(BLACK.mix(0.6))
        .x_desc("epoch")
        .y_desc(words.axis)
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .axis_desc_style(("sans-serif", 20))
        .label_style(("sans-serif", 18))
        .draw()
        .map_err(text)?;
    for curve in curves {
        let colour = curve.colour();
        let upper = curve.points.iter().map(|p| (p.x, p.high));
        let lower = curve.points.iter().rev().map(|p| (p.x, p.low));
        let band: Vec<(f64, f64)> = upper.chain(lower).collect();
        chart
            .draw_series([Polygon::new(band, colour.mix(0.15))])
            .map_err(text)?;
    }
    for curve in curves {
        let colour = curve.colour();
        let line = curve.points.iter().map(|p| (p.x, p.mean));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(3)))
            .map_err(text)?
            .label(&curve.label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .margin(14)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .legend_area_size(32)
        .label_font(
            ("sans-serif", 20)
                .into_text_style(&area)
                .pos(Pos::new(HPos::Left, VPos::Top)),
        )
        .draw()
        .map_err(text)?;
    area.present().map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The ranges of both axes, with a little room above and below.
fn ranges(curves: &[Curve]) -> (Range<f64>, Range<f64>) {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let last = points().map(|p| p.x).fold(1.0, f64::max);
    let low = points().map(|p| p.low).fold(f64::INFINITY, f64::min);
    let high = points().map(|p| p.high).fold(f64::NEG_INFINITY, f64::max);
    let room = if high > low { 0.05 * (high - low) } else { 0.5 };
    (1.0..last.max(1.0 + f64::EPSILON), low - room..high + room)
}

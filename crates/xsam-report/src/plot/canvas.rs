//! What figures are drawn on: back ends, fonts, the places of title, plot, marks and legend.

use std::error::Error;
use std::ops::Range;
use std::sync::OnceLock;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::{Mark, Words};

/// Size of a figure in points, of which a PNG has [`DENSITY`] pixels each.
const SIZE: (u32, u32) = (1000, 680);
const DENSITY: u32 = 2;
/// Width of the legend beside the plot.
const SIDE: i32 = 270;
/// Characters on a line of the legend.
const LEGEND_WIDTH: usize = 29;
/// Height of text in the legend and at axes: as large as body text where a figure is as wide as a column.
pub(super) const TEXT: i32 = 18;
/// Room for what is written at the axes, in points.
pub(super) const LEFT: i32 = 84;
pub(super) const BELOW: i32 = 58;

/// What is drawn, or why it cannot be.
pub(super) type Drawing<T = ()> = Result<T, Box<dyn Error>>;

/// A back end whose errors can be told.
pub(crate) trait Backend: DrawingBackend<ErrorType: 'static> {}

impl<DB: DrawingBackend<ErrorType: 'static>> Backend for DB {}

pub(super) type Area<DB> = DrawingArea<DB, Shift>;

pub(super) type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Something that can be drawn on any back end, with `unit` pixels a point.
pub(crate) trait Figure {
    fn draw<DB: Backend>(&self, area: &Area<DB>, unit: i32) -> Drawing;
}

/// The figure as the content of an SVG file.
pub(super) fn svg(figure: &impl Figure) -> Drawing<String> {
    let mut text = String::new();
    draw(figure, SVGBackend::with_string(&mut text, SIZE), 1)?;
    Ok(text)
}

/// The figure as the content of a PNG file.
pub(super) fn png(figure: &impl Figure) -> Drawing<Vec<u8>> {
    let (width, height) = (SIZE.0 * DENSITY, SIZE.1 * DENSITY);
    let mut pixels = vec![0; (width * height * 3) as usize];
    let backend = BitMapBackend::with_buffer(&mut pixels, (width, height));
    draw(figure, backend, DENSITY as i32)?;
    let mut file = Vec::new();
    PngEncoder::new(&mut file).write_image(&pixels, width, height, ExtendedColorType::Rgb8)?;
    Ok(file)
}

fn draw(figure: &impl Figure, backend: impl Backend, unit: i32) -> Drawing {
    // A machine need not have any font.
    static FONTS: OnceLock<bool> = OnceLock::new();
    let font = epaint_default_fonts::UBUNTU_LIGHT;
    let known = FONTS.get_or_init(|| register_font("sans-serif", FontStyle::Normal, font).is_ok());
    if !known {
        return Err("the font is damaged".into());
    }
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    figure.draw(&area, unit)?;
    Ok(area.present()?)
}

pub(super) fn font(size: i32, unit: i32) -> FontDesc<'static> {
    ("sans-serif", size * unit).into_font()
}

/// Writes title and subtitle, and returns the places of the plot and of the legend.
pub(super) fn places<DB: Backend>(
    area: &Area<DB>,
    words: Words<'_>,
    unit: i32,
) -> Drawing<(Area<DB>, Area<DB>)> {
    let (width, _) = area.dim_in_pixel();
    let grey = font(16, unit).color(&BLACK.mix(0.7));
    let at = |y: i32| (20 * unit, y * unit);
    area.draw(&Text::new(words.title, at(14), font(26, unit)))?;
    area.draw(&Text::new(words.subtitle, at(46), grey))?;
    let (_, below) = area.split_vertically(72 * unit);
    Ok(below.split_horizontally(width as i32 - SIDE * unit))
}

/// A chart that fills a place but for the room at its axes.
pub(super) fn chart<'a, DB: Backend>(
    plot: &'a Area<DB>,
    x: Range<f64>,
    y: Range<f64>,
    unit: i32,
) -> Drawing<Chart<'a, DB>> {
    let chart = ChartBuilder::on(plot)
        .margin(12 * unit)
        .x_label_area_size(BELOW * unit)
        .y_label_area_size(LEFT * unit)
        .build_cartesian_2d(x, y)?;
    Ok(chart)
}

/// How an entry of the legend looks in the plot.
#[derive(Clone, Copy)]
pub(super) enum Symbol {
    Line(RGBColor),
    /// A line with a dot at each of its points.
    Dots(RGBColor),
    Mark(usize),
    Patch(RGBColor),
}

/// Entries of the legend for these marks.
pub(super) fn of_marks(marks: &[Mark]) -> impl Iterator<Item = (Symbol, String)> {
    let marks = marks.iter().enumerate();
    marks.map(|(number, mark)| (Symbol::Mark(number), mark.label.clone()))
}

/// The legend, from `top` points down.
pub(super) fn legend<DB: Backend>(
    side: &Area<DB>,
    top: i32,
    entries: impl Iterator<Item = (Symbol, String)>,
    unit: i32,
) -> Drawing {
    let mut y = top;
    for (symbol, label) in entries {
        let middle = (y + TEXT / 2) * unit;
        let line = [(8 * unit, middle), (36 * unit, middle)];
        let centre = (22 * unit, middle);
        match symbol {
            Symbol::Line(colour) => side.draw(&path(&line, colour, unit))?,
            Symbol::Dots(colour) => {
                side.draw(&path(&line, colour, unit))?;
                side.draw(&Circle::new(centre, 4 * unit, colour.filled()))?;
            }
            Symbol::Mark(number) => mark(side, centre, number, unit)?,
            Symbol::Patch(colour) => {
                let corners = [
                    (10 * unit, middle - 8 * unit),
                    (34 * unit, middle + 8 * unit),
                ];
                side.draw(&Rectangle::new(corners, colour.filled()))?;
            }
        }
        for line in wrapped(&label, LEGEND_WIDTH) {
            let at = (46 * unit, y * unit);
            side.draw(&Text::new(line, at, font(TEXT - 1, unit)))?;
            y += TEXT + 3;
        }
        y += 7;
    }
    Ok(())
}

fn path(points: &[(i32, i32)], colour: RGBColor, unit: i32) -> PathElement<(i32, i32)> {
    PathElement::new(points.to_vec(), colour.stroke_width(3 * unit as u32))
}

/// Marks points of a chart. The chart fills `plot`, which is a part of the whole canvas.
pub(super) fn draw_marks<DB: Backend>(
    plot: &Area<DB>,
    chart: &Chart<'_, DB>,
    marks: &[Mark],
    unit: i32,
) -> Drawing {
    let (left, top) = plot.get_base_pixel();
    for (number, at) in marks.iter().enumerate() {
        if at.x.is_finite() && at.y.is_finite() {
            let (x, y) = chart.backend_coord(&(at.x, at.y));
            mark(plot, (x - left, y - top), number, unit)?;
        }
    }
    Ok(())
}

/// A mark of its own kind for each number: disc, diamond, square, triangle, with a light rim that is seen on any
/// ground, and a ring, through which another mark is seen.
fn mark<DB: Backend>(area: &Area<DB>, (x, y): (i32, i32), number: usize, unit: i32) -> Drawing {
    for (size, colour) in [(10, WHITE), (7, mark_colour(number))] {
        let r = size * unit;
        let corners: &[(i32, i32)] = match number % 5 {
            0 => {
                area.draw(&Circle::new((x, y), r, colour.filled()))?;
                continue;
            }
            4 => {
                let width = if colour == WHITE { 6 } else { 3 };
                let line = colour.stroke_width(width * unit as u32);
                area.draw(&Circle::new((x, y), 12 * unit, line))?;
                continue;
            }
            1 => &[(0, -r), (r, 0), (0, r), (-r, 0)],
            2 => &[(-r, -r), (r, -r), (r, r), (-r, r)],
            _ => &[(0, -r), (r, r), (-r, r)],
        };
        let corners: Vec<(i32, i32)> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        area.draw(&Polygon::new(corners, colour.filled()))?;
    }
    Ok(())
}

fn mark_colour(number: usize) -> RGBColor {
    // Those that the colours of a map do not have.
    [
        RGBColor(0, 0, 0),
        RGBColor(213, 94, 0),
        RGBColor(204, 60, 150),
        RGBColor(180, 0, 0),
        RGBColor(0, 0, 0),
    ][number % 5]
}

/// The words on lines of so many characters; a word that is longer is cut.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let head: String = rest.drain(..rest.len().min(width)).collect();
            let last = lines.last().map_or(0, |line| line.chars().count());
            if last > 0 && last + 1 + head.chars().count() > width {
                lines.push(head);
            } else if let Some(line) = lines.last_mut() {
                if last > 0 {
                    line.push(' ');
                }
                line.push_str(&head);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_wrapped_and_nothing_is_lost() {
        assert_eq!(
            wrapped("a label of some words", 9),
            ["a label", "of some", "words"]
        );
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}

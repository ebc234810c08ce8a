//! What figures are drawn on: back ends, fonts, the places of title, plot and legend.

use std::fmt::Display;
use std::sync::OnceLock;

use image::ExtendedColorType;
use image::ImageEncoder;
use image::codecs::png::PngEncoder;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::Words;

/// Size of a figure in points, of which a PNG has [`DENSITY`] pixels each.
const SIZE: (u32, u32) = (1000, 680);
const DENSITY: u32 = 2;
/// Width of the legend beside the plot.
const SIDE: i32 = 270;
/// Characters on a line of the legend.
const LEGEND_WIDTH: usize = 29;
/// Height of text in the legend and at axes: as large as body text where a figure is as wide as a column.
pub(super) const TEXT: i32 = 18;

pub(super) type Area<'a, DB> = DrawingArea<DB, Shift>;

/// Something that can be drawn on any back end, with `unit` pixels a point.
pub(crate) trait Figure {
    fn draw<DB: DrawingBackend>(&self, area: &Area<'_, DB>, unit: i32) -> Result<(), String>;
}

/// The figure as the text of an SVG file.
pub(super) fn svg(figure: &impl Figure) -> Result<String, String> {
    fonts()?;
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(reason)?;
    figure.draw(&area, 1)?;
    area.present().map_err(reason)?;
    drop(area);
    Ok(text)
}

/// The figure as the content of a PNG file.
pub(super) fn png(figure: &impl Figure) -> Result<Vec<u8>, String> {
    fonts()?;
    let (width, height) = (SIZE.0 * DENSITY, SIZE.1 * DENSITY);
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        area.fill(&WHITE).map_err(reason)?;
        figure.draw(&area, DENSITY as i32)?;
        area.present().map_err(reason)?;
    }
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
        .map_err(reason)?;
    Ok(file)
}

/// A machine need not have any font.
fn fonts() -> Result<(), String> {
    static FONTS: OnceLock<bool> = OnceLock::new();
    let font = epaint_default_fonts::UBUNTU_LIGHT;
    let known = FONTS.get_or_init(|| register_font("sans-serif", FontStyle::Normal, font).is_ok());
    known
        .then_some(())
        .ok_or_else(|| "the font is damaged".to_owned())
}

pub(super) fn reason(error: impl Display) -> String {
    error.to_string()
}

pub(super) fn font(size: i32, unit: i32) -> FontDesc<'static> {
    ("sans-serif", size * unit).into_font()
}

/// Writes title and subtitle, and returns the places of the plot and of the legend.
pub(super) fn places<'a, DB: DrawingBackend>(
    area: &Area<'a, DB>,
    words: Words<'_>,
    unit: i32,
) -> Result<(Area<'a, DB>, Area<'a, DB>), String> {
    let (width, _) = area.dim_in_pixel();
    let grey = font(16, unit).color(&BLACK.mix(0.7));
    let at = |y: i32| (20 * unit, y * unit);
    area.draw(&Text::new(words.title.to_owned(), at(14), font(26, unit)))
        .map_err(reason)?;
    area.draw(&Text::new(words.subtitle.to_owned(), at(46), grey))
        .map_err(reason)?;
    let (_, below) = area.split_vertically(72 * unit);
    Ok(below.split_horizontally(width as i32 - SIDE * unit))
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

/// The legend, from `top` points down.
pub(super) fn legend<DB: DrawingBackend>(
    side: &Area<'_, DB>,
    top: i32,
    entries: &[(Symbol, String)],
    unit: i32,
) -> Result<(), String> {
    let mut y = top;
    for (symbol, label) in entries {
        let middle = (y + TEXT / 2) * unit;
        let line = [(8 * unit, middle), (36 * unit, middle)];
        let centre = (22 * unit, middle);
        match *symbol {
            Symbol::Line(colour) => side.draw(&path(&line, colour, unit)),
            Symbol::Dots(colour) => side
                .draw(&path(&line, colour, unit))
                .and_then(|()| side.draw(&Circle::new(centre, 4 * unit, colour.filled()))),
            Symbol::Mark(number) => mark(side, centre, number, unit),
            Symbol::Patch(colour) => {
                let corners = [
                    (10 * unit, middle - 8 * unit),
                    (34 * unit, middle + 8 * unit),
                ];
                side.draw(&Rectangle::new(corners, colour.filled()))
            }
        }
        .map_err(reason)?;
        for line in wrapped(label, LEGEND_WIDTH) {
            let at = (46 * unit, y * unit);
            side.draw(&Text::new(line, at, font(TEXT - 1, unit)))
                .map_err(reason)?;
            y += TEXT + 3;
        }
        y += 7;
    }
    Ok(())
}

fn path(points: &[(i32, i32)], colour: RGBColor, unit: i32) -> PathElement<(i32, i32)> {
    PathElement::new(points.to_vec(), colour.stroke_width(3 * unit as u32))
}

/// A mark of its own kind for each number: disc, diamond, square, triangle, with a light rim that is seen on any
/// ground, and a ring, through which another mark is seen.
pub(super) fn mark<DB: DrawingBackend>(
    area: &Area<'_, DB>,
    (x, y): (i32, i32),
    number: usize,
    unit: i32,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
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

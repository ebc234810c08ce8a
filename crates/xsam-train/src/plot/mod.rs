//! Plots: curves, filled contours and surfaces, each as SVG and as PNG from one drawing.

mod canvas;
mod contours;
mod grid;
mod levels;
mod lines;
mod surface;

pub(crate) use contours::{Contours, Way};
pub(crate) use grid::Grid;
pub(crate) use levels::nice;
pub(crate) use lines::{Line, Lines, Point};
pub(crate) use surface::Surface;

use std::path::Path;

use plotters::style::RGBColor;

use crate::error::Error;
use crate::files;
use canvas::Figure;

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

fn colour(number: usize) -> RGBColor {
    COLOURS[number % COLOURS.len()]
}

/// What a plot says in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) title: &'a str,
    pub(crate) subtitle: &'a str,
    /// Names of the axes.
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
}

/// A point that is marked, with its name in the legend.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) label: String,
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Draws `NAME.svg`.
pub(crate) fn svg(directory: &Path, name: &str, figure: &impl Figure) -> Result<String, Error> {
    let file = format!("{name}.svg");
    let path = directory.join(&file);
    let text = canvas::svg(figure).map_err(failed(&path))?;
    files::write(&path, &text)?;
    Ok(file)
}

/// Draws `NAME.svg` and `NAME.png`, and returns their names.
pub(crate) fn both(
    directory: &Path,
    name: &str,
    figure: &impl Figure,
) -> Result<[String; 2], Error> {
    let drawn = svg(directory, name, figure)?;
    let file = format!("{name}.png");
    let path = directory.join(&file);
    let bytes = canvas::png(figure).map_err(failed(&path))?;
    files::write_bytes(&path, &bytes)?;
    Ok([drawn, file])
}

fn failed(path: &Path) -> impl FnOnce(String) -> Error {
    let path = path.to_owned();
    move |reason| Error::Plot { path, reason }
}

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

/// The files of several plots. The numbers are what counts: one that cannot be drawn is warned of, and no more.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    pub(crate) files: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl Drawn {
    /// Adds the files of a plot, or the reason why there are none.
    ///
    /// # Errors
    /// If a file could not be written.
    pub(crate) fn add(
        &mut self,
        drawn: Result<impl IntoIterator<Item = String>, Error>,
    ) -> Result<(), Error> {
        match drawn {
            Ok(files) => self.files.extend(files),
            Err(error @ Error::Plot { .. }) => self.warnings.push(error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Draws `NAME.svg`.
pub(crate) fn svg(directory: &Path, name: &str, figure: &impl Figure) -> Result<String, Error> {
    let file = format!("{name}.svg");
    let path = directory.join(&file);
    let text = drawn(canvas::svg(figure), &path)?;
    files::write(&path, &text)?;
    Ok(file)
}

/// Draws `NAME.svg` and `NAME.png`, and returns their names.
pub(crate) fn both(
    directory: &Path,
    name: &str,
    figure: &impl Figure,
) -> Result<[String; 2], Error> {
    let file = format!("{name}.png");
    let path = directory.join(&file);
    let svg = svg(directory, name, figure).inspect_err(|_| {
        // The error is the one to tell.
        let _ = files::remove(&path);
    })?;
    let bytes = drawn(canvas::png(figure), &path)?;
    files::write_bytes(&path, &bytes)?;
    Ok([svg, file])
}

/// What was drawn for a file. If that failed, an earlier plot there is of something else, and is removed.
fn drawn<T>(drawn: Result<T, String>, path: &Path) -> Result<T, Error> {
    drawn.or_else(|reason| {
        files::remove(path)?;
        let path = path.to_owned();
        Err(Error::Plot { path, reason })
    })
}

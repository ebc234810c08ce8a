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

use std::ops::Range;
use std::path::Path;

use plotters::style::RGBColor;

use canvas::Figure;
use xsam_lab::{Error, files};

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

/// A range that is narrower than this share of its ends has no numbers to write beside it: they would all be the same.
const NARROW: f64 = 1e-9;

/// The range of an axis for values from `low` to `high`, with a share of it as room on either side.
///
/// # Errors
/// If it has no length in numbers.
fn axis(low: f64, high: f64, share: f64) -> Result<Range<f64>, String> {
    let size = low.abs().max(high.abs());
    let is_wide = high - low > NARROW * size.max(f64::MIN_POSITIVE / f64::EPSILON);
    let room = match is_wide {
        true => share * (high - low),
        false => f64::max(0.5, 0.05 * size),
    };
    let range = low - room..high + room;
    match (range.end - range.start).is_finite() {
        true => Ok(range),
        false => Err("its values are too far apart".to_owned()),
    }
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
pub struct Drawn {
    /// Their names.
    pub files: Vec<String>,
    /// What could not be drawn, and why.
    pub warnings: Vec<String>,
}

/// Why there is no plot.
pub(crate) enum Failure {
    /// Its values cannot be drawn, in a sentence.
    Plot(String),
    /// A file could not be written.
    File(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

impl Drawn {
    /// Adds the files of a plot, or the reason why there are none.
    ///
    /// # Errors
    /// If a file could not be written.
    pub(crate) fn add(
        &mut self,
        drawn: Result<impl IntoIterator<Item = String>, Failure>,
    ) -> Result<(), Error> {
        match drawn {
            Ok(files) => self.files.extend(files),
            Err(Failure::Plot(sentence)) => self.warnings.push(sentence),
            Err(Failure::File(error)) => return Err(error),
        }
        Ok(())
    }
}

/// Draws `NAME.svg`.
pub(crate) fn svg(directory: &Path, name: &str, figure: &impl Figure) -> Result<String, Failure> {
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
) -> Result<[String; 2], Failure> {
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
fn drawn<T>(drawn: Result<T, String>, path: &Path) -> Result<T, Failure> {
    drawn.or_else(|reason| {
        files::remove(path)?;
        Err(Failure::Plot(format!(
            "cannot draw {}: {reason}",
            path.display()
        )))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn lines(values: &[f64], logarithmic: bool) -> Result<String, String> {
        let points = values.iter().enumerate();
        let line = Line {
            label: "<a> & \"b\"".to_owned(),
            colour: 0,
            points: points.map(|(i, y)| Point::at(i as f64, *y)).collect(),
        };
        canvas::svg(&Lines {
            words: Words {
                title: "t",
                subtitle: "s",
                x: "x",
                y: "y",
            },
            lines: &[line],
            marks: &[],
            logarithmic,
        })
    }

    #[test]
    fn any_values_are_drawn_or_refused() {
        for values in [
            [1e300, 1e300],
            [1e16, 1e16 + 2.0],
            [0.0, 5e-324],
            [-1e-310, 1e-310],
            [1.0, 1.0 + f64::EPSILON],
            [-1e30, f64::NAN],
            [f64::INFINITY, 0.0],
        ] {
            let text = lines(&values, false).unwrap();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{values:?}");
            assert!(text.contains("&lt;a&gt; &amp; &quot;b&quot;"), "{text}");
            let _ = lines(&values, true);
        }
        for values in [[-1e308, 1e308], [f64::MAX, -1.0], [f64::NAN; 2]] {
            assert!(lines(&values, false).is_err(), "{values:?}");
        }
        assert!(lines(&[0.0, -1.0], true).is_err());
        lines(&[5e-324, 1e308], true).unwrap();
    }

    #[test]
    fn a_plot_that_cannot_be_drawn_is_a_warning_and_takes_an_earlier_one_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("density.png");
        files::write(&path, "earlier").unwrap();
        let figure = Lines {
            words: Words {
                title: "t",
                subtitle: "s",
                x: "x",
                y: "y",
            },
            lines: &[],
            marks: &[],
            logarithmic: false,
        };
        let mut drawn = Drawn::default();
        drawn.add(both(folder.path(), "density", &figure)).unwrap();
        assert!(drawn.files.is_empty() && !path.exists());
        let warning = &drawn.warnings[0];
        assert!(
            warning.ends_with("density.svg: no value can be drawn"),
            "{warning}"
        );
        // A folder that is gone is no matter of drawing.
        let gone = folder.path().join("gone");
        let line = Line {
            label: String::new(),
            colour: 0,
            points: vec![Point::at(0.0, 0.0)],
        };
        let figure = Lines {
            lines: &[line],
            ..figure
        };
        assert!(drawn.add(both(&gone, "density", &figure)).is_err());
    }
}

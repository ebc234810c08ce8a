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

use canvas::{Drawing, Figure};
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

/// The lowest and the highest of values.
pub(crate) fn bounds(values: impl Iterator<Item = f64>) -> [f64; 2] {
    values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
        [low.min(value), high.max(value)]
    })
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
    /// Names of the files that were written.
    pub files: Vec<String>,
    /// What could not be drawn, and why.
    pub warnings: Vec<String>,
}

impl Drawn {
    /// Draws `NAME.svg`, or warns that it cannot be drawn.
    ///
    /// # Errors
    /// If a file could not be written.
    pub(crate) fn svg(
        &mut self,
        directory: &Path,
        name: &str,
        figure: &impl Figure,
    ) -> Result<(), Error> {
        let drawn = canvas::svg(figure).map(|svg| [svg.into_bytes()]);
        self.write(directory, name, ["svg"], drawn)
    }

    /// The same of `NAME.svg` and `NAME.png`.
    ///
    /// # Errors
    /// If a file could not be written.
    pub(crate) fn both(
        &mut self,
        directory: &Path,
        name: &str,
        figure: &impl Figure,
    ) -> Result<(), Error> {
        let drawn =
            canvas::svg(figure).and_then(|svg| Ok([svg.into_bytes(), canvas::png(figure)?]));
        self.write(directory, name, ["svg", "png"], drawn)
    }

    fn write<const N: usize>(
        &mut self,
        directory: &Path,
        name: &str,
        endings: [&str; N],
        drawn: Drawing<[Vec<u8>; N]>,
    ) -> Result<(), Error> {
        let files = endings.map(|ending| format!("{name}.{ending}"));
        match drawn {
            Ok(contents) => {
                for (file, content) in files.iter().zip(contents) {
                    files::write_bytes(&directory.join(file), &content)?;
                }
                self.files.extend(files);
            }
            Err(reason) => {
                // Earlier ones there are of something else.
                for file in &files {
                    files::remove(&directory.join(file))?;
                }
                let path = directory.join(&files[0]);
                let warning = format!("cannot draw {}: {reason}", path.display());
                self.warnings.push(warning);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    impl Words<'_> {
        pub(super) const ANY: Words<'static> = Words {
            title: "t",
            subtitle: "s",
            x: "x",
            y: "y",
        };
    }

    fn figure(lines: Vec<Line>, logarithmic: bool) -> Lines<'static> {
        Lines {
            words: Words::ANY,
            lines,
            marks: Vec::new(),
            logarithmic,
        }
    }

    fn lines(values: &[f64], logarithmic: bool) -> Drawing<String> {
        let points = values.iter().enumerate();
        let line = Line {
            label: "<a> & \"b\"".to_owned(),
            colour: 0,
            points: points.map(|(i, y)| Point::at(i as f64, *y)).collect(),
        };
        canvas::svg(&figure(vec![line], logarithmic))
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
        let empty = figure(Vec::new(), false);
        let mut drawn = Drawn::default();
        drawn.both(folder.path(), "density", &empty).unwrap();
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
        let figure = figure(vec![line], false);
        assert!(drawn.both(&gone, "density", &figure).is_err());
    }
}

//! The values of a landscape, as they are kept in files.

use std::path::{Path as FilePath, PathBuf};

use serde::{Deserialize, Serialize};

use super::drawn::{Axis, Mark, Path, XsamPlaneReport};
use super::view::View;
use super::{Along, Landscape, LandscapeSpec};
use crate::checkpoint;
use crate::csv_file::Csv;
use crate::error::Error;
use crate::files::{self, Existing};
use crate::json;
use crate::numbers::exact;
use crate::subject::{Scene, mode_name};
use crate::task::Task;

/// All that decides the values of a landscape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    along: String,
    dimensions: usize,
    points: Option<usize>,
    radius: Option<f64>,
    rho: Option<f64>,
    rho_max: Option<f64>,
    ascent_steps: Option<usize>,
    samples: usize,
    batch: usize,
    training: bool,
    precision: String,
    seed: u64,
    /// The name of the checkpoint, and a checksum of its weights. Where it is may change.
    checkpoint: String,
    crc32: String,
    /// A hash of the data.
    #[serde(default)]
    data: String,
}

/// A landscape: the content of its JSON file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LandscapeReport {
    /// Its name, which its files have.
    pub name: String,
    /// The settings that decide every value here.
    pub settings: Settings,
    /// The loss at the weights.
    pub loss: f64,
    /// Items that losses are a mean over.
    pub items: usize,
    /// Its axes: one for a line, two for a plane.
    pub axes: Vec<Axis>,
    /// Whether the axes are distance and angle, about the weights.
    pub polar: bool,
    /// Points that a plot marks.
    pub marks: Vec<Mark>,
    /// Paths that a plot draws.
    pub paths: Vec<Path>,
    /// Of XSAM's plane, what XSAM does in it.
    pub plane: Option<XsamPlaneReport>,
    /// Seconds for the losses.
    pub seconds: f64,
    /// In what the data differ from those that the run was trained on, if they do and that was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_data: Option<String>,
    /// The losses; the first axis runs fastest. None where it is not known yet.
    losses: Vec<Option<f64>>,
}

impl LandscapeReport {
    /// The landscape in a file, with a loss for each of its points, known or not.
    pub(crate) fn read(path: &FilePath) -> Result<Self, Error> {
        let found = json::parse(&files::read(path)?);
        let found: Self = found.map_err(|error| Error::damaged(path, error))?;
        let damaged = |reason: &str| Err(Error::damaged(path, reason));
        if !(1..=2).contains(&found.axes.len()) {
            return damaged("it has neither one axis nor two");
        }
        let points = found.axes.iter().map(|axis| axis.values.len());
        match points.product::<usize>() == found.losses.len() {
            true => Ok(found),
            false => damaged("it has not a loss for each point"),
        }
    }

    /// The losses; the first axis runs fastest. NaN where one is not known yet.
    pub fn losses(&self) -> Vec<f64> {
        let value = |loss: &Option<f64>| loss.unwrap_or(f64::NAN);
        self.losses.iter().map(value).collect()
    }

    /// How many losses are known and not finite.
    pub fn not_finite(&self) -> usize {
        let odd = |loss: &&f64| !loss.is_finite();
        self.losses.iter().flatten().filter(odd).count()
    }

    /// The numbers of the points whose losses are not known.
    pub(super) fn missing(&self) -> Vec<usize> {
        let losses = self.losses.iter().enumerate();
        let missing = losses.filter(|(_, loss)| loss.is_none());
        missing.map(|(i, _)| i).collect()
    }

    pub(super) fn put(&mut self, point: usize, loss: f64) {
        self.losses[point] = Some(loss);
    }

    /// A line for each point: its coordinates, in a plane in polar coordinates also the straight ones, and the loss.
    fn csv(&self) -> String {
        let head: &[&str] = match (self.axes.len(), self.polar) {
            (1, _) => &["x", "loss"],
            (_, false) => &["x", "y", "loss"],
            (_, true) => &["distance", "angle", "x", "y", "loss"],
        };
        let mut table = Csv::with_head(head);
        let losses = self.losses();
        let mut losses = losses.iter();
        let mut row = |coordinates: &[f64]| {
            if let Some(loss) = losses.next() {
                table.row(coordinates.iter().chain([loss]).map(|value| exact(*value)));
            }
        };
        match self.axes.as_slice() {
            [x] => x.values.iter().for_each(|&x| row(&[x])),
            [x, y] => {
                for &y in &y.values {
                    for &x in &x.values {
                        match self.polar {
                            false => row(&[x, y]),
                            true => row(&[x, y, x * y.cos(), x * y.sin()]),
                        }
                    }
                }
            }
            _ => {}
        }
        table.text()
    }
}

impl Landscape {
    /// The landscape of this spec in `directory`, with the losses that are there.
    pub(super) fn open<T: Task>(
        directory: &FilePath,
        spec: &LandscapeSpec,
        scene: &Scene<'_, T>,
        warnings: Vec<String>,
    ) -> Result<Self, Error> {
        let fresh = LandscapeReport {
            name: spec.name(),
            settings: Settings::new(spec, scene)?,
            items: scene.counts.iter().sum(),
            changed_data: scene.data.differences.clone(),
            ..LandscapeReport::default()
        };
        let mut landscape = Self {
            directory: directory.to_owned(),
            files: vec![format!("{}.json", fresh.name)],
            complete: false,
            warnings,
            report: fresh,
        };
        let path = landscape.file("json");
        if spec.existing == Existing::Overwrite || !path.exists() {
            return Ok(landscape);
        }
        let found = LandscapeReport::read(&path)?;
        if found.settings != landscape.report.settings {
            return Err(Error::OtherLandscape { path });
        }
        landscape.complete = found.missing().is_empty();
        landscape.report = match landscape.complete {
            true => found,
            false => LandscapeReport {
                axes: found.axes,
                losses: found.losses,
                seconds: found.seconds,
                ..landscape.report
            },
        };
        Ok(landscape)
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.directory
            .join(format!("{}.{ending}", self.report.name))
    }

    /// Takes over the points. What is known stays known if they are the same.
    pub(super) fn begin(&mut self, view: View) -> Result<(), Error> {
        let report = &mut self.report;
        if report.axes != view.axes {
            report.losses = vec![None; view.points.len()];
            report.seconds = 0.0;
        }
        report.loss = view.loss;
        report.axes = view.axes;
        report.polar = view.polar;
        report.marks = view.marks;
        report.paths = view.paths;
        report.plane = view.plane;
        self.save()
    }

    pub(super) fn save(&self) -> Result<(), Error> {
        let path = self.file("json");
        let text = json::pretty(&self.report).map_err(|e| Error::damaged(&path, e))?;
        files::write(&path, &text)
    }

    /// Writes the table, if all losses are known.
    pub(super) fn finish(mut self) -> Result<Self, Error> {
        self.complete = self.report.missing().is_empty();
        if self.complete {
            files::write(&self.file("csv"), &self.report.csv())?;
            self.files.push(format!("{}.csv", self.report.name));
        }
        Ok(self)
    }
}

impl Settings {
    /// What the landscape is of, in words.
    pub fn title(&self) -> String {
        let shape = ["a line", "a plane"][usize::from(self.dimensions > 1)];
        match (&*self.along, self.along.strip_prefix("to ")) {
            (_, Some(path)) => format!("Loss on the way to {path}"),
            ("xsam", _) => "Loss in XSAM's plane".to_owned(),
            ("random", _) => format!("Loss in {shape} of random directions"),
            ("trajectory", _) => format!("Loss in {shape} of the trajectory"),
            (along, _) => format!("Loss in {shape} of {along}"),
        }
    }

    /// How the model computed.
    pub fn mode(&self) -> &'static str {
        mode_name(self.training)
    }

    fn new<T: Task>(spec: &LandscapeSpec, scene: &Scene<'_, T>) -> Result<Self, Error> {
        let sample = &spec.sample;
        let checkpoint = &scene.trained.checkpoint;
        let name = checkpoint.file_name().unwrap_or_default();
        Ok(Self {
            along: match &spec.along {
                Along::To(path) => format!("to {}", path.display()),
                along => along.name().to_owned(),
            },
            dimensions: spec.dimensions(),
            points: spec.points,
            radius: spec.radius,
            rho: spec.rho,
            rho_max: spec.rho_max,
            ascent_steps: spec.ascent_steps,
            samples: sample.samples,
            batch: sample.batch,
            training: sample.training,
            precision: scene.precision.to_string(),
            seed: sample.seed,
            checkpoint: name.to_string_lossy().into_owned(),
            crc32: checkpoint::checksum(checkpoint)?,
            data: scene.data.digest.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Of 64 axes with two points each the number of points is none at all, as 64 bits have it.
    #[test]
    fn a_landscape_has_a_loss_for_each_point_of_one_axis_or_two() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let read = |axes: usize, losses: usize| {
            let axis = Axis {
                name: "x".to_owned(),
                values: vec![0.0, 1.0],
            };
            let report = LandscapeReport {
                axes: vec![axis; axes],
                losses: vec![None; losses],
                ..LandscapeReport::default()
            };
            files::write(&path, &json::pretty(&report).unwrap()).unwrap();
            LandscapeReport::read(&path)
        };
        for (axes, losses) in [(1, 2), (2, 4)] {
            assert_eq!(read(axes, losses).unwrap().missing().len(), losses);
        }
        for (axes, losses) in [(0, 1), (1, 1), (2, 2), (3, 8), (64, 0)] {
            let error = read(axes, losses).unwrap_err().to_string();
            assert!(error.contains("a.json"), "{error}");
        }
    }
}

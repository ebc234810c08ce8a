//! The values of a landscape, as they are kept in files.

use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LandscapeReport {
    /// Its name, which its files have.
    pub name: String,
    /// What decides it.
    pub settings: Settings,
    /// The loss at the weights.
    pub loss: f64,
    /// Items that losses are a mean over.
    pub items: usize,
    /// Its axes: one for a line, two for a plane.
    pub axes: Vec<Axis>,
    /// Whether the axes are distance and angle, about the weights.
    pub polar: bool,
    /// What is marked.
    pub marks: Vec<Mark>,
    /// What is drawn.
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

/// A landscape in its file, complete or not.
pub(super) struct Stored {
    directory: PathBuf,
    settings: Settings,
    name: String,
    items: usize,
    changed_data: Option<String>,
    report: Option<LandscapeReport>,
}

impl Stored {
    /// The landscape of this spec in `directory`, with the losses that are there.
    pub(super) fn open<T: Task>(
        directory: &FilePath,
        spec: &LandscapeSpec,
        scene: &Scene<'_, T>,
    ) -> Result<Self, Error> {
        let settings = Settings::new(spec, scene)?;
        let name = spec.name();
        let mut stored = Self {
            directory: directory.to_owned(),
            settings,
            items: scene.counts.iter().sum(),
            changed_data: scene.data.differences.clone(),
            report: None,
            name,
        };
        let path = stored.file("json");
        if spec.existing == Existing::Overwrite || !path.exists() {
            return Ok(stored);
        }
        let text = files::read(&path)?;
        let report: LandscapeReport =
            json::parse(&text).map_err(|error| Error::damaged(&path, error))?;
        if report.settings != stored.settings {
            return Err(Error::OtherLandscape { path });
        }
        let points: usize = report.axes.iter().map(|axis| axis.values.len()).product();
        if report.losses.len() != points {
            return Err(Error::damaged(&path, "it has not a loss for each point"));
        }
        stored.report = Some(report);
        Ok(stored)
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.directory.join(format!("{}.{ending}", self.name))
    }

    /// Takes over the points, unless they are there already.
    pub(super) fn begin(&mut self, view: View) -> Result<(), Error> {
        let known = self.report.take().filter(|report| report.axes == view.axes);
        let (losses, seconds) = match known {
            Some(report) => (report.losses, report.seconds),
            None => (vec![None; view.points.len()], 0.0),
        };
        self.report = Some(LandscapeReport {
            name: self.name.clone(),
            settings: self.settings.clone(),
            loss: view.loss,
            items: self.items,
            axes: view.axes,
            polar: view.polar,
            marks: view.marks,
            paths: view.paths,
            plane: view.plane,
            seconds,
            changed_data: self.changed_data.clone(),
            losses,
        });
        self.save()
    }

    fn losses(&self) -> &[Option<f64>] {
        self.report.as_ref().map_or(&[], |report| &report.losses)
    }

    /// The numbers of the points whose losses are not known.
    pub(super) fn missing(&self) -> Vec<usize> {
        let losses = self.losses().iter().enumerate();
        losses
            .filter_map(|(i, loss)| loss.is_none().then_some(i))
            .collect()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.report.is_some() && self.losses().iter().all(Option::is_some)
    }

    /// Notes a loss.
    pub(super) fn put(&mut self, point: usize, loss: f64) {
        if let Some(place) = self.report.as_mut().and_then(|r| r.losses.get_mut(point)) {
            *place = Some(loss);
        }
    }

    pub(super) fn took(&mut self, time: Duration) {
        if let Some(report) = &mut self.report {
            report.seconds += time.as_secs_f64();
        }
    }

    pub(super) fn save(&self) -> Result<(), Error> {
        let path = self.file("json");
        let text = json::pretty(&self.report).map_err(|e| Error::damaged(&path, e))?;
        files::write(&path, &text)
    }

    /// Writes the table, if the landscape is complete.
    pub(super) fn finish(self, warnings: Vec<String>) -> Result<Landscape, Error> {
        let complete = self.is_complete();
        let mut files = vec![format!("{}.json", self.name)];
        let path = self.file("json");
        let Some(report) = self.report.clone() else {
            return Err(Error::damaged(&path, "it is empty"));
        };
        if complete {
            files::write(&self.file("csv"), &report.csv())?;
            files.push(format!("{}.csv", self.name));
        }
        Ok(Landscape {
            directory: self.directory,
            files,
            complete,
            warnings,
            report,
        })
    }
}

impl Settings {
    /// What the landscape is of, in words.
    pub fn title(&self) -> String {
        let shape = ["a line", "a plane"][usize::from(self.dimensions > 1)];
        match self.along.strip_prefix("to ") {
            Some(path) => format!("Loss on the way to {path}"),
            None if self.along == "xsam" => "Loss in XSAM's plane".to_owned(),
            None if self.along == "random" => format!("Loss in {shape} of random directions"),
            None if self.along == "trajectory" => format!("Loss in {shape} of the trajectory"),
            None => format!("Loss in {shape} of {}", self.along),
        }
    }

    /// How the model computed.
    pub fn mode(&self) -> &'static str {
        mode_name(self.training)
    }

    fn new<T: Task>(spec: &LandscapeSpec, scene: &Scene<'_, T>) -> Result<Self, Error> {
        let sample = &spec.sample;
        let checkpoint = &scene.trained.checkpoint;
        Ok(Self {
            along: match &spec.along {
                Along::Random => "random".to_owned(),
                Along::Eigenvectors => "eigenvectors".to_owned(),
                Along::Trajectory => "trajectory".to_owned(),
                Along::Xsam => "xsam".to_owned(),
                Along::To(path) => format!("to {}", path.display()),
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
            checkpoint: checkpoint
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            crc32: checkpoint::checksum(checkpoint)?,
            data: scene.data.digest.clone(),
        })
    }
}

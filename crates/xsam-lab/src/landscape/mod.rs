//! The loss around the weights of a trained model, along a line or in a plane.

mod drawn;
mod values;
mod view;

use std::ops::ControlFlow;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use xsam_flatness::scan;

pub use drawn::{Axis, Mark, Path, XsamPlaneReport};
pub use values::{LandscapeReport, Settings};

use crate::error::Error;
use crate::files::Existing;
use crate::layout;
use crate::method::check_ascent_steps;
use crate::output::Output;
use crate::spec::{DeviceName, SpecError};
use crate::stop::StopSignal;
use crate::subject::{Measure, Sample, Scene, Subject, measured};
use crate::task::Task;
use crate::tasks::Tasks;
use view::View;

/// Losses are written down at least so often.
const SAVE: Duration = Duration::from_secs(3);

/// What the loss is looked at along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Along {
    /// Random directions with the norms of the model's filters (Li et al. 2018).
    Random,
    /// The eigenvectors of the largest eigenvalues of the Hessian.
    Eigenvectors,
    /// The principal directions of the run's checkpoints.
    Trajectory,
    /// The way to another model of the same kind.
    To(PathBuf),
    /// XSAM's own plane, of the displacement and the gradient at the ascent point, in polar coordinates.
    Xsam,
}

impl Along {
    fn name(&self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Eigenvectors => "eigenvectors",
            Self::Trajectory => "trajectory",
            Self::To(_) => "to",
            Self::Xsam => "xsam",
        }
    }
}

/// The points at which the loss is taken, and over which samples.
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapeSpec {
    /// What the axes of the grid are.
    pub along: Along,
    /// 1 for a line, 2 for a plane. The way to another model is a line, and XSAM's plane a plane.
    pub dimensions: usize,
    /// Points along each axis; in XSAM's plane so many distances, in four times as many directions.
    pub points: Option<usize>,
    /// How far it reaches. Along random directions 1 is as far as the filters are long, otherwise it is a distance.
    pub radius: Option<f64>,
    /// Length of XSAM's ascent; the run's if not given, or the paper's 0.15.
    pub rho: Option<f64>,
    /// Distance of XSAM's arc; what was asked of the run if not given, or twice rho.
    pub rho_max: Option<f64>,
    /// Steps of XSAM's ascent; the run's if not given, or 1.
    pub ascent_steps: Option<usize>,
    /// The samples over which the loss is the mean.
    pub sample: Sample,
    /// What to do with a landscape that is there. One with the same settings that is not complete is gone on with in
    /// any case.
    pub existing: Existing,
}

impl Default for LandscapeSpec {
    /// The plane of two random directions.
    fn default() -> Self {
        Self {
            along: Along::Random,
            dimensions: 2,
            points: None,
            radius: None,
            rho: None,
            rho_max: None,
            ascent_steps: None,
            sample: Sample::default(),
            existing: Existing::Refuse,
        }
    }
}

impl LandscapeSpec {
    fn check(&self) -> Result<(), SpecError> {
        self.sample.check()?;
        let dimensions = self.dimensions;
        let ok = matches!(dimensions, 1 | 2);
        SpecError::unless(ok, "dimensions", dimensions, "1 or 2")?;
        let points = self.points.unwrap_or(3);
        let ok = (3..=501).contains(&points);
        SpecError::unless(ok, "points", points, "from 3 to 501")?;
        for (key, value) in [
            ("radius", self.radius),
            ("rho", self.rho),
            ("rho_max", self.rho_max),
        ] {
            let value = value.unwrap_or(1.0);
            let ok = value.is_finite() && value > 0.0;
            SpecError::unless(ok, key, value, "finite and above 0")?;
        }
        check_ascent_steps("ascent_steps", self.ascent_steps.unwrap_or(1))
    }

    /// Lines have one, whatever was asked for.
    fn dimensions(&self) -> usize {
        match self.along {
            Along::To(_) => 1,
            Along::Xsam => 2,
            _ => self.dimensions,
        }
    }

    /// What the files of the landscape are called.
    fn name(&self) -> String {
        match &self.along {
            Along::Xsam => self.along.name().to_owned(),
            Along::To(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                format!("to-{name}")
            }
            along => {
                let shape = ["line", "plane"][self.dimensions() - 1];
                format!("{}-{shape}", along.name())
            }
        }
    }
}

/// What is told while a landscape is taken.
#[derive(Clone, Copy, Debug)]
pub enum LandscapeEvent<'a> {
    /// A stage of this name begins.
    Stage(&'a str),
    /// So many of the points are done.
    Points {
        /// Those that are done.
        done: usize,
        /// How many points there are.
        of: usize,
    },
    /// Something that a person should know, in a sentence. It is in the [`Landscape`], too.
    Warning(&'a str),
}

/// A landscape, and where it is.
#[derive(Clone, Debug, Serialize)]
pub struct Landscape {
    /// The directory of its files.
    pub directory: PathBuf,
    /// The files, without the directory.
    pub files: Vec<String>,
    /// Whether all points are done.
    pub complete: bool,
    /// What a person should know of it, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The losses, and the settings they are for.
    #[serde(flatten)]
    pub report: LandscapeReport,
}

/// Takes the loss around the weights of a trained model, on some of its training data without augmentation: values as
/// JSON and CSV, in the folder `landscape` of the run's directory.
///
/// Points are worked on in parallel, and written down as they are found: if `stop` asks for an end, or the process
/// is ended, the same call goes on where it was.
///
/// # Errors
/// If the spec cannot be, the model or its data cannot be loaded, the data are not those of the run, there is a
/// landscape of that name with other settings, somebody else is taking it, or a direction cannot be had.
pub fn landscape<L: Tasks>(
    subject: &Subject<L::Spec>,
    spec: &LandscapeSpec,
    stop: &StopSignal,
    listener: &mut dyn FnMut(LandscapeEvent<'_>),
) -> Result<Landscape, Error> {
    spec.check()?;
    listener(LandscapeEvent::Stage("loading model and data"));
    // The run may be under way, and other landscapes of it, too.
    let output = Output::of_results(&subject.directory()?.join(layout::LANDSCAPES), &spec.name())?;
    let taking = Taking {
        spec,
        stop,
        listener,
        directory: output.directory(),
    };
    measured::<L, _>(subject, &spec.sample, taking)
}

struct Taking<'a> {
    spec: &'a LandscapeSpec,
    stop: &'a StopSignal,
    listener: &'a mut dyn FnMut(LandscapeEvent<'_>),
    directory: &'a FilePath,
}

impl Measure for Taking<'_> {
    type Output = Landscape;

    fn of<T: Task>(self, scene: &Scene<'_, T>) -> Result<Landscape, Error> {
        let Self {
            spec,
            stop,
            listener,
            directory,
        } = self;
        let warnings = scene.warnings();
        for warning in &warnings {
            listener(LandscapeEvent::Warning(warning));
        }
        let mut landscape = Landscape::open(directory, spec, scene, warnings)?;
        if landscape.complete {
            return landscape.finish();
        }

        let view = View::new(spec, scene, listener)?;
        let (points, directions) = (view.points.clone(), view.directions.clone());
        landscape.begin(view)?;
        let missing = landscape.report.missing();
        // Burn's random numbers are those of the whole process: what drops at random is not taken in parallel. Nor is
        // what a graphics card computes, which is parallel in itself.
        let is_parallel =
            !spec.sample.training && scene.trained.spec.train.device == DeviceName::Cpu;
        let workers = match is_parallel {
            true => rayon::current_num_threads().min(missing.len()).max(1),
            false => 1,
        };
        let mut surfaces = (0..workers)
            .map(|_| scene.surface())
            .collect::<Result<Vec<_>, _>>()?;
        let wanted: Vec<Vec<f64>> = missing.iter().map(|&i| points[i].clone()).collect();
        let of = points.len();
        let mut done = of - missing.len();
        let start = Instant::now();
        let (mut saved, mut failure) = (Instant::now(), None);
        listener(LandscapeEvent::Stage("losses"));
        scan(&mut surfaces, &directions, &wanted, |i, loss| {
            landscape.report.put(missing[i], loss);
            done += 1;
            listener(LandscapeEvent::Points { done, of });
            if saved.elapsed() >= SAVE {
                saved = Instant::now();
                failure = landscape.save().err();
            }
            match stop.is_set() || failure.is_some() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        landscape.report.seconds += start.elapsed().as_secs_f64();
        landscape.save()?;
        landscape.finish()
    }
}

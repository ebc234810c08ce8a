//! What a run of a method costs, from a short one.

use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use toml::Value;
use xsam_files::Owner;

use super::log::{CHECKPOINT_EVERY, Log};
use super::timing::Timing;
use crate::course::Course;
use crate::error::Error;
use crate::event::Event;
use crate::files::Existing;
use crate::memory::peak_mb;
use crate::output::Output;
use crate::passes::Parts;
use crate::ranks::Ranks;
use crate::setup::Setup;
use crate::shared::Shared;
use crate::spec::{Experiment, Spec, SpecError, TaskSpec, edited};
use crate::start::Start;
use crate::stop::StopSignal;
use crate::task::{Task, check};
use crate::tasks::{Tasks, Visitor};

/// Epochs of a run that is measured: more than it will ever come to.
const EPOCHS: usize = 1 << 20;

/// More would take no end.
pub const MOST_TIMED: usize = 1_000_000;

/// The fewest steps: one for each of the epochs that are measured.
const LEAST_STEPS: usize = 3;

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_nothing(passes: &f64) -> bool {
    *passes == 0.0
}

/// What the parts of a run cost on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Learned values of the model.
    pub parameters: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// Forward-backward passes of a step.
    pub gradient_passes: usize,
    /// How much less they are where one is over a share of the samples.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub spared_passes: f64,
    /// Forward passes of a search; 0 of a method that does not search.
    pub search_passes: usize,
    /// Seconds from the start to the first epoch: data, model, directory.
    pub setup_s: f64,
    /// From the start of an epoch to its first batch.
    pub epoch_start: Timing,
    /// A step of average size, with its wait for its batch and without a search. Of a method that ascends now and
    /// then, one that does.
    pub step: Timing,
    /// One that does not, of such a method.
    pub plain_step: Option<Timing>,
    /// A search, of a method that searches.
    pub search: Option<Timing>,
    /// Scoring the validation and test data, extrapolated from a sample; what is done now and then besides left aside.
    pub evaluation: Timing,
    /// What an evaluation does now and then besides, such as translating, extrapolated from a sample.
    pub further: Option<Timing>,
    /// Measuring the sharpness, of a run that does so, extrapolated from a sample.
    pub sharpness: Option<Timing>,
    /// What else comes after an epoch: the files that are written.
    pub records: Timing,
    /// The same with a checkpoint.
    pub checkpoint: Timing,
    /// Most memory that the process has held, in 10^6 bytes; nothing where the system does not tell.
    pub peak_mb: Option<f64>,
    /// Number of threads that computed.
    pub threads: usize,
    /// The kernels that computed, with the instruction set that they found, as in `fast (avx2)`, or the device, as in
    /// `composed (cuda)`.
    pub kernels: String,
}

/// Measures a run of `spec` in this process: makes a run of the same model, data, batches and method in `directory`,
/// which is of no use afterwards, with epochs of a few steps, evaluations of samples, and checkpoints. Its first
/// epoch is not measured. `steps` is the number of steps that are; if it is not given, there are as many as 5 seconds
/// of the run give, and at least 12.
///
/// The peak of memory is that of the process so far: for one that is the run's, give it a process of its own, as
/// [`plan`](super::plan()) does.
///
/// # Errors
/// If the spec cannot be, this build or this machine does not have its device, `steps` is less than 3, data or model
/// cannot be made, `directory` is not empty, a step fails, or a file cannot be written.
pub fn measure<L: Tasks>(
    spec: &Spec<L::Spec>,
    steps: Option<usize>,
    directory: &Path,
) -> Result<Measurement, Error> {
    let found = measure_on::<L>(
        &Ranks::default(),
        spec,
        steps,
        directory,
        &StopSignal::default(),
    );
    // Nobody asks it to stop.
    found?.ok_or_else(|| nothing_measured(spec.method.name()))
}

/// The same of a run that is shared out over `ranks`, all of which call it; nothing if `stop` asks one of them for an end.
pub(super) fn measure_on<L: Tasks>(
    ranks: &Ranks,
    spec: &Spec<L::Spec>,
    steps: Option<usize>,
    directory: &Path,
    stop: &StopSignal,
) -> Result<Option<Measurement>, Error> {
    let begun = Instant::now();
    check_steps(steps)?;
    let spec = spec.clone().resolved()?;
    ranks.check(&spec.train)?;
    let measuring = Measuring {
        log: Log::new(steps, Parts::of(&spec, ranks), ranks.clone(), begun),
        spec: &spec,
        directory,
        ranks,
        asked: stop,
    };
    L::visit(&spec.task, measuring)
}

fn nothing_measured(label: &str) -> Error {
    Error::Measuring {
        label: label.to_owned(),
        reason: "the run ended before anything was measured".to_owned(),
        usage: false,
    }
}

struct Measuring<'a, S> {
    log: Log,
    spec: &'a Spec<S>,
    directory: &'a Path,
    ranks: &'a Ranks,
    asked: &'a StopSignal,
}

impl<S: TaskSpec> Visitor<S> for Measuring<'_, S> {
    type Output = Option<Measurement>;

    fn visit<T: Task<Spec = S> + 'static>(self) -> Result<Option<Measurement>, Error> {
        let Self {
            log,
            spec,
            directory,
            ranks,
            asked,
        } = self;
        check::<T>(spec)?;
        let place = ranks.place(spec.train.device, spec.train.precision)?;
        let task = T::new(&Setup::new(spec, &place, &Shared::default()))?;
        let steps_per_epoch = task.steps();
        // From a batch's size to that of an average one.
        let average = task.epoch_size()? as f64 / steps_per_epoch as f64;
        let (log, stop) = (RefCell::new(log), StopSignal::default());
        let mut listener = |event: Event<'_>| {
            match event {
                Event::Step { report, .. } => log.borrow_mut().end_step(report),
                Event::Epoch(_) if log.borrow().is_enough() => stop.stop(),
                _ => {}
            }
            if asked.is_set() {
                stop.stop();
            }
        };
        let experiment = Experiment::new(measured(spec)?)?;
        let owner = Owner::this_process();
        // Whoever has ordered it has the directory above.
        let output = match ranks.is_first() {
            true => Output::of_run(directory, Existing::Refuse, &owner, true)?,
            false => Output::of_another_rank(directory, Existing::Refuse),
        };
        ranks.wait()?;
        let start = Start::find(output, &experiment.spec)?;
        let course = Course::new(experiment, task, place, start, ranks.clone())?;
        let summary = course.watched(&log, &stop, &mut listener)?;
        if ranks.any(asked.is_set())? {
            return Ok(None);
        }

        let log = log.into_inner();
        let samples = &log.samples;
        let timing = |seconds: &[f64]| Timing::of(seconds, 1.0);
        let needed =
            |timing: Option<Timing>| timing.ok_or_else(|| nothing_measured(&summary.method));
        Ok(Some(Measurement {
            parameters: summary.parameters,
            steps_per_epoch,
            gradient_passes: log.gradient_passes,
            spared_passes: log.spared,
            search_passes: log.search_passes,
            setup_s: log.setup_s,
            epoch_start: needed(timing(&samples.epoch_start))?,
            step: needed(Timing::of(&samples.step, average))?,
            plain_step: Timing::of(&samples.plain_step, average),
            search: timing(&samples.search),
            evaluation: needed(timing(&samples.evaluation))?,
            further: timing(&samples.further),
            sharpness: timing(&samples.sharpness),
            records: needed(timing(&samples.records))?,
            checkpoint: needed(timing(&samples.checkpoint))?,
            peak_mb: peak_mb(),
            threads: rayon::current_num_threads(),
            kernels: summary.kernels,
        }))
    }
}

pub(super) fn check_steps(steps: Option<usize>) -> Result<(), SpecError> {
    let steps = steps.unwrap_or(LEAST_STEPS);
    SpecError::within("steps", steps, LEAST_STEPS..=MOST_TIMED)
}

/// The spec with everything done in each of many short epochs that a run does at all.
fn measured<S: TaskSpec>(spec: &Spec<S>) -> Result<Spec<S>, SpecError> {
    let mut spec = spec.clone();
    spec.train.epochs = EPOCHS;
    spec.train.evaluate_every = 1;
    spec.train.measure_every = spec.train.measure_every.map(|_| 1);
    spec.train.checkpoint_every = CHECKPOINT_EVERY;
    spec.train.checkpoint_steps = None;
    spec.method = edited(&spec.method, |fields| {
        if fields.get("search").is_some_and(Value::is_table) {
            fields.insert("search".to_owned(), "every-epoch".into());
        }
        // Both kinds of steps are to be measured alike, and from the beginning.
        let shares = ["from", "until", "policy"].map(|field| fields.remove(field).is_some());
        if shares.contains(&true) || fields.get("every").and_then(Value::as_integer) > Some(2) {
            fields.insert("every".to_owned(), 2.into());
        }
    })?;
    Ok(spec)
}

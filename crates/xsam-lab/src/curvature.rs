//! How sharp the training loss is around the weights, measured while a run goes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use burn::module::{ParamGroup, ParamId};
use burn::tensor::Tensor;
use xsam::StepError;
use xsam::method::{Evaluation, Number, Objective, ParamVector};
use xsam_flatness::{
    DifferenceStep, Eigenpair, FlatnessError, Hessian, Lanczos, LossSurface, Mode, Sharpness,
    Surface,
};

use crate::metrics::Metrics;
use crate::spec::{Spec, TaskSpec};
use crate::stop::StopSignal;
use crate::subject::Sample;
use crate::task::{SampleSizes, Task};
use crate::task_error::TaskError;

/// Iterations of the Lanczos algorithm, always as many: a measurement then takes as long late in a run as early, which a
/// plan can tell. The largest eigenvalue of a network stands apart from the others; how well it is known, its residual
/// says.
const ITERATIONS: usize = 15;

/// What is measured after an epoch, of the same sample of the training data each time.
#[derive(Debug)]
pub(crate) struct Probe {
    rho: f64,
    sizes: SampleSizes,
    seed: u64,
}

/// What was found. A value that is not finite is NaN.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    lambda_max: Option<f64>,
    residual: Option<f64>,
    highest_rise: Option<f64>,
    /// Why something is missing.
    pub(crate) warning: Option<String>,
}

impl Probe {
    /// The one that is due after so many epochs of a resolved spec.
    pub(crate) fn due<S: TaskSpec>(spec: &Spec<S>, epochs: usize) -> Option<Self> {
        let train = &spec.train;
        if !train.is_due(train.measure_every?, epochs) {
            return None;
        }
        let sample = Sample::default();
        // No more than a step has room for.
        let in_a_step = train.batch_size.unwrap_or(sample.batch);
        let in_a_pass = in_a_step.div_ceil(train.micro_batches);
        Some(Self {
            rho: train.measure_rho?,
            sizes: SampleSizes {
                all: sample.samples,
                batch: sample.batch.min(in_a_pass),
            },
            seed: train.seed,
        })
    }

    /// Measures; nothing if `stop` asks for an end before that is done. The model is left as it is, and no random numbers
    /// are drawn from the device.
    ///
    /// # Errors
    /// If the sample cannot be made.
    pub(crate) fn read<T: Task>(
        &self,
        task: &T,
        model: &T::Model,
        stop: &StopSignal,
    ) -> Result<Option<Reading>, TaskError> {
        let sample = task.sample(self.sizes, self.seed)?;
        let mut reading = Reading::default();
        match attended(task, model, &sample, stop) {
            Ok(mut surface) => self.over(&mut surface, &mut reading),
            Err(error) => {
                reading.missing(&error);
            }
        }
        Ok((!stop.is_set()).then_some(reading))
    }

    /// How many seconds that takes, from the first batch of the sample: passes are in proportion to their items, and all
    /// else is the same for any number of batches.
    ///
    /// # Errors
    /// If the sample cannot be made.
    pub(crate) fn seconds<T: Task>(&self, task: &T, model: &T::Model) -> Result<f64, TaskError> {
        let (begun, stop) = (Instant::now(), StopSignal::default());
        let sample = task.sample(self.sizes, self.seed)?;
        let Ok(mut surface) = attended(task, model, &sample, &stop) else {
            return Ok(begun.elapsed().as_secs_f64());
        };
        surface.surface.select(Some(0));
        self.over(&mut surface, &mut Reading::default());
        let items: usize = sample.iter().map(|(_, items)| items).sum();
        let others = items as f64 / sample[0].1 as f64 - 1.0;
        let of_others = others * surface.passes.as_secs_f64();
        let seconds = begun.elapsed().as_secs_f64() + of_others;
        if let Ok(here) = surface.evaluate() {
            // Takes the memory that all batches take. What comes of it is of no interest.
            surface.surface.select(None);
            let _ = surface.gradient_difference(&here.gradient, f64::EPSILON);
        }
        Ok(seconds)
    }

    fn over(&self, surface: &mut dyn Surface, reading: &mut Reading) {
        let sharpness = Sharpness {
            rho: self.rho,
            // The average is not asked for.
            directions: 1,
            seed: self.seed,
            ..Sharpness::default()
        };
        reading.highest_rise = match sharpness.measure(surface) {
            Ok(found) => Some(found.worst),
            Err(error) => reading.missing(&error),
        };
        (reading.lambda_max, reading.residual) = match self.largest(surface) {
            Ok(Some(pair)) => (Some(pair.value), Some(pair.residual)),
            Ok(None) => (None, None),
            Err(error) => {
                let missing = reading.missing(&error);
                (missing, missing)
            }
        };
    }

    /// The largest eigenvalue of the Hessian.
    fn largest(&self, surface: &mut dyn Surface) -> Result<Option<Eigenpair>, FlatnessError> {
        let mut hessian = Hessian::new(surface, None, DifferenceStep::Auto)?;
        let lanczos = Lanczos {
            max_iterations: ITERATIONS,
            // Never before.
            tolerance: f64::MIN_POSITIVE,
            ..of_largest(1, self.seed)
        };
        Ok(lanczos.run(&mut hessian)?.pairs.into_iter().next())
    }
}

/// The Lanczos algorithm for so many of the largest eigenvalues.
pub(crate) fn of_largest(largest: usize, seed: u64) -> Lanczos {
    Lanczos {
        largest,
        smallest: 0,
        seed,
        ..Lanczos::default()
    }
}

impl Reading {
    /// Sets the columns of an epoch.
    pub(crate) fn set(&self, row: &mut Metrics) {
        row.set("lambda_max", self.lambda_max);
        row.set("lambda_max_residual", self.residual);
        row.set("highest_rise", self.highest_rise);
    }

    /// What there is in place of a value. A run does not end for want of one.
    fn missing(&mut self, error: &FlatnessError) -> Option<f64> {
        match error {
            FlatnessError::NotFinite { .. } | FlatnessError::ProductNotFinite => Some(f64::NAN),
            error => {
                let warning = format!("the sharpness cannot be measured: {error}");
                self.warning.get_or_insert(warning);
                None
            }
        }
    }
}

/// A surface of which somebody takes the time, and that may be asked to stop.
struct Attended<'a, S> {
    surface: S,
    stop: &'a StopSignal,
    /// What passes took so far.
    passes: Duration,
}

/// The loss of a sample around the weights.
#[allow(clippy::type_complexity, reason = "a closure's type has no name")]
fn attended<'a, T: Task>(
    task: &'a T,
    model: &T::Model,
    sample: &'a [(T::Batch, usize)],
    stop: &'a StopSignal,
) -> Result<
    Attended<'a, LossSurface<T::Model, impl FnMut(&T::Model, usize) -> Tensor<1>>>,
    FlatnessError,
> {
    let counts: Vec<usize> = sample.iter().map(|(_, items)| *items).collect();
    let loss = |model: &T::Model, i: usize| task.loss(model, &sample[i].0, None).0;
    Ok(Attended {
        surface: LossSurface::new(model, Mode::Evaluation, &counts, loss)?,
        stop,
        passes: Duration::ZERO,
    })
}

impl<S> Attended<'_, S> {
    /// Makes passes, unless there are to be no more: that is an error which nobody is told.
    fn pass<R, E: From<StepError>>(
        &mut self,
        passes: impl FnOnce(&mut S) -> Result<R, E>,
    ) -> Result<R, E> {
        if self.stop.is_set() {
            return Err(StepError::Device("it was asked to stop".to_owned()).into());
        }
        let begun = Instant::now();
        let found = passes(&mut self.surface);
        self.passes += begun.elapsed();
        found
    }
}

impl<S: Surface> Objective for Attended<'_, S> {
    fn advance(&mut self, length: Number, direction: &ParamVector) {
        self.surface.advance(length, direction);
    }

    fn evaluate(&mut self) -> Result<Evaluation, StepError> {
        self.pass(S::evaluate)
    }

    fn reset(&mut self) {
        self.surface.reset();
    }

    fn losses(&mut self, offsets: &[Vec<(Number, &ParamVector)>]) -> Result<Vec<f64>, StepError> {
        self.pass(|surface| surface.losses(offsets))
    }

    fn weights(&self, like: &ParamVector) -> ParamVector {
        self.surface.weights(like)
    }

    fn biases(&self) -> HashSet<ParamId> {
        self.surface.biases()
    }

    fn members(&self, group: &ParamGroup) -> HashSet<ParamId> {
        self.surface.members(group)
    }
}

impl<S: Surface> Surface for Attended<'_, S> {
    fn gradient_difference(
        &mut self,
        direction: &ParamVector,
        length: f64,
    ) -> Result<ParamVector, FlatnessError> {
        self.pass(|surface| surface.gradient_difference(direction, length))
    }
}

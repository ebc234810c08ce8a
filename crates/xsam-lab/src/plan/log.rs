//! Times the parts of a run. Its epochs are cut short and its evaluations are of samples; otherwise it does all that a run
//! does.

use std::cell::RefCell;
use std::iter;
use std::time::Instant;

use burn::tensor::Tensor;
use xsam::StepReport;

use crate::curvature::{Probe, Reading};
use crate::minibatches::Batches;
use crate::passes::{Parts, PassTimes};
use crate::ranks::Ranks;
use crate::score::{Measured, Scores};
use crate::stop::StopSignal;
use crate::task::{LossByLogits, LossBySamples, Task};
use crate::task_error::TaskError;
use crate::watch::Watch;

/// Epochs that are measured at least: after one of them a checkpoint is written, after another none.
const EPOCHS: usize = 3;

/// Steps before the first measured one: buffers are allocated, caches filled.
const WARM_UP: usize = 3;

/// Steps in a measured epoch, at least, and the time for all that is measured if it is not said how many steps are.
/// What varies from step to step is small against what varies in seconds: other programs, the clock.
const LEAST_STEPS: usize = 4;
const SECONDS: f64 = 5.0;

/// A checkpoint is written after every second epoch.
pub(super) const CHECKPOINT_EVERY: usize = 2;

/// Epochs after which further work or the sharpness is measured, each of which takes as long as some steps.
const COSTLY: usize = 4;

/// Seconds of the parts, named as in a [`Measurement`](super::Measurement); the first epoch is left out. Those of steps are
/// divided by the size of the batch.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) epoch_start: Vec<f64>,
    pub(super) step: Vec<f64>,
    pub(super) plain_step: Vec<f64>,
    pub(super) search: Vec<f64>,
    pub(super) evaluation: Vec<f64>,
    pub(super) further: Vec<f64>,
    pub(super) sharpness: Vec<f64>,
    pub(super) records: Vec<f64>,
    pub(super) checkpoint: Vec<f64>,
}

/// Times the parts of a run as they come to pass.
#[derive(Debug)]
pub(super) struct Log {
    /// Steps that are to be measured, if that is said.
    wanted: Option<usize>,
    /// Seconds from the start to the first epoch.
    pub(super) setup_s: f64,
    pub(super) samples: Samples,
    /// Forward-backward passes of a step.
    pub(super) gradient_passes: usize,
    /// How much less they are where one is over a share of the samples.
    pub(super) spared: f64,
    /// Forward passes of a search.
    pub(super) search_passes: usize,
    /// Epochs begun, the warm-up among them.
    epochs: usize,
    /// When the first measured epoch began, and when the one that goes on.
    warm_begun: Instant,
    epoch_begun: Instant,
    /// Steps in the epoch that goes on.
    steps: usize,
    /// Where the last part ended, and what of the part that goes on came before another one.
    mark: Instant,
    pending: f64,
    /// Seconds in which the sharpness was measured.
    probing: f64,
    /// The passes of the step that goes on.
    passes: PassTimes,
    /// How a batch is split.
    parts: Parts,
    size: usize,
    /// Those that make the run together.
    ranks: Ranks,
}

impl Log {
    /// Of a run that began at `begun`.
    pub(super) fn new(wanted: Option<usize>, parts: Parts, ranks: Ranks, begun: Instant) -> Self {
        Self {
            wanted,
            ranks,
            setup_s: 0.0,
            samples: Samples::default(),
            gradient_passes: 0,
            spared: 0.0,
            search_passes: 0,
            epochs: 0,
            warm_begun: begun,
            epoch_begun: begun,
            steps: 0,
            mark: begun,
            pending: 0.0,
            probing: 0.0,
            passes: PassTimes::default(),
            parts,
            size: 1,
        }
    }

    fn is_warm(&self) -> bool {
        self.epochs > 1
    }

    /// Seconds since the last part ended, which are its own no more.
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = now.duration_since(self.mark).as_secs_f64();
        self.mark = now;
        seconds
    }

    /// The same, but nothing in the first epoch.
    fn warm_lap(&mut self) -> Option<f64> {
        let seconds = self.lap();
        self.is_warm().then_some(seconds)
    }

    /// An epoch begins: what came after the one before it is over.
    fn begin_epoch(&mut self) {
        let seconds = self.pending + self.lap();
        match self.epochs {
            0 => self.setup_s = seconds,
            1 => self.warm_begun = self.mark,
            n if n.is_multiple_of(CHECKPOINT_EVERY) => self.samples.checkpoint.push(seconds),
            _ => self.samples.records.push(seconds),
        }
        self.epochs += 1;
        self.pending = 0.0;
        self.steps = 0;
        self.epoch_begun = self.mark;
    }

    /// A batch of this size is there.
    fn receive(&mut self, size: usize) {
        self.size = size.max(1);
        if self.steps == 0 {
            let seconds = self.warm_lap();
            self.samples.epoch_start.extend(seconds);
        }
    }

    /// A step is done, and this was measured in it.
    pub(super) fn end_step(&mut self, report: &StepReport) {
        let step_s = self.lap();
        self.steps += 1;
        let search = std::mem::take(&mut self.passes).of_search(report, self.parts);
        let ascends = report.passes.gradients >= self.gradient_passes;
        if ascends {
            self.gradient_passes = report.passes.gradients;
            self.spared = report.passes.spared;
        }
        if search.is_some() {
            self.search_passes = report.passes.losses;
        }
        if self.is_warm() {
            let step = step_s - search.unwrap_or_default();
            let samples = &mut self.samples;
            let like = match ascends {
                true => &mut samples.step,
                false => &mut samples.plain_step,
            };
            like.push(step / self.size as f64);
            self.samples.search.extend(search);
        }
    }

    /// Whether the epoch that goes on has had its steps; it has one at least, before which a run looks whether it
    /// is to stop.
    fn epoch_is_enough(&self) -> bool {
        if self.steps == 0 {
            return false;
        }
        if !self.is_warm() {
            return self.steps >= WARM_UP;
        }
        match self.wanted {
            Some(n) => {
                let epoch = (self.epochs - 1).min(EPOCHS);
                let samples = &self.samples;
                samples.step.len() + samples.plain_step.len() >= n * epoch / EPOCHS
            }
            None => {
                let taken = self.epoch_begun.elapsed().as_secs_f64();
                self.steps >= LEAST_STEPS && taken >= SECONDS / EPOCHS as f64
            }
        }
    }

    /// Whether all that is to be measured has been, once the epoch is over.
    pub(super) fn is_enough(&self) -> bool {
        let steps = self.samples.step.len();
        let is_enough = match self.wanted {
            Some(n) => steps >= n,
            None => {
                let taken = self.warm_begun.elapsed().as_secs_f64();
                steps >= LEAST_STEPS * EPOCHS && taken >= SECONDS
            }
        };
        self.epochs > EPOCHS && is_enough
    }
}

impl<T: Task> Watch<T> for RefCell<Log> {
    /// The first batches of the epoch.
    fn batches<'a>(
        &'a self,
        task: &'a T,
        epoch: usize,
        first: usize,
    ) -> Result<Batches<'a, T::Batch>, TaskError> {
        self.borrow_mut().begin_epoch();
        let mut batches = task.batches(epoch, first)?;
        Ok(Box::new(iter::from_fn(move || {
            // Together, since each has a clock of its own.
            let enough = self.borrow().epoch_is_enough();
            match self.borrow().ranks.any(enough) {
                Ok(false) => {}
                Ok(true) => return None,
                Err(error) => return Some(Err(error.into())),
            }
            let batch = batches.next()?;
            if let Ok(batch) = &batch {
                self.borrow_mut().receive(task.size(batch));
            }
            Some(batch)
        })))
    }

    fn loss(
        &self,
        task: &T,
        model: &T::Model,
        batch: &T::Batch,
        noise: u64,
    ) -> (Tensor<1>, T::Output) {
        let passes = &mut self.borrow_mut().passes;
        passes.of(|| task.loss(model, batch, Some(noise)))
    }

    fn logits(
        &self,
        (task, in_two): (&T, &LossByLogits<T>),
        model: &T::Model,
        batch: &T::Batch,
        noise: u64,
    ) -> Tensor<2> {
        let passes = &mut self.borrow_mut().passes;
        passes.of(|| (in_two.logits)(task, model, batch, Some(noise)))
    }

    fn losses(
        &self,
        (task, by_samples): (&T, &LossBySamples<T>),
        model: &T::Model,
        batch: &T::Batch,
        noise: u64,
    ) -> (Tensor<1>, T::Output) {
        let passes = &mut self.borrow_mut().passes;
        passes.of(|| (by_samples.losses)(task, model, batch, Some(noise)))
    }

    fn evaluate(
        &self,
        task: &T,
        model: &T::Model,
        _epochs: usize,
        _stop: &StopSignal,
    ) -> Result<Option<Scores>, TaskError> {
        let mut log = self.borrow_mut();
        log.pending = log.lap();
        let (_, share) = task.sampled_score(model)?;
        // Each rank has scored the sample, and in a run they share all of it out.
        let share = share * log.ranks.size() as f64;
        let seconds = log.warm_lap().map(|seconds| seconds / share);
        log.samples.evaluation.extend(seconds);
        if log.epochs <= COSTLY {
            let share = task.sampled_further(model)?;
            let size = log.ranks.size() as f64;
            let seconds = log.warm_lap().zip(share);
            let seconds = seconds.map(|(seconds, share)| seconds / (share * size));
            log.samples.further.extend(seconds);
        }
        // All alike, so that no epoch but the first is the best one, which has a checkpoint of its own.
        let values = T::scores().into_iter().filter(|score| !score.costly);
        let alike = Measured {
            loss: 0.0,
            values: values.map(|score| (score.name.into_owned(), 0.0)).collect(),
        };
        Ok(Some(Scores::new(alike.clone(), alike)))
    }

    /// Measures over a batch of the sample.
    fn sharpness(
        &self,
        task: &T,
        model: &T::Model,
        probe: &Probe,
        _stop: &StopSignal,
    ) -> Result<Option<Reading>, TaskError> {
        let mut log = self.borrow_mut();
        let seconds = log.lap();
        log.pending += seconds;
        if log.is_warm() && log.epochs <= COSTLY && log.probing < SECONDS {
            let seconds = probe.seconds(task, model)?;
            log.samples.sharpness.push(seconds);
            let probing = log.lap();
            log.probing += probing;
        }
        Ok(Some(Reading::default()))
    }
}

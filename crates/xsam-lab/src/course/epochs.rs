//! From epoch to epoch, and back where a run has diverged.

use std::time::Instant;

use burn::module::Module;
use xsam::StepError;

use super::initial;
use super::state::State;
use crate::checkpoint;
use crate::checkpoint::Position;
use crate::columns::{self, columns};
use crate::curvature::{Probe, Reading};
use crate::error::Error;
use crate::event::{Event, Listener};
use crate::files;
use crate::log::Logs;
use crate::metrics::Metrics;
use crate::schedule::learning_rate;
use crate::spec::{OnDivergence, TaskSpec};
use crate::stepping::{Parts, step};
use crate::stop::StopSignal;
use crate::summary::Status;
use crate::task::Task;
use crate::watch::Watch;

/// How often a run goes back to a checkpoint before it gives up: the learning rate is a thousandth by then.
const MOST_RESTORED: usize = 10;

/// What a divergence leaves of the learning rate.
const LR_AFTER_DIVERGENCE: f64 = 0.5;

/// A task, and whoever watches.
type Watched<'a, T> = (&'a T, &'a dyn Watch<T>);

/// How the work on an epoch ended.
enum Ended {
    Done,
    Stopped,
    Diverged(Error),
}

impl<S: TaskSpec> State<S> {
    pub(super) fn epochs<T: Task<Spec = S>>(
        &mut self,
        (task, watch): Watched<'_, T>,
        mut model: T::Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<Status, Error> {
        let unsaid = std::mem::take(&mut self.unsaid);
        if !unsaid.is_empty() {
            self.warn(unsaid, listener);
            self.write(Status::Running, None)?;
        }
        while self.position.rows.len() < self.spec.train.epochs {
            let ended;
            (model, ended) = self.epoch((task, watch), model, stop, listener)?;
            match ended {
                Ended::Done => {}
                Ended::Stopped => {
                    if self.saved != Some(self.position.reached()) {
                        let model = self.ranks.mean_statistics(model)?;
                        self.save(&model)?;
                    }
                    return Ok(Status::Interrupted);
                }
                Ended::Diverged(error) => model = self.restore(task, model, error, listener)?,
            }
        }
        Ok(Status::Finished)
    }

    /// The rest of an epoch, and the model after it.
    fn epoch<T: Task<Spec = S>>(
        &mut self,
        (task, watch): Watched<'_, T>,
        mut model: T::Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<(T::Model, Ended), Error> {
        let (epoch, first) = (self.position.rows.len(), self.position.step);
        if first == 0 {
            self.optim.start_epoch();
        }
        let mut before = self.batch_before(task, epoch, first)?;
        let mut batches = watch.batches(task, epoch, first)?;
        for i in first.. {
            let start = Instant::now();
            let Some(batch) = batches.next() else {
                break;
            };
            let (batch, waited) = (batch?, start.elapsed());
            if stop.is_set_on_any()? {
                return Ok((model, Ended::Stopped));
            }
            let lr = learning_rate(&self.spec, epoch * self.steps + i, self.steps);
            let lr = lr * self.position.lr_factor;
            let seed = step_seed(self.spec.train.seed, epoch, i);
            self.place.device.seed(seed);
            let made = step(
                (task, watch),
                &mut self.optim,
                &self.spec,
                lr,
                model,
                (batch, &mut before, seed),
                &self.ranks,
            )?;
            let step = match made {
                Ok(step) => step,
                Err(failure) => {
                    let (model, source) = failure.into_parts();
                    let diverged = matches!(
                        source,
                        StepError::NonFiniteLoss { .. } | StepError::NonFiniteGradient { .. }
                    );
                    let error = self.failure(epoch + 1, i + 1, source);
                    return match diverged {
                        true => Ok((model, Ended::Diverged(error))),
                        false => Err(error),
                    };
                }
            };
            model = step.model;
            let took = start.elapsed();
            let measured = columns::Step {
                report: &step.report,
                lr,
                seconds: took.as_secs_f64(),
                waited: waited.as_secs_f64(),
            };
            self.position.sums.add(&measured, &step.tally)?;
            self.stepping += took;
            self.last = Some([step.report.loss, step.report.grad_norm, lr]);
            self.position.step = i + 1;

            let start = Instant::now();
            self.log(epoch, i, &measured)?;
            listener(Event::Step {
                epoch: epoch + 1,
                step: i + 1,
                totals: step.tally.known(),
                report: &step.report,
            });
            let due = self.spec.train.checkpoint_steps;
            if due.is_some_and(|steps| (i + 1).is_multiple_of(steps)) && i + 1 < self.steps {
                model = self.ranks.mean_statistics(model)?;
                self.save(&model)?;
            }
            self.bookkeeping += start.elapsed();
        }
        drop(batches);
        model = self.ranks.mean_statistics(model)?;
        let ended = self.close_epoch((task, watch), &model, stop, listener)?;
        Ok((model, ended))
    }

    /// The batch of the step before this one, for a method that ascends on it.
    fn batch_before<T: Task<Spec = S>>(
        &self,
        task: &T,
        epoch: usize,
        step: usize,
    ) -> Result<Option<Parts<T::Batch>>, Error> {
        let number = (epoch * self.steps + step).checked_sub(1);
        let keeps = self.optim.ascends_on_the_batch_before();
        let Some(number) = number.filter(|_| keeps) else {
            return Ok(None);
        };
        let batch = task.batch(number / self.steps, number % self.steps)?;
        Parts::of(task, batch, &self.spec.train, keeps, &self.ranks).map(Some)
    }

    /// Evaluates the model after an epoch, measures its sharpness if that is due, and writes down what it is like. If `stop`
    /// asks for an end meanwhile, the epoch is left with all of its steps done and not closed: whoever goes on does it again.
    fn close_epoch<T: Task<Spec = S>>(
        &mut self,
        (task, watch): Watched<'_, T>,
        model: &T::Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<Ended, Error> {
        let epoch = self.position.rows.len() + 1;
        let train = &self.spec.train;
        let mut scores = None;
        if train.is_due(train.evaluate_every, epoch) {
            let found = watch.evaluate(task, &model.valid(), epoch, stop)?;
            let Some(found) = self.of_all_ranks(found)? else {
                return Ok(Ended::Stopped);
            };
            let scores = scores.insert(found);
            for (name, text) in scores.files.iter().filter(|_| self.ranks.is_first()) {
                files::write(&self.directory().join(name), text)?;
            }
            self.warn(std::mem::take(&mut scores.warnings), listener);
        }
        let mut sharpness = Reading::default();
        if let Some(probe) = Probe::due(&self.spec, epoch) {
            let found = watch.sharpness(task, model, &probe, stop)?;
            let Some(found) = self.of_all_ranks(found)? else {
                return Ok(Ended::Stopped);
            };
            sharpness = found;
            self.warn(sharpness.warning.take(), listener);
        }
        let start = Instant::now();
        let sums = std::mem::take(&mut self.position.sums);
        let columns = columns(&self.outcome.scores);
        let mut row = sums.metrics(epoch, &self.outcome.scores, scores.as_ref())?;
        sharpness.set(&mut row);
        let (steps, all) = (self.steps, epoch * self.steps);
        if let Some(logs) = &mut self.logs {
            logs.epoch(all, steps, &columns, &row)?;
        }
        listener(Event::Epoch(&row));
        self.position.rows.push(row);
        self.warn(Metrics::warning(&columns, &self.position.rows), listener);
        self.position.step = 0;
        let train = &self.spec.train;
        if train.is_due(train.checkpoint_every, epoch) || self.best() == Some(epoch) {
            self.save(model)?;
        }
        self.write(Status::Running, None)?;
        self.bookkeeping += start.elapsed();
        Ok(Ended::Done)
    }

    /// What all ranks have found; nothing if one of them has not, which was asked to stop.
    fn of_all_ranks<F>(&self, found: Option<F>) -> Result<Option<F>, Error> {
        let stopped = self.ranks.any(found.is_none())?;
        Ok(found.filter(|_| !stopped))
    }

    /// Goes back to the latest checkpoint, or to the start if there is none, and on with a smaller learning rate; or
    /// gives up.
    fn restore<T: Task<Spec = S>>(
        &mut self,
        task: &T,
        model: T::Model,
        error: Error,
        listener: &mut Listener<'_>,
    ) -> Result<T::Model, Error> {
        let Position {
            lr_factor,
            restored,
            ..
        } = self.position;
        let stops = self.spec.train.on_divergence == OnDivergence::Stop;
        if stops || restored >= MOST_RESTORED {
            return Err(error);
        }
        if let Some((place, path)) = checkpoint::latest(self.directory())?
            && place == self.position.reached()
        {
            // Not a step can be made from it: the weights in it are at fault, and not the learning rate alone.
            self.ranks.wait()?;
            if self.ranks.is_first() {
                checkpoint::discard(&path)?;
            }
        }
        self.ranks.wait()?;
        let warnings = std::mem::take(&mut self.position.warnings);
        let model = match checkpoint::find(self.directory(), false)? {
            Some((path, position)) => {
                self.position = position;
                checkpoint::restore(&path, model, &mut self.optim)?
            }
            None => {
                self.position = Position::default();
                self.optim = self.ranks.optimizer(&self.spec, self.steps)?;
                initial(task, &self.spec, &self.place, Some(self.directory()))?.0
            }
        };
        self.position.data.clone_from(&self.outcome.data);
        self.saved = checkpoint::latest(self.directory())?.map(|(place, _)| place);
        if self.ranks.is_first() {
            self.logs = Some(Logs::open(self.directory(), &self.position.logs)?);
        }
        self.position.lr_factor = lr_factor * LR_AFTER_DIVERGENCE;
        self.position.restored = restored + 1;
        self.position.warnings = warnings;
        self.last = None;
        listener(Event::Restored {
            reason: &error.to_string(),
            epoch: self.position.rows.len(),
            step: self.position.step,
            lr_factor: self.position.lr_factor,
        });
        Ok(model)
    }
}

/// Dropout of a step depends on seed, epoch and step alone.
fn step_seed(seed: u64, epoch: usize, step: usize) -> u64 {
    let position = ((epoch as u64) << 32) + step as u64;
    // Neighbouring positions far apart: the multiplier is 2^64 / golden ratio.
    let spread = position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    seed.rotate_left(32) ^ spread
}

//! The course of a run: from epoch to epoch, from checkpoint to checkpoint.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::module::Module;
use xsam::{SharpnessAware, StepError, StepReport};
use xsam_data::Fingerprint;
use xsam_kernels::set_kernels;
use xsam_models::parameter_count;

use crate::back_end::describe;
use crate::checkpoint::{Place as At, Position};
use crate::device::Place;
use crate::error::{BeforeFailure, Error};
use crate::event::{Event, Listener, StopSignal};
use crate::files;
use crate::imported::imported;
use crate::log::Logs;
use crate::metrics::Metrics;
use crate::output::Output;
use crate::schedule::learning_rate;
use crate::spec::{OnDivergence, Spec};
use crate::start::Start;
use crate::stepping::step;
use crate::summary::{RunSummary, SPEC_FILE, Status, TrainingPairs, best};
use crate::task::{Batches, Task};
use crate::{checkpoint, method};

/// How often a run goes back to a checkpoint before it gives up: the learning rate is a thousandth by then.
const MOST_RESTORED: usize = 10;

/// What a divergence leaves of the learning rate.
const LR_AFTER_DIVERGENCE: f64 = 0.5;

/// A run of a task, with its model.
#[derive(Debug)]
pub(crate) struct Course<T: Task> {
    task: T,
    model: T::Model,
    state: State,
}

/// All of a run but its task and the model, which is handed from step to step: a second handle on it would keep the
/// old weights until the new ones are written, and the base optimizer from working in place.
#[derive(Debug)]
struct State {
    /// The spec as it was asked for, which is written down.
    asked: Spec,
    /// What it comes to.
    spec: Spec,
    output: Output,
    place: Place,
    data: Option<Fingerprint>,
    /// Steps in an epoch.
    steps: usize,
    parameters: usize,
    changed_labels: usize,
    pairs: Option<TrainingPairs>,
    /// Warnings from before the first step, which nobody has heard yet.
    unsaid: Vec<String>,
    optim: SharpnessAware,
    position: Position,
    logs: Logs,
    /// Where the latest checkpoint is.
    saved: Option<At>,
    /// Loss, norm of the gradient and learning rate of the last step.
    last: Option<[f64; 3]>,
    /// Time for all but the steps and evaluation.
    bookkeeping: Duration,
    /// Time for the steps.
    stepping: Duration,
}

/// How the work on an epoch ended.
enum Ended {
    Done,
    Stopped,
    Diverged(Error),
}

impl<T: Task> Course<T> {
    /// The run of a spec.
    pub(crate) fn new(asked: Spec, task: T, place: Place, start: Start) -> Result<Self, Error> {
        let Start {
            output,
            has_begun,
            found,
            data,
            warning,
            ..
        } = start;
        let spec = asked.clone().resolved()?;
        let mut optim = method::optimizer(&spec)?;
        let mut unsaid = Vec::new();
        let (model, found) = match found {
            Some((path, position)) => {
                if position.step > task.steps() {
                    let (step, steps) = (position.step, task.steps());
                    let reason = format!("it is after step {step} of an epoch of {steps}");
                    return Err(Error::damaged(&path, reason));
                }
                task.keep(output.directory(), true)?;
                let model = checkpoint::restore(&path, task.model()?, &mut optim)?;
                (model, Some(position))
            }
            None => {
                let run = has_begun.then(|| output.directory());
                let (model, warnings) = initial(&task, &spec, run)?;
                unsaid.extend(warnings);
                (model, None)
            }
        };
        unsaid.extend(task.warnings().into_iter().chain(warning));
        output.clear()?;
        let goes_on = found.is_some();
        let saved = found.as_ref().map(Position::place);
        let mut position = found.unwrap_or_default();
        position.data.clone_from(&data);
        let directory = output.directory().to_owned();
        let state = State {
            output,
            place,
            data,
            steps: task.steps(),
            parameters: parameter_count(&model),
            changed_labels: task.changed_labels(),
            pairs: task.pairs(),
            unsaid,
            optim,
            logs: Logs::open(&directory, &position.logs)?,
            position,
            saved,
            last: None,
            bookkeeping: Duration::ZERO,
            stepping: Duration::ZERO,
            asked,
            spec,
        };
        // The marker comes first: a directory with it can be resumed, however little else is there.
        state.write(Status::Running, None)?;
        if !goes_on {
            task.keep(&directory, false)?;
        }
        files::write(&directory.join(SPEC_FILE), &state.asked.to_toml()?)?;
        Ok(Self { task, model, state })
    }

    /// Trains until all epochs are done, `stop` asks for an end, or an error.
    pub(crate) fn train(
        self,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<RunSummary, Error> {
        let Self {
            task,
            model,
            mut state,
        } = self;
        set_kernels(state.spec.train.kernels);
        listener(Event::Started {
            directory: state.output.directory(),
            spec: &state.spec,
            done: state.position.rows.len(),
            step: state.position.step,
            steps: state.steps,
        });
        let status = match state.epochs(&task, model, stop, listener) {
            Ok(status) => status,
            Err(error) => {
                // The first error is the one to tell, whatever comes of writing it down.
                let _ = state.write(Status::Failed, Some(error.to_string()));
                return Err(error);
            }
        };
        let summary = state.write(status, None)?;
        listener(Event::Ended(&summary));
        Ok(summary)
    }
}

/// The model that a run begins with, and what a person should know of it; that in `begun`, if it begins anew.
fn initial<T: Task>(
    task: &T,
    spec: &Spec,
    begun: Option<&Path>,
) -> Result<(T::Model, Vec<String>), Error> {
    let model = task.model()?;
    let Some(file) = &spec.model.init else {
        return Ok((model, Vec::new()));
    };
    imported(model, file).map_err(|source| match begun {
        None => Error::from(source),
        Some(run) => Error::NoInit {
            path: run.to_owned(),
            file: file.clone(),
            source: Box::new(source),
        },
    })
}

impl State {
    fn directory(&self) -> &Path {
        self.output.directory()
    }

    fn epochs<T: Task>(
        &mut self,
        task: &T,
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
            (model, ended) = self.epoch(task, model, stop, listener)?;
            match ended {
                Ended::Done => {}
                Ended::Stopped => {
                    if self.saved != Some(self.position.place()) {
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
    fn epoch<T: Task>(
        &mut self,
        task: &T,
        mut model: T::Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<(T::Model, Ended), Error> {
        let (epoch, first) = (self.position.rows.len(), self.position.step);
        if first == 0 {
            self.optim.start_epoch();
        }
        let waited = self.position.sums.waited;
        let mut batches = task.batches(epoch, first)?;
        for i in first.. {
            let start = Instant::now();
            let Some(batch) = batches.next() else {
                break;
            };
            let batch = batch?;
            if stop.is_set() {
                return Ok((model, Ended::Stopped));
            }
            let lr = learning_rate(&self.spec, epoch * self.steps + i, self.steps);
            let lr = lr * self.position.lr_factor;
            let seed = step_seed(self.spec.train.seed, epoch, i);
            self.place.device.seed(seed);
            let made = step(task, &mut self.optim, &self.spec, lr, model, (batch, seed))?;
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
            let (items, right) = (step.hits.of, step.hits.right);
            let sums = &mut self.position.sums;
            sums.add(&step.report, step.hits);
            sums.lr = lr;
            let took = start.elapsed();
            sums.seconds += took.as_secs_f64();
            sums.waited = waited + batches.waited().as_secs_f64();
            self.stepping += took;
            self.last = Some([step.report.loss, step.report.grad_norm, lr]);
            self.position.step = i + 1;

            let start = Instant::now();
            self.log(epoch, i, lr, &step.report)?;
            listener(Event::Step {
                epoch: epoch + 1,
                step: i + 1,
                items,
                right,
                report: &step.report,
            });
            let due = self.spec.train.checkpoint_steps;
            if due.is_some_and(|steps| (i + 1).is_multiple_of(steps)) && i + 1 < self.steps {
                self.save(&model)?;
            }
            self.bookkeeping += start.elapsed();
        }
        drop(batches);
        let ended = self.close_epoch(task, &model, stop, listener)?;
        Ok((model, ended))
    }

    /// Hands up warnings, except those that were handed up before.
    fn warn(&mut self, warnings: impl IntoIterator<Item = String>, listener: &mut Listener<'_>) {
        for warning in warnings {
            if !self.position.warnings.contains(&warning) {
                listener(Event::Warning(&warning));
                self.position.warnings.push(warning);
            }
        }
    }

    fn log(&mut self, epoch: usize, i: usize, lr: f64, report: &StepReport) -> Result<(), Error> {
        if let Some(found) = &report.search {
            self.logs.search(epoch + 1, i + 1, found)?;
        }
        let number = epoch * self.steps + i + 1;
        match number.is_multiple_of(self.spec.train.log_every) {
            true => self.logs.step(number, lr, report),
            false => Ok(()),
        }
    }

    /// Evaluates the model after an epoch and writes down what it is like. If `stop` asks for an end meanwhile, the
    /// epoch is left with all of its steps done and not closed: whoever goes on evaluates it again.
    fn close_epoch<T: Task>(
        &mut self,
        task: &T,
        model: &T::Model,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<Ended, Error> {
        let epoch = self.position.rows.len() + 1;
        let train = &self.spec.train;
        let mut scores = None;
        if train.is_due(train.evaluate_every, epoch) {
            let Some(found) = task.scores(&model.valid(), epoch, stop)? else {
                return Ok(Ended::Stopped);
            };
            let scores = scores.insert(found);
            for (name, text) in &scores.files {
                files::write(&self.directory().join(name), text)?;
            }
            self.warn(std::mem::take(&mut scores.warnings), listener);
        }
        let start = Instant::now();
        let sums = std::mem::take(&mut self.position.sums);
        let row = sums.metrics(epoch, scores.as_ref());
        self.logs.epoch(epoch * self.steps, self.steps, &row)?;
        listener(Event::Epoch(&row));
        self.position.rows.push(row);
        self.warn(Metrics::warning(&self.position.rows), listener);
        self.position.step = 0;
        let is_best = best(&self.position.rows).is_some_and(|row| row.epoch == epoch);
        if is_best
            || self
                .spec
                .train
                .is_due(self.spec.train.checkpoint_every, epoch)
        {
            self.save(model)?;
        }
        self.write(Status::Running, None)?;
        self.bookkeeping += start.elapsed();
        Ok(Ended::Done)
    }

    fn save<M: Module>(&mut self, model: &M) -> Result<(), Error> {
        self.position.logs = self.logs.lengths();
        checkpoint::save(
            self.output.directory(),
            &self.asked,
            model,
            &self.optim,
            &self.position,
            &self.logs.files(),
        )?;
        self.saved = Some(self.position.place());
        Ok(())
    }

    /// The error of a step, with what was before it.
    fn failure(&self, epoch: usize, step: usize, source: StepError) -> Error {
        let latest = checkpoint::latest(self.directory()).ok().flatten();
        Error::Step {
            epoch,
            step,
            source,
            before: BeforeFailure {
                step: self.last,
                checkpoint: latest.map(|(_, path)| path),
            },
        }
    }

    /// Goes back to the latest checkpoint, or to the start if there is none, and on with a smaller learning rate; or
    /// gives up.
    fn restore<T: Task>(
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
            && place == self.position.place()
        {
            // Not a step can be made from it: the weights in it are at fault, and not the learning rate alone.
            checkpoint::discard(&path)?;
        }
        let warnings = std::mem::take(&mut self.position.warnings);
        let model = match checkpoint::find(self.directory(), false)? {
            Some((path, position)) => {
                self.position = position;
                checkpoint::restore(&path, model, &mut self.optim)?
            }
            None => {
                self.position = Position::default();
                self.optim = method::optimizer(&self.spec)?;
                initial(task, &self.spec, Some(self.directory()))?.0
            }
        };
        self.position.data.clone_from(&self.data);
        self.saved = checkpoint::latest(self.directory())?.map(|(place, _)| place);
        self.logs = Logs::open(self.directory(), &self.position.logs)?;
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

    fn write(&self, status: Status, error: Option<String>) -> Result<RunSummary, Error> {
        let rows = &self.position.rows;
        let share = self.bookkeeping.as_secs_f64() / self.stepping.as_secs_f64();
        let summary = RunSummary {
            status,
            error,
            warnings: self.position.warnings.clone(),
            method: self.optim.method().to_owned(),
            seed: self.spec.train.seed,
            parameters: self.parameters,
            changed_labels: self.changed_labels,
            kernels: describe(self.spec.train.device, self.spec.train.kernels),
            pairs: self.pairs,
            data: self.data.clone(),
            bookkeeping_share: share.is_finite().then_some(share),
            restored: self.position.restored,
            spec: Some(self.spec.clone()),
            ..RunSummary::default()
        };
        let summary = summary.with_rows(rows);
        files::write_again(&self.directory().join("metrics.csv"), &Metrics::csv(rows))?;
        summary.write(self.directory())?;
        Ok(summary)
    }
}

/// Dropout of a step depends on seed, epoch and step alone.
fn step_seed(seed: u64, epoch: usize, step: usize) -> u64 {
    let position = ((epoch as u64) << 32) + step as u64;
    // Neighbouring positions far apart: the multiplier is 2^64 / golden ratio.
    let spread = position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    seed.rotate_left(32) ^ spread
}

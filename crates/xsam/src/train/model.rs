//! The wrapper: a model whose optimization in Burn's loop is sharpness-aware.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams, SgdConfig};
use burn::tensor::Tensor;
use burn::train::train::WorkerFailure;
use burn::train::{InferenceStep, Interrupter, TrainOutput, TrainStep, TrainingError};

use super::HasLoss;
use super::pass::{Batch, Batches};
use crate::attempt::Ready;
use crate::error::{ConfigError, StepError};
use crate::method::{MethodConfig, MethodState};
use crate::random::Replay;
use crate::report::StepReport;
use crate::rho::RhoSchedule;
use crate::sharpness_aware::SharpnessAware;

/// A model that trains sharpness-aware under [`SupervisedTraining`](burn::train::SupervisedTraining); see the
/// [module](super).
///
/// It is the model with a method around its optimization: same parameters under the same names, same batches and
/// outputs, and its own [`TrainStep`] and [`InferenceStep`] in use. Batches are cloned, since they are run several
/// times; outputs must have the loss in them ([`HasLoss`]).
///
/// The state of the method is a value, as weights are: a clone has its own. Only the batches that the loop has run
/// since the last step of the optimizer are shared between clones, which is how the loop uses them.
pub struct SharpnessAwareModel<M: TrainStep> {
    pub(super) inner: M,
    /// The method, counters and settings. Its base optimizer is never used: that is the loop's.
    pub(super) optim: SharpnessAware,
    pub(super) shared: Arc<Shared<M::Input>>,
    interrupter: Interrupter,
    observer: Option<Arc<Observer>>,
}

/// Gets the report of every step.
type Observer = dyn Fn(&StepReport) + Send + Sync;

/// What clones of a model share.
pub(super) struct Shared<I> {
    /// The batches of which gradients were taken since the last step of the optimizer.
    batches: Mutex<Vec<Batch<I>>>,
    /// Whether an epoch is over.
    pub(super) validated: AtomicBool,
    /// Whether a step has failed.
    failed: AtomicBool,
}

impl<I> Shared<I> {
    pub(super) fn batches(&self) -> MutexGuard<'_, Vec<Batch<I>>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: TrainStep> SharpnessAwareModel<M> {
    /// The method of `config` around `model`, for the training whose
    /// [`interrupter`](burn::train::SupervisedTraining::interrupter) this is.
    ///
    /// A step that fails (a loss that is not finite, say: see [`StepError`]) cannot be returned to the loop. It leaves
    /// weights and optimizer as they are and stops the training by `interrupter`; the error is in
    /// [`LearningResult::error`](burn::train::LearningResult).
    ///
    /// # Errors
    /// If a hyper-parameter is out of range: names it, its value and the range. If the first pass of the method is not at the
    /// weights, where the loop makes it (Momentum-SAM, bSAM), or it has to be told the logits (Functional SAM)
    /// or the samples (ESAM).
    pub fn new(
        model: M,
        config: impl MethodConfig,
        interrupter: Interrupter,
    ) -> Result<Self, ConfigError> {
        let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
        ConfigError::unless(
            optim.method.begins_at_the_weights(),
            "method",
            optim.method(),
            "one whose first pass is at the weights, as Burn's loop makes it: take `SharpnessAware::step` in a loop of your own",
        )?;
        ConfigError::unless(
            !optim.needs_logits(),
            "method",
            optim.method(),
            "one that a loss is enough for: take `SharpnessAware::step_by_logits` in a loop of your own",
        )?;
        ConfigError::unless(
            !optim.needs_samples(),
            "method",
            optim.method(),
            "one that a mean loss is enough for: take `SharpnessAware::step_by_samples` in a loop of your own",
        )?;
        Ok(Self {
            inner: model,
            optim,
            shared: Arc::new(Shared {
                batches: Mutex::new(Vec::new()),
                validated: AtomicBool::new(false),
                failed: AtomicBool::new(false),
            }),
            interrupter,
            observer: None,
        })
    }

    /// Clips the gradient that the base optimizer gets: [`SharpnessAware::with_clip_norm`].
    ///
    /// # Errors
    /// If `max_norm` is not finite or not above 0.
    pub fn with_clip_norm(mut self, max_norm: f64) -> Result<Self, ConfigError> {
        self.optim = self.optim.with_clip_norm(max_norm)?;
        Ok(self)
    }

    /// Lets rho follow a schedule: [`SharpnessAware::with_rho_schedule`]. The learning rate is that of the loop's
    /// scheduler.
    ///
    /// # Errors
    /// If a value of the schedule is out of range.
    pub fn with_rho_schedule(mut self, schedule: RhoSchedule) -> Result<Self, ConfigError> {
        self.optim = self.optim.with_rho_schedule(schedule)?;
        Ok(self)
    }

    /// Tells how many steps the whole training has: [`SharpnessAware::with_length`].
    #[must_use]
    pub fn with_length(mut self, steps: u64) -> Self {
        self.optim = self.optim.with_length(steps);
        self
    }

    /// Lets `seed` decide the dropout masks: [`SharpnessAware::with_replay_dropout`].
    #[must_use]
    pub fn with_replay_dropout(mut self, seed: u64) -> Self {
        self.optim = self.optim.with_replay_dropout(seed);
        self
    }

    /// Gives every pass of a step fresh dropout masks: [`SharpnessAware::with_fresh_dropout`].
    #[must_use]
    pub fn with_fresh_dropout(mut self) -> Self {
        self.optim = self.optim.with_fresh_dropout();
        self
    }

    /// Hands the report of every step to `observe`, on the thread of the loop.
    #[must_use]
    pub fn with_observer(mut self, observe: impl Fn(&StepReport) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observe));
        self
    }

    /// The model, without the method.
    pub fn into_model(self) -> M {
        self.inner
    }

    /// The model that is trained.
    pub fn model(&self) -> &M {
        &self.inner
    }

    /// Name of the method.
    pub fn method(&self) -> &'static str {
        self.optim.method()
    }

    /// Number of steps of the optimizer made so far.
    pub fn steps(&self) -> u64 {
        self.optim.steps()
    }

    /// The state of the method: XSAM's alpha is its scalar `alpha`.
    pub fn method_state(&self) -> MethodState {
        self.optim.method.state()
    }

    pub(super) fn with(self, change: impl FnOnce(M) -> M) -> Self {
        Self {
            inner: change(self.inner),
            ..self
        }
    }

    /// Stops the training.
    ///
    /// # Panics
    /// If the training has gone on after an earlier failure: its interrupter is not the one that was handed over, and
    /// there is no other way to be heard.
    pub(super) fn fail(&self, error: &dyn fmt::Display) {
        assert!(
            !self.shared.failed.swap(true, Ordering::Relaxed),
            "{error}; an earlier step has failed, too, and the training has gone on: \
             hand `training.interrupter()` of the training that is launched to `SharpnessAwareModel::new`"
        );
        // Of the kinds of error that the loop knows this is the one of a failed step.
        self.interrupter
            .fail(TrainingError::Workers(vec![WorkerFailure {
                device_id: 0,
                message: error.to_string(),
            }]));
    }
}

impl<M> SharpnessAwareModel<M>
where
    M: Module + TrainStep,
    M::Input: Clone,
    M::Output: HasLoss,
{
    /// A step but for the base optimizer's part.
    fn attempt(
        &self,
        lr: &ModuleLearningRate,
        batches: Vec<Batch<M::Input>>,
        gradients: GradientsParams,
    ) -> Result<(Ready<M, ()>, StepReport), Failure> {
        if is_distributed(&self.inner) {
            return Err(Failure::Distributed);
        }
        let home = self.inner.devices();
        if batches.iter().any(|batch| !home.contains(&batch.device)) {
            return Err(Failure::Devices);
        }
        let at_the_end = self.optim.reads_at_the_end(&self.inner);
        let mut pass = Batches::new(batches, &self.inner, gradients, at_the_end);
        let prepared = self.optim.prepare(lr, &self.inner, |attempt, model| {
            attempt.whole(model, &mut pass)
        });
        Ok(prepared?)
    }
}

/// Why a step in the loop failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(
        "the batches of a step are on several devices: a step that runs them several times needs them where the \
         weights are. Train on one device, or make steps of your own with `SharpnessAware`"
    )]
    Devices,
    #[error(
        "distributed training: every worker would ascend and search by itself. Train on one device, or make steps of \
         your own with `SharpnessAware`"
    )]
    Distributed,
}

fn is_distributed<M: Module>(model: &M) -> bool {
    struct Any(bool);
    impl ModuleVisitor for Any {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= param.base().is_distributed();
        }
    }
    let mut any = Any(false);
    model.visit(&mut any);
    any.0
}

impl<M> TrainStep for SharpnessAwareModel<M>
where
    M: Module + TrainStep,
    M::Input: Clone,
    M::Output: HasLoss,
{
    type Input = M::Input;
    type Output = M::Output;

    /// The model's own step, which is the pass at the weights. What it gives is what metrics see.
    fn step(&self, item: M::Input) -> TrainOutput<M::Output> {
        let randomness = self.optim.randomness.begun(&self.inner);
        let randomness = randomness.unwrap_or_else(|error| {
            self.fail(&error);
            self.optim.randomness
        });
        let part = self.shared.batches().len();
        let replay = randomness.replay(&self.inner, self.optim.steps, part);
        Replay::rewind(replay.as_ref());
        let output = TrainStep::step(&self.inner, item.clone());
        if let Some(device) = self.inner.devices().into_iter().next() {
            self.shared.batches().push(Batch {
                item,
                loss: output.item.loss().inner(),
                device,
                randomness,
                replay,
            });
        }
        output
    }

    /// The other passes, and the model's own optimization with what the method makes of them.
    fn optimize(
        mut self,
        optim: &mut ModuleOptimizer,
        lr: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        let batches = std::mem::take(&mut *self.shared.batches());
        if self.shared.validated.swap(false, Ordering::Relaxed) {
            self.optim.start_epoch();
        }
        if let Some(first) = batches.first() {
            self.optim.randomness = first.randomness;
        }
        match self.attempt(&lr, batches, gradients) {
            Ok((ready, report)) => {
                self.optim.adopt(ready.changed);
                let step = |model: M, gradients| model.optimize(optim, lr.clone(), gradients);
                self.inner = ready.update.apply(&lr, ready.model, step);
                if let Some(observe) = &self.observer {
                    observe(&report);
                }
            }
            Err(error) => self.fail(&error),
        }
        self
    }

    fn optimize_multi(
        self,
        _optim: &mut ModuleOptimizer,
        _lr: ModuleLearningRate,
        _gradients: MultiGradientsParams,
    ) -> Self {
        self.shared.batches().clear();
        self.fail(&Failure::Devices);
        self
    }
}

impl<M: TrainStep + InferenceStep> InferenceStep for SharpnessAwareModel<M> {
    type Input = <M as InferenceStep>::Input;
    type Output = <M as InferenceStep>::Output;

    fn step(&self, item: Self::Input) -> Self::Output {
        InferenceStep::step(&self.inner, item)
    }
}

impl<M: TrainStep + Clone> Clone for SharpnessAwareModel<M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            optim: self.optim.clone(),
            shared: Arc::clone(&self.shared),
            interrupter: self.interrupter.clone(),
            observer: self.observer.clone(),
        }
    }
}

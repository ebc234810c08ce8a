//! The optimizer: a method around a Burn optimizer.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::{Module, ParamId};
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use crate::attempt::{Attempt, Ready};
use crate::check;
use crate::error::{ConfigError, StepError, StepFailure};
use crate::loss_scale::LossScale;
use crate::method::{Method, MethodConfig};
use crate::pass::{LossOutput, Parts, Whole};
use crate::random::Randomness;
use crate::record::base::parameters_of;
use crate::report::StepReport;
use crate::rho::RhoSchedule;

/// A completed step.
#[derive(Debug)]
pub struct Step<M, O = ()> {
    /// The model with its new weights.
    pub model: M,
    /// The closure's output of the first pass, the one at the weights that were handed in.
    pub output: O,
    /// What was measured.
    pub report: StepReport,
}

/// A sharpness-aware optimizer: a method, such as XSAM, around any Burn optimizer.
///
/// The method finds the gradient, the base optimizer applies it to the weights with its own
/// momentum, weight decay, parameter groups and clipping.
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use xsam::{SharpnessAware, XsamConfig};
///
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(2, 1).init(&device);
/// let inputs = Tensor::<2>::from_floats([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], &device);
/// let targets = Tensor::<2>::from_floats([[1.0], [2.0], [3.0]], &device);
///
/// let mut optim = SharpnessAware::new(SgdConfig::new().init(), XsamConfig::new())?;
/// for _epoch in 0..3 {
///     optim.start_epoch();
///     let step = optim.step(0.1, model, |m: &Linear| {
///         (m.forward(inputs.clone()) - targets.clone()).square().mean()
///     })?;
///     model = step.model;
///     println!("loss {:.3}, alpha {:?}", step.report.loss, step.report.alpha);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A clone has a state of its own: what either does later, the other does not see.
#[derive(Clone)]
pub struct SharpnessAware {
    pub(crate) base: ModuleOptimizer,
    pub(crate) method: Box<dyn Method>,
    pub(crate) steps: u64,
    pub(crate) edition: Edition,
    pub(crate) loss_scale: Option<LossScale>,
    pub(crate) rho_schedule: RhoSchedule,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) randomness: Randomness,
    /// The parameters of which there is state from elsewhere, until a step has shown that the model has them.
    pub(crate) loaded: Vec<ParamId>,
}

impl SharpnessAware {
    /// The method of `config` around the optimizer `base`.
    ///
    /// # Errors
    /// If a hyper-parameter is out of range: names it, its value and the range.
    pub fn new(base: ModuleOptimizer, config: impl MethodConfig) -> Result<Self, ConfigError> {
        Ok(Self::from_method(base, config.build()?))
    }

    /// A method that has been built already, around the optimizer `base`.
    pub fn from_method(base: ModuleOptimizer, method: Box<dyn Method>) -> Self {
        Self {
            loaded: parameters_of(&base),
            base,
            method,
            steps: 0,
            edition: Edition::new(),
            loss_scale: None,
            rho_schedule: RhoSchedule::Constant,
            clip_norm: None,
            randomness: Randomness::Drawn(None),
        }
    }

    /// Clips the gradient that the base optimizer gets to a norm of at most `max_norm`, over all
    /// parameters together.
    ///
    /// Burn's own clipping, which the base optimizer may have besides, is by tensor.
    ///
    /// # Errors
    /// If `max_norm` is not finite or not above 0.
    pub fn with_clip_norm(mut self, max_norm: f64) -> Result<Self, ConfigError> {
        check::positive("clip_norm", max_norm)?;
        self.clip_norm = Some(max_norm);
        Ok(self)
    }

    /// Lets rho follow a schedule.
    ///
    /// # Errors
    /// If a value of the schedule is out of range.
    pub fn with_rho_schedule(mut self, schedule: RhoSchedule) -> Result<Self, ConfigError> {
        schedule.check()?;
        self.rho_schedule = schedule;
        Ok(self)
    }

    /// Scales losses before their backward passes, and gradients back: for models with activations in half precision.
    ///
    /// The closure's loss should be in single precision: in half precision its scaled value is out of range.
    #[must_use]
    pub fn with_loss_scale(mut self, scale: LossScale) -> Self {
        self.loss_scale = Some(scale);
        self
    }

    /// Lets `seed` decide the dropout masks, in place of a number from the device's generator.
    ///
    /// All passes of a step have the same masks either way: see [`step`](Self::step).
    #[must_use]
    pub fn with_replay_dropout(mut self, seed: u64) -> Self {
        self.randomness = Randomness::Given(seed);
        self
    }

    /// Gives every pass of a step fresh dropout masks, instead of those of the first.
    ///
    /// The gradient at the ascent point is then that of another subnetwork than the ascent's, as in the published
    /// implementations, and XSAM's search compares losses that differ by their masks as well: with dropout alpha is
    /// then largely chance. The device's generator is left alone.
    #[must_use]
    pub fn with_fresh_dropout(mut self) -> Self {
        self.randomness = Randomness::Fresh;
        self
    }

    /// Name of the method.
    pub fn method(&self) -> &'static str {
        self.method.name()
    }

    /// Number of steps made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What losses are scaled by now, if they are.
    pub fn loss_scale(&self) -> Option<f64> {
        self.loss_scale.map(|scale| scale.scale())
    }

    /// The base optimizer.
    pub fn base(&self) -> &ModuleOptimizer {
        &self.base
    }

    /// Tells that the next step is the first of an epoch, for methods that do something then (XSAM
    /// searches for alpha).
    pub fn start_epoch(&mut self) {
        self.edition = Edition::new();
        self.method.start_epoch();
    }

    /// One step: `model` with new weights, what `loss` returned at the old ones, and a report.
    ///
    /// `lr` is a learning rate or one for each parameter group. `loss` is the forward pass: it gets
    /// a model and returns the mean loss of a batch, a tracked tensor of one element, or a pair of
    /// that and any output. It is called once at the weights of `model`, and then as often as the
    /// method asks (see the method's config), at other weights but always in training mode. The call
    /// at the weights, and no other, updates running statistics (batch norm). The model is on an
    /// autodiff device; frozen and unused parameters stay as they are.
    ///
    /// # Random numbers
    ///
    /// All passes of a step draw the same numbers from the device's generator, so that dropout masks are the same and the
    /// loss is one function: a search compares losses, not masks. The next step has others. Unless
    /// [`with_fresh_dropout`](Self::with_fresh_dropout) says otherwise the generator is seeded before every pass, by the
    /// step's number and one that the first step draws from it. So [`Device::seed`](burn::tensor::Device::seed) before
    /// the first step decides all masks, and seeding it later does not; or the seed of
    /// [`with_replay_dropout`](Self::with_replay_dropout) does. The number is in the record: a resumed run has the masks
    /// of an uninterrupted one.
    ///
    /// It is the generator of the whole device. What a loop draws from it between steps follows from that number, too,
    /// and other threads that draw from it during a step spoil the replay. Random numbers of the closure's own, from a
    /// generator that it has captured, are its own affair: drawn inside the closure they differ from pass to
    /// pass and a search compares them; draw them, and augment the batch, before the step.
    ///
    /// # Other modules in the loss
    ///
    /// Only of `model` are running statistics kept as said. Those of a module that the closure captures are moved by
    /// every pass: hand it in as well, see [`Accompanied`](crate::Accompanied).
    ///
    /// # Read-backs
    ///
    /// From the device: one a forward-backward pass, and for XSAM one for psi, one for
    /// the search and, with several or scaled ascent steps, one or two for their norms. One more in the first step,
    /// for the number that decides the masks.
    ///
    /// # Errors
    /// [`StepFailure`] holds the model as it was handed in; the optimizer is unchanged, too. It
    /// converts into [`StepError`](crate::StepError) with `?`. The cases: a loss or gradient that is not finite, a
    /// loss that is not a tracked scalar, no gradient at all, a model without autodiff, a learning
    /// rate out of range, a mask that matches nothing, a record of another model's parameters, a device that
    /// fails.
    pub fn step<M, F, L>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        loss: F,
    ) -> Result<Step<M, L::Output>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M) -> L,
        L: LossOutput,
    {
        self.make(lr, model, |attempt, model| {
            attempt.whole(model, &mut Whole(loss))
        })
    }

    /// One step on a batch that is too large for memory: gradient accumulation, for every method.
    ///
    /// `loss` gives the mean loss of one of the `parts`. Every pass of the step goes over all parts, one after another,
    /// and takes the means of their losses and gradients: the ascent, the search and the descent are those
    /// of the whole batch, in the memory of a part. The means are of equal shares; where parts differ in size let the
    /// closure multiply a part's loss by its size over the mean size. The output is that of each part. Batch norm
    /// normalises each part by itself; its running statistics see each part once.
    ///
    /// # Errors
    /// As [`step`](Self::step); also if there is no part.
    pub fn step_accumulated<M, B, F, L>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        parts: &[B],
        loss: F,
    ) -> Result<Step<M, Vec<L::Output>>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M, &B) -> L,
        L: LossOutput,
    {
        self.make(lr, model, |attempt, model| {
            attempt.whole(model, &mut Parts::new(parts, loss)?)
        })
    }

    /// One step of m-sharpness (arXiv 2010.01412, section 4.1): each of the `parts` of a batch, of m samples, ascends
    /// by itself, and the base optimizer steps with the mean of what the method makes of each.
    ///
    /// It is what data-parallel training does where workers do not share the first gradient. The parts go through
    /// the method one after another: XSAM searches on the first part of a step that has an arc, moving averages take
    /// in each part. The report has means over the parts, and alpha, psi and search of the first.
    /// Otherwise as [`step_accumulated`](Self::step_accumulated).
    ///
    /// # Errors
    /// As [`step`](Self::step); also if there is no part.
    pub fn step_m_sharpness<M, B, F, L>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        parts: &[B],
        loss: F,
    ) -> Result<Step<M, Vec<L::Output>>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M, &B) -> L,
        L: LossOutput,
    {
        self.make(lr, model, |attempt, model| attempt.each(model, parts, loss))
    }

    /// A step whose part before the base optimizer's is made by `attempt`.
    fn make<M: Module, O>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        attempt: impl FnOnce(Attempt<'_>, &M) -> Result<Ready<M, O>, StepError>,
    ) -> Result<Step<M, O>, StepFailure<M>> {
        let lr = lr.into();
        let ready = Attempt::of(self, &lr, &model).and_then(|begun| attempt(begun, &model));
        match ready {
            Ok(ready) => {
                // Nothing can fail from here on. The old weights go first: only then can the base
                // optimizer work in place.
                drop(model);
                Ok(self.finish(lr, ready))
            }
            Err(error) => Err(StepFailure::new(model, error)),
        }
    }

    /// The base optimizer's part of a step, which cannot fail.
    pub(crate) fn finish<M: Module, O>(
        &mut self,
        lr: ModuleLearningRate,
        ready: Ready<M, O>,
    ) -> Step<M, O> {
        self.adopt(ready.method, ready.loss_scale, ready.randomness);
        let step = |model, gradients| self.base.step(lr.clone(), model, gradients);
        Step {
            model: ready.update.apply(&lr, ready.model, step),
            output: ready.output,
            report: ready.report,
        }
    }

    /// Takes up what a step has made of the optimizer's state, and counts it.
    pub(crate) fn adopt(
        &mut self,
        method: Box<dyn Method>,
        loss_scale: Option<LossScale>,
        randomness: Randomness,
    ) {
        self.edition = Edition::new();
        self.method = method;
        self.loss_scale = loss_scale;
        self.randomness = randomness;
        self.loaded.clear();
        if let Some(scale) = &mut self.loss_scale {
            scale.step();
        }
        self.steps += 1;
    }
}

/// Tells the states of all optimizers apart: a step that was begun in one of them can be finished in no other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edition(u64);

impl Edition {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl std::fmt::Debug for SharpnessAware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharpnessAware")
            .field("method", &self.method)
            .field("steps", &self.steps)
            .field("loss_scale", &self.loss_scale)
            .field("rho_schedule", &self.rho_schedule)
            .field("clip_norm", &self.clip_norm)
            .field("randomness", &self.randomness)
            .finish_non_exhaustive()
    }
}

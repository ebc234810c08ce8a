//! The optimizer: a method around a Burn optimizer.

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Tensor;

use crate::check;
use crate::error::{ConfigError, Place, StepError, StepFailure};
use crate::method::{Context, Method, MethodConfig, Update};
use crate::objective::{BatchObjective, Evaluation, Replay};
use crate::parameters;
use crate::report::StepReport;
use crate::rho::RhoSchedule;

/// What the closure of a step returns: the loss, or the loss and an output of the caller's own.
pub trait LossOutput {
    /// The caller's own output: logits, say, or `()`.
    type Output;

    /// The loss, a tensor of one element, and the output.
    fn split(self) -> (Tensor<1>, Self::Output);
}

impl LossOutput for Tensor<1> {
    type Output = ();

    fn split(self) -> (Tensor<1>, ()) {
        (self, ())
    }
}

impl<O> LossOutput for (Tensor<1>, O) {
    type Output = O;

    fn split(self) -> (Tensor<1>, O) {
        self
    }
}

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
pub struct SharpnessAware {
    pub(crate) base: ModuleOptimizer,
    pub(crate) method: Box<dyn Method>,
    pub(crate) steps: u64,
    rho_schedule: RhoSchedule,
    clip_norm: Option<f64>,
    replay_seed: Option<u64>,
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
            base,
            method,
            steps: 0,
            rho_schedule: RhoSchedule::Constant,
            clip_norm: None,
            replay_seed: None,
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

    /// Gives all passes of a step the same dropout masks, instead of fresh ones for each.
    ///
    /// The device's random numbers are seeded before every pass, from `seed` and the step's number.
    /// This is the generator of the whole device: other users of it are affected, and other threads
    /// that draw from it meanwhile spoil the replay.
    #[must_use]
    pub fn with_replay_dropout(mut self, seed: u64) -> Self {
        self.replay_seed = Some(seed);
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

    /// The base optimizer.
    pub fn base(&self) -> &ModuleOptimizer {
        &self.base
    }

    /// Tells that the next step is the first of an epoch, for methods that do something then (XSAM
    /// searches for alpha).
    pub fn start_epoch(&mut self) {
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
    /// Read-backs from the device: one a forward-backward pass, and for XSAM one for psi, one for
    /// the search and, with several or scaled ascent steps, one or two for their norms.
    ///
    /// # Errors
    /// [`StepFailure`] holds the model as it was handed in; the optimizer is unchanged, too. It
    /// converts into [`StepError`] with `?`. The cases: a loss or gradient that is not finite, a
    /// loss that is not a tracked scalar, no gradient at all, a model without autodiff, a learning
    /// rate out of range, a device that fails.
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
        let lr = lr.into();
        match self.gradient(&lr, &model, loss) {
            Ok(ready) => {
                // Nothing can fail from here on. The old weights go first: only then can the base
                // optimizer work in place.
                drop(model);
                self.method = ready.method;
                self.steps += 1;
                let gradients = parameters::gradients_params(&ready.model, &ready.update.gradient);
                drop(ready.update);
                Ok(Step {
                    model: self.base.step(lr, ready.model, gradients),
                    output: ready.output,
                    report: ready.report,
                })
            }
            Err(error) => Err(StepFailure::new(model, error)),
        }
    }

    /// All of a step but the base optimizer's part, without changing anything.
    fn gradient<M, F, L>(
        &self,
        lr: &ModuleLearningRate,
        model: &M,
        mut loss: F,
    ) -> Result<Ready<M, L::Output>, StepError>
    where
        M: Module,
        F: FnMut(&M) -> L,
        L: LossOutput,
    {
        let base_lr = lr.base();
        if !(base_lr.is_finite() && base_lr >= 0.0) {
            return Err(StepError::LearningRate(base_lr));
        }
        let strategy = parameters::checkpointing(model).ok_or(StepError::NotAutodiff)?;
        let replay = self.replay(model);

        // The pass that counts has statistics of its own too: if the step fails, those of `model`
        // must be as they were.
        let counted = parameters::independent(model, strategy);
        Replay::rewind(replay.as_ref());
        let (value, output) = loss(&counted).split();
        let start = Evaluation::of(&counted, value, Place::Weights)?;

        let mut report = StepReport {
            loss: start.loss,
            grad_norm: start.norm,
            ..StepReport::default()
        };
        let mut method = self.method.boxed();
        let context = Context {
            rho_factor: self.rho_schedule.factor(base_lr),
        };
        let mut objective = BatchObjective::new(model, |m: &M| loss(m).split().0, replay, strategy);
        let update = method.update(start, &mut objective, &context, &mut report)?;
        report.passes = objective.passes;
        let update = self.clipped(update, &mut report)?;
        Ok(Ready {
            model: counted,
            output,
            update,
            method,
            report,
        })
    }

    fn clipped(&self, update: Update, report: &mut StepReport) -> Result<Update, StepError> {
        let norm = match update.norm {
            Some(norm) => norm,
            None => update.gradient.norm()?,
        };
        report.update_norm = norm;
        match self.clip_norm {
            Some(max_norm) if norm > max_norm => {
                report.update_norm = max_norm;
                report.clipped = true;
                Ok(Update {
                    gradient: update.gradient.scale(max_norm / norm),
                    norm: Some(max_norm),
                })
            }
            _ => Ok(update),
        }
    }

    fn replay<M: Module>(&self, model: &M) -> Option<Replay> {
        let seed = self.replay_seed?;
        let device = model.devices().into_iter().next()?;
        // Any odd multiplier spreads consecutive steps over all seeds; this is 2^64 / golden ratio.
        let seed = seed ^ self.steps.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Some(Replay { device, seed })
    }
}

impl std::fmt::Debug for SharpnessAware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharpnessAware")
            .field("method", &self.method)
            .field("steps", &self.steps)
            .field("rho_schedule", &self.rho_schedule)
            .field("clip_norm", &self.clip_norm)
            .field("replay_seed", &self.replay_seed)
            .finish_non_exhaustive()
    }
}

/// A step before the base optimizer's part.
struct Ready<M, O> {
    model: M,
    output: O,
    update: Update,
    method: Box<dyn Method>,
    report: StepReport,
}

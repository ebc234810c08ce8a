//! The optimizer: a method around a Burn optimizer.

use std::sync::Arc;

use burn::module::ParamId;
use burn::optim::ModuleOptimizer;

use crate::check;
use crate::collective::{AscentOver, Collective};
use crate::error::ConfigError;
use crate::loss_scale::LossScale;
use crate::method::{Method, MethodConfig};
use crate::random::Randomness;
use crate::readings::ReadBacks;
use crate::record::base::parameters_of;
use crate::rho::RhoSchedule;

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
    pub(crate) loss_scale: Option<LossScale>,
    pub(crate) rho_schedule: RhoSchedule,
    /// Steps of the whole training.
    pub(crate) length: Option<u64>,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) randomness: Randomness,
    /// The parameters of which there is state from elsewhere, until a step has shown that the model has them.
    pub(crate) loaded: Vec<ParamId>,
    /// The ranks that it trains with.
    pub(crate) ranks: Option<(Arc<dyn Collective>, AscentOver)>,
    /// Whether a step has shown that the ranks have the same weights.
    pub(crate) met: bool,
    /// None: by the device.
    pub(crate) read_backs: Option<ReadBacks>,
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
            loss_scale: None,
            rho_schedule: RhoSchedule::Constant,
            length: None,
            clip_norm: None,
            randomness: Randomness::Drawn(None),
            ranks: None,
            met: false,
            read_backs: None,
        }
    }

    // What is set here is checked at once, since the optimizer is built: a `with_` that has a range returns a result.

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

    /// Tells how many steps the whole training has, for hyper-parameters that are shares of it: a method from 0.8 on, an
    /// adaptive policy, a loss budget.
    #[must_use]
    pub fn with_length(mut self, steps: u64) -> Self {
        self.length = Some(steps);
        self
    }

    /// Scales losses before their backward passes, and gradients back: for models with activations in half precision.
    ///
    /// The closure's loss should be in single precision: in half precision its scaled value is out of range.
    #[must_use]
    pub fn with_loss_scale(mut self, scale: LossScale) -> Self {
        self.loss_scale = Some(scale);
        self
    }

    /// Lets `seed` decide the dropout masks, and what a method draws besides, in place of a number from the device's generator.
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

    /// Trains together with other ranks, each of which hands its share of the batch to every step.
    ///
    /// A rank's loss is the mean over its share. Means over ranks are of equal shares: where they differ in size let the
    /// closure multiply the loss by the size over the mean size. All ranks begin with the same weights, which the first
    /// step checks, and have the same ones after every step, to the last bit. A step succeeds on all ranks or on none: an
    /// error on one of them is [`StepError::OtherRank`](crate::StepError::OtherRank) on the others. All that a program
    /// decides by what a step reports is decided alike: the report is of all ranks. Its output is the rank's own.
    ///
    /// Records of any rank serve all of them, and any number of ranks. Batch norm's statistics are the rank's own until
    /// [`mean_statistics`](crate::collective::mean_statistics). Parameters are told by their place in the model, so that
    /// their ids may differ.
    ///
    /// Gradients go through the host's memory. Besides them there is one piece of a mebibyte, or of the size of the largest
    /// parameter.
    ///
    /// # Errors
    /// If each rank is to ascend by itself, and the method keeps vectors that then differ from rank to rank: one record
    /// could not hold them.
    pub fn with_collective(
        mut self,
        ranks: Arc<dyn Collective>,
        over: AscentOver,
    ) -> Result<Self, ConfigError> {
        let range = "`all` with a method that keeps something of its gradients from one step to the next (`looksam`, \
                     `look-xsam`, `bsam`, friendly ascent, an adaptive policy, a measured rho): each rank would have its own, and a \
                     record has one";
        let ok = over == AscentOver::All || !self.method.keeps_gradients();
        ConfigError::unless(ok, "ascent_over", "rank", range)?;
        self.ranks = (ranks.size() > 1).then_some((ranks, over));
        Ok(self)
    }

    /// When the numbers of a step are read from the device; by itself at once on a processor, at the end of the step on any other
    /// device. Both make the same step up to rounding: numbers that are not read are computed in single precision, or double if
    /// the weights have it.
    #[must_use]
    pub fn with_read_backs(mut self, when: ReadBacks) -> Self {
        self.read_backs = Some(when);
        self
    }

    /// Name of the method.
    pub fn method(&self) -> &'static str {
        self.method.name()
    }

    /// Whether its steps have to be told logits and loss apart: [`step_by_logits`](Self::step_by_logits) makes them.
    pub fn needs_logits(&self) -> bool {
        self.method.needs_logits()
    }

    /// Whether the pass at the ascent point is to be on the batch of the step before (SAMPa):
    /// [`step_with_point`](Self::step_with_point) and [`step_accumulated_with_point`](Self::step_accumulated_with_point) tell the
    /// closure where it is.
    pub fn ascends_on_the_batch_before(&self) -> bool {
        self.method.ascends_on_the_batch_before()
    }

    /// Whether its steps have to be told the loss of each sample: [`step_by_samples`](Self::step_by_samples) makes them.
    pub fn needs_samples(&self) -> bool {
        self.method.needs_samples()
    }

    /// Number of steps made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What losses are scaled by now, if they are.
    pub fn loss_scale(&self) -> Option<f64> {
        self.loss_scale.map(|scale| scale.scale())
    }

    /// The base optimizer, with its state.
    pub fn base(&self) -> &ModuleOptimizer {
        &self.base
    }

    /// Tells that the next step is the first of an epoch, for methods that do something then (XSAM
    /// searches for alpha).
    pub fn start_epoch(&mut self) {
        self.method.start_epoch();
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

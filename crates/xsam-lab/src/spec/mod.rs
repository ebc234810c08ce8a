//! The spec: everything that decides how a run goes, in one TOML file.
//!
//! Every field has a default. A [`Spec`] is what was asked for, and is written beside the results as such. What it comes
//! to is computed when it is used, by [`Spec::resolved`]: some defaults depend on other fields, and follow them when these
//! are changed.

mod compare;
mod difference;
mod fields;
mod label;
mod list;
mod method;
mod overrides;
mod parse;
mod preset;
mod renamed;
mod resolve;
mod task;
mod tune;
mod words;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use xsam_kernels::Kernels;

pub use compare::{Compare, CompareEntry};
pub use method::{edited, method_named};
pub use preset::Preset;
pub use resolve::check_seed;
pub use task::{Section, TaskSpec};
pub use tune::{Candidate, Tune};
pub use words::About;
pub use xsam::method::MethodSpec;

use xsam_names::named_enum;

/// Something in a spec that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", key_prefix(key))]
pub struct SpecError {
    /// The key, as `section.field`; empty if the error is not of one.
    pub key: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

fn key_prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("`{key}`: ")
    }
}

impl SpecError {
    /// Refuses a value that is not in its range, in words, unless `ok`.
    ///
    /// # Errors
    /// Unless `ok`.
    pub fn unless(ok: bool, key: &str, value: impl fmt::Display, range: &str) -> Result<(), Self> {
        match ok {
            true => Ok(()),
            false => Err(Self::new(key, format!("{value} must be {range}"))),
        }
    }

    /// Refuses a number that is below or above its range.
    ///
    /// # Errors
    /// If it is.
    pub fn within(key: &str, value: usize, range: RangeInclusive<usize>) -> Result<(), Self> {
        let (least, most) = range.into_inner();
        Self::unless(value >= least, key, value, &format!("at least {least}"))?;
        Self::unless(value <= most, key, value, &format!("at most {most}"))
    }

    /// Of a key, as `section.field`, or of none if that is empty.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

/// The spec of an experiment: what was asked for, or what that comes to ([`Spec::resolved`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "S: TaskSpec")]
pub struct Spec<S> {
    /// The sections of the task: what is learned, and what learns it.
    #[serde(flatten)]
    pub task: S,
    /// Which gradient is taken.
    pub method: MethodSpec,
    /// What is done with the gradient.
    pub optimizer: OptimizerSpec,
    /// How learning rate and rho change.
    pub schedule: ScheduleSpec,
    /// How long, and from which seed.
    pub train: TrainSpec,
}

named_enum! {
    /// The base optimizers.
    pub enum OptimizerName ("optimizer") {
        /// SGD with momentum, and weight decay added to the gradient.
        Sgd = "sgd",
        /// Adam, with weight decay added to the gradient.
        Adam = "adam",
        /// AdamW, with weight decay apart from the gradient.
        AdamW = "adamw",
    }
}

/// `[optimizer]`: the base optimizer, with the conventions and defaults of PyTorch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerSpec {
    /// Which one.
    pub name: OptimizerName,
    /// Learning rate at its highest.
    pub lr: f64,
    /// sgd: momentum, without dampening; 0.9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Weight decay.
    pub weight_decay: f64,
    /// Clips the final gradient to this norm, over all parameters together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

impl Default for OptimizerSpec {
    fn default() -> Self {
        Self {
            name: OptimizerName::Sgd,
            lr: 0.05,
            momentum: None,
            weight_decay: 1e-3,
            clip_norm: None,
        }
    }
}

named_enum! {
    /// Schedules of the learning rate.
    pub enum ScheduleName ("schedule") {
        /// Half a cosine, from the full learning rate to zero.
        Cosine = "cosine",
        /// Always the full learning rate.
        Constant = "constant",
        /// Times `gamma` every `step_size` epochs.
        Step = "step",
        /// In proportion to the inverse square root of the step, after `warmup_steps` steps in which it
        /// rises.
        InverseSqrt = "inverse-sqrt",
    }
}

named_enum! {
    /// Schedules of rho.
    pub enum RhoScheduleName ("schedule of rho") {
        /// Always the full rho.
        Constant = "constant",
        /// In proportion to the learning rate.
        Proportional = "proportional",
        /// On a straight line with the learning rate, from `rho_least` of it where that is 0.
        Linear = "linear",
    }
}

named_enum! {
    /// When a schedule moves.
    pub enum ScheduleBy ("unit of a schedule") {
        /// From epoch to epoch.
        Epoch = "epoch",
        /// From step to step.
        Step = "step",
    }
}

/// `[schedule]`: learning rate and rho.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleSpec {
    /// Which one.
    pub name: ScheduleName,
    /// When the learning rate changes: from epoch to epoch, as in the paper, unless given; inverse-sqrt from
    /// step to step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<ScheduleBy>,
    /// Epochs in which the learning rate rises to its full value, before the schedule proper. Not for
    /// inverse-sqrt.
    pub warmup: usize,
    /// inverse-sqrt: steps in which the learning rate rises to its full value; 4000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<usize>,
    /// step: epochs from one reduction to the next; a third of the epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_size: Option<usize>,
    /// step: factor of a reduction; 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Schedule of rho.
    pub rho: RhoScheduleName,
    /// rho = "linear": the least rho over the full one; 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rho_least: Option<f64>,
}

impl Default for ScheduleSpec {
    fn default() -> Self {
        Self {
            name: ScheduleName::Cosine,
            by: None,
            warmup: 0,
            warmup_steps: None,
            step_size: None,
            gamma: None,
            rho: RhoScheduleName::Constant,
            rho_least: None,
        }
    }
}

named_enum! {
    /// Number formats.
    pub enum Precision ("precision") {
        /// Single precision.
        F32 = "f32",
        /// Double precision.
        F64 = "f64",
    }
}

named_enum! {
    /// What becomes of a run whose loss or gradient is not finite.
    pub enum OnDivergence ("way out of a divergence") {
        /// It ends with an error.
        Stop = "stop",
        /// It goes back to its latest checkpoint and on with half the learning rate.
        Restore = "restore",
    }
}

named_enum! {
    /// Devices. Every build knows them all; one besides the processor can be computed on if the feature of its name
    /// was on in the build.
    pub enum DeviceName ("device") {
        /// The processor, by Burn's Flex back end and the kernels of `xsam-kernels`.
        Cpu = "cpu",
        /// Any graphics card, in WebGPU's shading language, on whichever of Vulkan, Metal, DirectX 12 and OpenGL there
        /// is. (In a build that has `vulkan` too, it compiles for Vulkan as that does.)
        WebGpu = "webgpu",
        /// A graphics card by Vulkan, in SPIR-V.
        Vulkan = "vulkan",
        /// A graphics card of NVIDIA, by CUDA.
        Cuda = "cuda",
        /// A graphics card of AMD, by ROCm.
        Rocm = "rocm",
        /// A graphics card of Apple, by Metal.
        Metal = "metal",
    }
}

/// `[train]`: length, batches, seed and machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSpec {
    /// Number of epochs.
    pub epochs: usize,
    /// Items in a batch, of which the last of an epoch may have fewer; the task's own if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// A file with the weights that the run begins with, in place of those that the seed gives: `.safetensors`, or a state
    /// dict by `torch.save`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// Parts that every batch is run in, one after another, for batches too large for memory: each pass of a step
    /// goes over all of them.
    pub micro_batches: usize,
    /// m-sharpness: the number of parts of a batch that have an ascent of their own each; one for the whole batch if
    /// not given. Nothing to a method that does not ascend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub m_sharpness: Option<usize>,
    /// Decides everything random: initial weights, label noise, order of the
    /// batches, augmentation, dropout.
    pub seed: u64,
    /// Number format of weights and activations.
    pub precision: Precision,
    /// Where to compute.
    pub device: DeviceName,
    /// Which kernels compute on the processor in single precision.
    pub kernels: Kernels,
    /// Epochs from one evaluation on validation and test data to the next; the last epoch has one in any case.
    pub evaluate_every: usize,
    /// Epochs from one measurement of the sharpness to the next; the last epoch has one in any case. None if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure_every: Option<usize>,
    /// The distance from the weights within which it takes the highest rise of the loss; 0.15 for every method if not
    /// given, so that methods compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure_rho: Option<f64>,
    /// Epochs from one checkpoint to the next; the last epoch has one in any case, and the best one so far.
    pub checkpoint_every: usize,
    /// Besides, steps from one checkpoint to the next within an epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_steps: Option<usize>,
    /// How many checkpoints are kept: the latest ones, and that of the best epoch.
    pub keep_checkpoints: usize,
    /// Steps from one to the next of those that the event file for TensorBoard has numbers of.
    pub log_every: usize,
    /// What becomes of a run whose loss or gradient is not finite.
    pub on_divergence: OnDivergence,
}

impl TrainSpec {
    /// Whether what is done `every` so many epochs, and at the end, is done after `epochs` of them.
    pub fn is_due(&self, every: usize, epochs: usize) -> bool {
        epochs == self.epochs || epochs.is_multiple_of(every)
    }
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self {
            epochs: 200,
            batch_size: None,
            init: None,
            micro_batches: 1,
            m_sharpness: None,
            seed: 0,
            precision: Precision::F32,
            device: DeviceName::Cpu,
            kernels: Kernels::Fast,
            evaluate_every: 1,
            measure_every: None,
            measure_rho: None,
            checkpoint_every: 1,
            checkpoint_steps: None,
            keep_checkpoints: 2,
            log_every: 10,
            on_divergence: OnDivergence::Stop,
        }
    }
}

impl<S: TaskSpec> Spec<S> {
    /// The spec as a table of its sections.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_table(&self) -> Result<Table, SpecError> {
        Table::try_from(self).map_err(|error| SpecError::new("", error.to_string()))
    }

    /// The spec as TOML.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_toml(&self) -> Result<String, SpecError> {
        let error = |error: toml::ser::Error| SpecError::new("", error.to_string());
        let mut table = Table::try_from(self).map_err(error)?;
        let asked = Value::Table(method::apart_from_defaults(&self.method)?);
        table.insert("method".to_owned(), asked);
        toml::to_string(&table).map_err(error)
    }

    /// The spec as TOML, of the method all values.
    ///
    /// # Errors
    /// If a value has no form in TOML.
    pub fn to_full_toml(&self) -> Result<String, SpecError> {
        toml::to_string(self).map_err(|error| SpecError::new("", error.to_string()))
    }
}

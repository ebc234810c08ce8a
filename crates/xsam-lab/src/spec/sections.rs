//! The sections that every spec has.

use std::path::PathBuf;

use burn::tensor::FloatDType;
use xsam_kernels::Kernels;
use xsam_names::named_enum;

use crate::sections;
use crate::spec::SpecError;

named_enum! {
    /// The base optimizers, which take the step.
    pub enum OptimizerName ("optimizer") {
        /// SGD with momentum, and weight decay added to the gradient.
        Sgd = "sgd",
        /// Adam, with weight decay added to the gradient.
        Adam = "adam",
        /// AdamW, with weight decay apart from the gradient.
        AdamW = "adamw",
    }
}

sections! {
    /// `[optimizer]`: the base optimizer, with the conventions and defaults of PyTorch.
    pub struct OptimizerSpec {
        /// The base optimizer that takes the step.
        pub name: OptimizerName = OptimizerName::Sgd,
        /// Learning rate at its highest.
        pub lr: f64 = 0.05,
        /// sgd: momentum, without dampening; 0.9, and 0 with a method that has its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub momentum: Option<f64>,
        /// Weight decay: added to the gradient, by adamw apart from it.
        pub weight_decay: f64 = 1e-3,
        /// Clips the final gradient to this norm, over all parameters together.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub clip_norm: Option<f64>,
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
    /// How rho moves over a run.
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

sections! {
    /// `[schedule]`: learning rate and rho.
    pub struct ScheduleSpec {
        /// How the learning rate moves over a run.
        pub name: ScheduleName = ScheduleName::Cosine,
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
        /// How rho moves over a run.
        pub rho: RhoScheduleName = RhoScheduleName::Constant,
        /// rho = "linear": the least rho over the full one; 0.5.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rho_least: Option<f64>,
    }
}

named_enum! {
    /// Number formats of computation. Weights and the optimizer's state are in the same, or in single precision where that is a
    /// half one.
    pub enum Precision ("precision") {
        /// Single precision, 32 bits.
        F32 = "f32",
        /// Double precision, 64 bits.
        F64 = "f64",
        /// Half precision, 16 bits of which 5 are the exponent: mixed precision, with a dynamic loss scale.
        F16 = "f16",
        /// Half precision with the exponent of single, 8 bits: mixed precision.
        Bf16 = "bf16",
    }
}

impl Precision {
    /// Whether inputs and activations are in half precision.
    pub fn is_half(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16)
    }

    /// The format of weights and of the optimizer's state, and of what is measured of a run.
    pub fn weights(self) -> FloatDType {
        FloatDType::from(self.full())
    }

    /// The format of the model's inputs, and with them of its activations.
    pub fn activations(self) -> FloatDType {
        FloatDType::from(self)
    }

    /// Refuses half precision, of which differences and comparisons have no digits.
    ///
    /// # Errors
    /// Of the key `train.precision`.
    pub fn check_full(self) -> Result<(), SpecError> {
        match self.is_half() {
            true => {
                let message = format!("{self} has too few digits to measure with: f32 or f64");
                Err(SpecError::new("train.precision", message))
            }
            false => Ok(()),
        }
    }

    /// Single precision in place of half.
    pub fn full(self) -> Self {
        match self.is_half() {
            true => Self::F32,
            false => self,
        }
    }
}

impl From<Precision> for FloatDType {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F64 => Self::F64,
            Precision::F16 => Self::F16,
            Precision::Bf16 => Self::BF16,
        }
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

sections! {
    /// `[train]`: length, batches, seed and machine.
    pub struct TrainSpec {
        /// Number of passes over the training samples.
        pub epochs: usize = 200,
        /// Items in a batch, of which the last of an epoch may have fewer; the task's own if not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub batch_size: Option<usize>,
        /// A file with the weights that the run begins with, in place of those that the seed gives: `.safetensors`, or a state
        /// dict by `torch.save`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub init: Option<PathBuf>,
        /// Parts that every batch is run in, one after another, for batches too large for memory: each pass of a step
        /// goes over all of them.
        pub micro_batches: usize = 1,
        /// m-sharpness: the number of parts of a batch that have an ascent of their own each; one for the whole batch if
        /// not given. Nothing to a method that does not ascend.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub m_sharpness: Option<usize>,
        /// Over several ranks: batch norm takes the mean and the variance of all their shares of a batch, in place of those of
        /// each share.
        pub sync_batch_norm: bool,
        /// Decides everything random: initial weights, label noise, order of the
        /// batches, augmentation, dropout.
        pub seed: u64,
        /// Number format of weights and activations.
        pub precision: Precision = Precision::F32,
        /// Device that computes; it has to be in the build.
        pub device: DeviceName = DeviceName::Cpu,
        /// Which kernels compute on the processor in single precision.
        pub kernels: Kernels = Kernels::Fast,
        /// Epochs from one evaluation on validation and test data to the next; the last epoch has one in any case.
        pub evaluate_every: usize = 1,
        /// Epochs from one measurement of the sharpness to the next; the last epoch has one in any case. None if not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub measure_every: Option<usize>,
        /// The distance from the weights within which it takes the highest rise of the loss; 0.15 for every method if not
        /// given, so that methods compare.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub measure_rho: Option<f64>,
        /// Epochs from one checkpoint to the next; the last epoch has one in any case, and the best one so far.
        pub checkpoint_every: usize = 1,
        /// Besides, steps from one checkpoint to the next within an epoch.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub checkpoint_steps: Option<usize>,
        /// How many checkpoints are kept: the latest ones, and that of the best epoch.
        pub keep_checkpoints: usize = 2,
        /// Steps from one to the next of those that the event file for TensorBoard has numbers of.
        pub log_every: usize = 10,
        /// What becomes of a run whose loss or gradient is not finite.
        pub on_divergence: OnDivergence = OnDivergence::Stop,
    }
}

/// What of a spec may change when a run goes on, besides what its task says.
pub(crate) const FREE: [&str; 7] = [
    "train.measure_every",
    "train.measure_rho",
    "train.checkpoint_every",
    "train.checkpoint_steps",
    "train.keep_checkpoints",
    "train.log_every",
    "train.on_divergence",
];

impl TrainSpec {
    /// Whether what is done `every` so many epochs, and at the end, is done after `epochs` of them.
    pub fn is_due(&self, every: usize, epochs: usize) -> bool {
        epochs == self.epochs || epochs.is_multiple_of(every)
    }
}

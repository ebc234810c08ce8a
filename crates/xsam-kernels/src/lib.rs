#![doc = include_str!("../README.md")]
//!
//! # Back ends
//!
//! Burn dispatches an operation to the back ends that it was compiled for. Those of an optimizer run on any; those
//! of a network on Flex, and on a graphics card with the feature of its back end: `webgpu`, `vulkan`, `cuda`, `rocm`
//! or `metal`, which turn on Burn's features of these names.
//!
//! # Half precision
//!
//! An operation computes in the number format of its input. Of an input in half precision (`f16`, `bf16`) parameters in `f32` are
//! cast to that format, and their gradients come back in `f32`; norms, softmax and cross entropy are computed in `f32`, and give
//! the input's format back but for the loss, which is in `f32`. So a model trains in mixed precision if its parameters are in
//! `f32` and its input is not. The kernels for the processor are for `f32` alone: there half precision is slow, and for
//! checks.
//!
//! # Threads
//!
//! Kernels run on rayon's pool. Called from a thread of that pool, which `rayon::scope(|_| ..)` around
//! the training does, that thread computes as well; any other one wakes the pool for every operation and
//! waits for it, a few hundred times a step.
//!
//! Work is split by position, and sums are taken in a fixed order: the same input gives the same bits
//! with the same number of threads on the same instruction set, and results that differ by rounding
//! with another. The environment variable `XSAM_ISA` (`avx512`, `avx2`, `neon` or `portable`) chooses the instruction set; without
//! it the best one runs that the processor has.

#[cfg(all(
    feature = "gpu",
    not(any(
        feature = "webgpu",
        feature = "vulkan",
        feature = "cuda",
        feature = "rocm",
        feature = "metal"
    ))
))]
compile_error!(
    "`gpu` is no back end: choose webgpu, vulkan, cuda, rocm or metal, which turn it on"
);

mod attention;
mod batch_norm;
mod choice;
mod conv;
mod cpu;
mod cross_entropy;
#[cfg(feature = "gpu")]
mod cube;
mod dropout;
mod embedding;
mod feed_forward;
mod flex;
mod half;
pub mod kinks;
mod layer_norm;
mod linear;
#[cfg(feature = "mimalloc")]
mod memory;
mod optional;
mod pool;
mod profile;
mod softmax;
mod tape;
mod update;
mod vector;

pub use attention::attention;
pub use batch_norm::{
    BatchNormParams, BatchNormRanks, BatchNormStatistics, BatchNormTail, BatchStatistics,
    FeatureStack, batch_norm_inference, batch_norm_train,
};
pub use choice::{Kernels, kernels, set_kernels};
pub use conv::conv2d;
pub use cpu::feed_forward::Activation;
pub use cpu::isa::{InstructionSet, InstructionSetError, check_instruction_set, instruction_set};
pub use cross_entropy::{cross_entropies, cross_entropy};
pub use dropout::{dropout, dropout_add};
pub use embedding::embedding;
pub use feed_forward::{bias_gelu, bias_relu};
pub use layer_norm::layer_norm;
pub use linear::{linear, tied_linear};
#[cfg(feature = "mimalloc")]
pub use memory::keep_freed_memory;
pub use pool::{avg_pool2d, global_avg_pool, max_pool2d};
pub use profile::{OperationTime, profile};
pub use softmax::softmax;
pub use update::{AdamStep, SgdStep, adam_update, sgd_update};
pub use vector::{combine, dot, scaled_ascent, squared_chords};

/// What Burn dispatches to a back end, each direction by itself and without a graph, for measurements.
pub mod operations {
    pub use crate::attention::{AttentionInputs, AttentionOps, KeyMask};
    pub use crate::conv::ConvOps;
    pub use crate::cross_entropy::CrossEntropyOps;
    pub use crate::dropout::DropoutOps;
    pub use crate::embedding::EmbeddingOps;
    pub use crate::feed_forward::FeedForwardOps;
    pub use crate::layer_norm::LayerNormOps;
    pub use crate::linear::LinearOps;
    pub use crate::optional::Optional;
    pub use crate::softmax::SoftmaxOps;
}

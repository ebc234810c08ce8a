//! The operations on Burn's CubeCL back ends (CUDA, ROCm, Metal, Vulkan, WebGPU), which are one type to Burn: each is
//! its provided body, composed of Burn's own operations.

use burn::backend::Cube;

use crate::attention::{AttentionKernels, AttentionOps};
use crate::batch_norm::{BatchNormKernels, BatchNormOps, StackKernels, StackOps};
use crate::conv::{ConvKernels, ConvOps};
use crate::cross_entropy::{CrossEntropyKernels, CrossEntropyOps};
use crate::dropout::{DropoutKernels, DropoutOps};
use crate::embedding::{EmbeddingKernels, EmbeddingOps};
use crate::feed_forward::{FeedForwardKernels, FeedForwardOps};
use crate::layer_norm::{LayerNormKernels, LayerNormOps};
use crate::linear::{LinearKernels, LinearOps};
use crate::pool::{PoolKernels, PoolOps};
use crate::softmax::{SoftmaxKernels, SoftmaxOps};

macro_rules! as_composed {
    ($($operation:ident),+ $(,)?) => {
        $(impl $operation for Cube {})+
    };
}

as_composed!(
    AttentionKernels,
    AttentionOps,
    BatchNormKernels,
    BatchNormOps,
    ConvKernels,
    ConvOps,
    CrossEntropyKernels,
    CrossEntropyOps,
    DropoutKernels,
    DropoutOps,
    EmbeddingKernels,
    EmbeddingOps,
    FeedForwardKernels,
    FeedForwardOps,
    LayerNormKernels,
    LayerNormOps,
    LinearKernels,
    LinearOps,
    PoolKernels,
    PoolOps,
    SoftmaxKernels,
    SoftmaxOps,
    StackKernels,
    StackOps,
);

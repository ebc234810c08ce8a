//! The operations on Burn's CubeCL back ends (CUDA, ROCm, Metal, Vulkan, WebGPU), which are one type to Burn: each is
//! its provided body, composed of Burn's own operations.

use burn::backend::Cube;

use crate::attention::AttentionOps;
use crate::batch_norm::{BatchNormOps, StackKernels};
use crate::conv::ConvOps;
use crate::cross_entropy::CrossEntropyOps;
use crate::dropout::DropoutOps;
use crate::embedding::EmbeddingOps;
use crate::feed_forward::FeedForwardOps;
use crate::layer_norm::LayerNormOps;
use crate::linear::LinearOps;
use crate::pool::PoolOps;
use crate::softmax::SoftmaxOps;

impl AttentionOps for Cube {}
impl BatchNormOps for Cube {}
impl ConvOps for Cube {}
impl CrossEntropyOps for Cube {}
impl DropoutOps for Cube {}
impl EmbeddingOps for Cube {}
impl FeedForwardOps for Cube {}
impl LayerNormOps for Cube {}
impl LinearOps for Cube {}
impl PoolOps for Cube {}
impl SoftmaxOps for Cube {}
impl StackKernels for Cube {}

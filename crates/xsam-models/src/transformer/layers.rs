//! The parts of a layer that are not attention.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use xsam_kernels::{Activation, bias_gelu, bias_relu, kinks::relu, layer_norm, linear};
use xsam_names::named_enum;

use super::dropout::Dropout;

/// Added to the variance before the square root, PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Layer normalization over the last axis.
///
/// As in [`BatchNorm`](crate::BatchNorm) the parameters have PyTorch's names.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale per column, initially one.
    pub weight: Param<Tensor<1>>,
    /// Shift per column, initially zero.
    pub bias: Param<Tensor<1>>,
}

impl LayerNorm {
    pub(super) fn new(dim: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([dim], device),
            bias: Initializer::Zeros.init([dim], device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        layer_norm(x, self.weight.val(), self.bias.val(), EPSILON)
    }
}

/// `x` normalized, if there is a norm.
pub(super) fn normalized(norm: Option<&LayerNorm>, x: Tensor<2>) -> Tensor<2> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}

/// The rows of `x` through a linear layer, by the fast kernels.
pub(super) fn through(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    let bias = layer.bias.as_ref().map(Param::val);
    linear(x, layer.weight.val(), bias)
}

/// Two linear layers and what is between them.
pub(super) fn feed_forward(
    (fc1, fc2): (&Linear, &Linear),
    activation: Activation,
    x: Tensor<2>,
) -> Tensor<2> {
    // The bias of the first goes together with the activation.
    let hidden = linear(x, fc1.weight.val(), None);
    let hidden = match (&fc1.bias, activation) {
        (Some(bias), Activation::Relu) => bias_relu(hidden, bias.val()),
        (Some(bias), Activation::Gelu) => bias_gelu(hidden, bias.val()),
        (None, Activation::Relu) => relu(hidden),
        (None, Activation::Gelu) => burn::tensor::activation::gelu(hidden),
    };
    through(fc2, hidden)
}

named_enum! {
    /// Where a residual branch is normalized.
    pub enum NormPlacement ("place of the normalization") {
        /// After the branch has been added, as in the paper.
        Post = "post",
        /// Before the branch, whose sum is normalized once, after the last layer.
        Pre = "pre",
    }
}

impl NormPlacement {
    /// `x` and the branch that `branch` makes of it.
    pub(super) fn residual(
        self,
        norm: &LayerNorm,
        dropout: &mut Dropout,
        x: Tensor<2>,
        branch: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        match self {
            Self::Post => {
                let branch = branch(x.clone());
                norm.forward(dropout.add(x, branch))
            }
            Self::Pre => {
                let branch = branch(norm.forward(x.clone()));
                dropout.add(x, branch)
            }
        }
    }
}

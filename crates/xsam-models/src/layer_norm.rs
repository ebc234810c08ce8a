//! Layer normalization.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};
use xsam_kernels::layer_norm;

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
    /// Added to the variance before the square root.
    pub epsilon: f64,
}

impl LayerNorm {
    pub(crate) fn new(dim: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([dim], device),
            bias: Initializer::Zeros.init([dim], device),
            epsilon: EPSILON,
        }
    }

    /// The same with another addend to the variance.
    #[must_use]
    pub(crate) fn with_epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        layer_norm(x, self.weight.val(), self.bias.val(), self.epsilon)
    }
}

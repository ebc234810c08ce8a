//! Batch norm, fused with a residual addition and a ReLU.

mod autodiff;
mod composed;
mod flex;
mod stack;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, Scalar, backend_extension};
use burn::tensor::Tensor;

use crate::kinks;

pub use stack::{FeatureStack, Link, StackInputs, StackKernels, StackOps, StackSlopes};

/// What batch norm does to a channel besides normalising it.
#[derive(Clone, Debug)]
pub struct BatchNormParams {
    /// The scale of each channel, `[channels]`.
    pub weight: Tensor<1>,
    /// The shift of each channel, `[channels]`.
    pub bias: Tensor<1>,
    /// What is added to a variance before its square root is taken.
    pub epsilon: f64,
}

/// What follows batch norm: first the addition, then the ReLU. By default, nothing.
#[derive(Clone, Debug, Default)]
pub struct BatchNormTail<const D: usize> {
    /// Added to the normalised input, whose shape it has.
    pub residual: Option<Tensor<D>>,
    /// Whether a ReLU comes last.
    pub relu: bool,
}

/// The mean and the biased variance of each channel, `[channels]` each.
#[derive(Clone, Debug)]
pub struct BatchNormStatistics {
    /// The mean.
    pub mean: Tensor<1>,
    /// The variance, with the number of values as its divisor.
    pub variance: Tensor<1>,
}

/// Batch norm with the statistics of the batch, which are returned as well:
/// `act(weight * (x - mean) / sqrt(variance + epsilon) + bias + residual)`.
///
/// `x` is `[batch, channels, ...]` of any rank from 2. Gradients flow to `x`, `weight`, `bias` and
/// `residual`; the statistics carry none.
///
/// On Flex in `f32` each direction reads and writes every tensor once, as long as a channel fits the
/// second-level cache; sums are carried on in `f64`. The backward pass keeps `x`, and the output only
/// if there is a ReLU behind a residual. The result does not depend on the number of threads.
///
/// Source: Ioffe and Szegedy, <https://arxiv.org/abs/1502.03167>.
///
/// # Panics
/// If the rank is below 2 or a shape does not fit `x`.
pub fn batch_norm_train<const D: usize>(
    x: Tensor<D>,
    params: BatchNormParams,
    tail: BatchNormTail<D>,
) -> (Tensor<D>, BatchNormStatistics) {
    let relu = tail.relu;
    let result = normalised(x, params, Statistics::OfBatch, tail);
    let statistics = BatchNormStatistics {
        mean: Tensor::from_dispatch(result.mean),
        variance: Tensor::from_dispatch(result.variance),
    };
    let output = kinks::rest(Tensor::from_dispatch(result.output), relu);
    (output, statistics)
}

/// Batch norm with given statistics, as in evaluation; otherwise as [`batch_norm_train`].
///
/// It is one pass over `x` on Flex in `f32`, and its backward pass is one over `x` and the gradient.
/// Gradients flow to every input, the statistics among them.
///
/// # Panics
/// If the rank is below 2 or a shape does not fit `x`.
pub fn batch_norm_inference<const D: usize>(
    x: Tensor<D>,
    params: BatchNormParams,
    statistics: BatchNormStatistics,
    tail: BatchNormTail<D>,
) -> Tensor<D> {
    for tensor in [&statistics.mean, &statistics.variance] {
        check_channels(x.dims(), tensor);
    }
    let given = Statistics::Given {
        mean: statistics.mean.into_dispatch(),
        variance: statistics.variance.into_dispatch(),
    };
    let relu = tail.relu;
    let output = Tensor::from_dispatch(normalised(x, params, given, tail).output);
    kinks::rest(output, relu)
}

fn normalised<const D: usize>(
    x: Tensor<D>,
    params: BatchNormParams,
    statistics: Statistics<Dispatch>,
    tail: BatchNormTail<D>,
) -> Normalised<Dispatch> {
    for tensor in [&params.weight, &params.bias] {
        check_channels(x.dims(), tensor);
    }
    if let Some(residual) = &tail.residual {
        let (actual, expected) = (residual.dims(), x.dims());
        assert_eq!(actual, expected, "the residual has another shape than x");
    }
    <Dispatch as BatchNormOps>::normalise(Inputs {
        x: x.into_dispatch(),
        weight: params.weight.into_dispatch(),
        bias: params.bias.into_dispatch(),
        epsilon: params.epsilon,
        statistics,
        residual: match tail.residual {
            Some(residual) => Residual::Added(residual.into_dispatch()),
            None => Residual::None,
        },
        relu: tail.relu && !kinks::are_watched(),
    })
}

fn check_channels<const D: usize>(shape: [usize; D], per_channel: &Tensor<1>) {
    assert!(
        D >= 2,
        "batch norm needs [batch, channels, ...], got {shape:?}"
    );
    let [length] = per_channel.dims();
    assert_eq!(length, shape[1], "batch norm needs one number a channel");
}

/// One over the standard deviation of each channel.
fn inverse_deviation<B: Backend>(variance: FloatTensor<B>, epsilon: f64) -> FloatTensor<B> {
    let added = B::float_add_scalar(variance, Scalar::Float(epsilon));
    B::float_recip(B::float_sqrt(added))
}

/// The inputs of [`BatchNormOps::normalise`].
#[derive(Clone, Debug, ExtensionType)]
pub struct Inputs<B: Backend> {
    /// `[batch, channels, ...]`.
    pub x: FloatTensor<B>,
    /// See [`BatchNormParams`].
    pub weight: FloatTensor<B>,
    /// See [`BatchNormParams`].
    pub bias: FloatTensor<B>,
    /// See [`BatchNormParams`].
    pub epsilon: f64,
    /// What to normalise by.
    #[extension_type]
    pub statistics: Statistics<B>,
    /// What to add.
    #[extension_type]
    pub residual: Residual<B>,
    /// See [`BatchNormTail`].
    pub relu: bool,
}

/// Mean and variance to normalise by.
#[derive(Clone, Debug, ExtensionType)]
pub enum Statistics<B: Backend> {
    /// Those of the batch.
    OfBatch,
    /// These.
    Given {
        /// See [`BatchNormStatistics`].
        mean: FloatTensor<B>,
        /// See [`BatchNormStatistics`].
        variance: FloatTensor<B>,
    },
}

/// What is added to the normalised input. (An `Option` cannot cross Burn's dispatch.)
#[derive(Clone, Debug, ExtensionType)]
pub enum Residual<B: Backend> {
    /// Nothing.
    None,
    /// This, of the input's shape.
    Added(FloatTensor<B>),
}

/// The result of [`BatchNormOps::normalise`].
#[derive(Clone, Debug, ExtensionType)]
pub struct Normalised<B: Backend> {
    /// Of the input's shape.
    pub output: FloatTensor<B>,
    /// The mean that was subtracted.
    pub mean: FloatTensor<B>,
    /// The biased variance that was divided by.
    pub variance: FloatTensor<B>,
}

/// Batch norm as an operation that Burn dispatches to the back end of its inputs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait BatchNormOps: Backend {
    /// See [`batch_norm_train`] and [`batch_norm_inference`].
    fn normalise(#[extension_type] inputs: Inputs<Self>) -> Normalised<Self> {
        composed::forward::<Self>(inputs)
    }
}

/// The computations behind [`BatchNormOps`] on one back end; the provided bodies are composed of
/// Burn's operations.
pub trait BatchNormKernels: Backend {
    /// See [`BatchNormOps::normalise`].
    fn batch_norm_forward(inputs: Inputs<Self>) -> Normalised<Self> {
        composed::forward::<Self>(inputs)
    }

    /// The gradients, from that of the output.
    fn batch_norm_backward(gradient: FloatTensor<Self>, saved: Saved<Self>) -> Slopes<Self> {
        composed::backward::<Self>(gradient, saved)
    }
}

/// What the backward pass needs of the forward pass.
#[derive(Clone, Debug)]
pub struct Saved<B: Backend> {
    /// The input.
    pub x: FloatTensor<B>,
    /// The scale of each channel.
    pub weight: FloatTensor<B>,
    /// The shift of each channel.
    pub bias: FloatTensor<B>,
    /// The mean of each channel.
    pub mean: FloatTensor<B>,
    /// The biased variance of each channel.
    pub variance: FloatTensor<B>,
    /// What was added to the variance.
    pub epsilon: f64,
    /// Whether mean and variance were given, and not those of the batch, which follow the input.
    pub given: bool,
    /// What came after the normalisation.
    pub tail: SavedTail<B>,
}

/// What came after the normalisation, and where the sign is found that a ReLU saw.
#[derive(Clone, Debug)]
pub enum SavedTail<B: Backend> {
    /// Nothing.
    Nothing,
    /// A residual was added.
    Residual,
    /// A ReLU, whose input follows from `x` and costs no memory.
    Relu,
    /// A residual and then a ReLU, whose output this is.
    ResidualRelu(FloatTensor<B>),
}

/// The gradients of batch norm.
#[derive(Clone, Debug)]
pub struct Slopes<B: Backend> {
    /// Of the input.
    pub x: FloatTensor<B>,
    /// Of the scale.
    pub weight: FloatTensor<B>,
    /// Of the shift.
    pub bias: FloatTensor<B>,
    /// Of the residual, if there was one.
    pub residual: Option<FloatTensor<B>>,
}

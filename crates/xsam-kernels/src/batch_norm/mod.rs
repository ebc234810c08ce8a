//! Batch norm, fused with a residual addition and a ReLU.

mod autodiff;
mod composed;
mod flex;
mod ranks;
mod stack;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, Scalar, TensorMetadata, backend_extension};
use burn::tensor::Tensor;

use crate::half::{in_single, is_half, narrowed, widened};
use crate::kinks;
use crate::optional::Optional;

pub use ranks::BatchNormRanks;
use ranks::OfAllRanks;
pub use stack::FeatureStack;
#[cfg(feature = "gpu")]
pub(crate) use stack::StackKernels;

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

impl<const D: usize> BatchNormTail<D> {
    fn widened(self) -> Self {
        Self {
            residual: self.residual.map(widened),
            ..self
        }
    }

    /// The residual, which has the shape of `x`, and whether a ReLU comes last.
    fn checked(self, x: &Tensor<D>) -> (Optional<Dispatch>, bool) {
        if let Some(residual) = &self.residual {
            let (actual, expected) = (residual.dims(), x.dims());
            assert_eq!(actual, expected, "the residual has another shape than x");
        }
        let residual = Optional::new(self.residual.map(Tensor::into_dispatch));
        (residual, self.relu)
    }
}

/// The mean and the biased variance of each channel, `[channels]` each.
#[derive(Clone, Debug)]
pub struct BatchNormStatistics {
    /// Mean of each channel over the batch, `[channels]`.
    pub mean: Tensor<1>,
    /// The variance, with the number of values as its divisor.
    pub variance: Tensor<1>,
}

impl BatchNormStatistics {
    /// Those of no channel of `x`.
    fn unknown<const D: usize>(x: &Tensor<D>) -> Self {
        let none = || Tensor::empty([0], (&x.device(), x.dtype()));
        Self {
            mean: none(),
            variance: none(),
        }
    }
}

/// The statistics that a batch was normalised by.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// The mean of each channel, `[channels]`.
    pub mean: Tensor<1>,
    /// The variance of each channel, `[channels]`, with `count` as its divisor.
    pub variance: Tensor<1>,
    /// Number of values of a channel, on all ranks if there are several.
    pub count: usize,
}

impl From<BatchStatistics> for BatchNormStatistics {
    fn from(measured: BatchStatistics) -> Self {
        Self {
            mean: measured.mean,
            variance: measured.variance,
        }
    }
}

impl BatchStatistics {
    fn of<const D: usize>(statistics: BatchNormStatistics, shape: [usize; D]) -> Self {
        Self {
            mean: statistics.mean,
            variance: statistics.variance,
            count: shape.iter().product::<usize>() / shape[1].max(1),
        }
    }
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
/// The batch is that of all ranks in a pass that [`BatchNormRanks`] share. It then costs one more pass over `x` in each
/// direction.
///
/// Source: Ioffe and Szegedy, <https://arxiv.org/abs/1502.03167>.
///
/// # Panics
/// If the rank is below 2 or a shape does not fit `x`.
pub fn batch_norm_train<const D: usize>(
    x: Tensor<D>,
    params: BatchNormParams,
    tail: BatchNormTail<D>,
) -> (Tensor<D>, BatchStatistics) {
    if is_half(x.dtype()) {
        let format = x.dtype();
        let (output, statistics) = batch_norm_train(widened(x), params, tail.widened());
        return (narrowed(output, format), statistics);
    }
    if let Some(ranks) = BatchNormRanks::current() {
        return over_ranks(x, params, tail, ranks);
    }
    let (shape, unknown) = (x.dims(), BatchNormStatistics::unknown(&x));
    let (output, statistics) = normalised(x, params, unknown, tail);
    (output, BatchStatistics::of(statistics, shape))
}

fn over_ranks<const D: usize>(
    x: Tensor<D>,
    params: BatchNormParams,
    tail: BatchNormTail<D>,
    ranks: BatchNormRanks,
) -> (Tensor<D>, BatchStatistics) {
    let channels = Channels::new(x.dims(), params, BatchNormStatistics::unknown(&x));
    let (residual, relu) = tail.checked(&x);
    let OfAllRanks { result, values } = <Dispatch as BatchNormOps>::normalise_over_ranks(
        x.into_dispatch(),
        channels,
        residual,
        relu && !kinks::are_watched(),
        ranks,
    );
    let (output, statistics) = result.with_rest(relu);
    let statistics = BatchStatistics {
        mean: statistics.mean,
        variance: statistics.variance,
        count: values,
    };
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
    in_single(x, |x| normalised(x, params, statistics, tail.widened()).0)
}

fn normalised<const D: usize>(
    x: Tensor<D>,
    params: BatchNormParams,
    known: BatchNormStatistics,
    tail: BatchNormTail<D>,
) -> (Tensor<D>, BatchNormStatistics) {
    let channels = Channels::new(x.dims(), params, known);
    let (residual, relu) = tail.checked(&x);
    let result = <Dispatch as BatchNormOps>::normalise(
        x.into_dispatch(),
        channels,
        residual,
        relu && !kinks::are_watched(),
    );
    result.with_rest(relu)
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

/// Scale, shift and statistics of each channel.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct Channels<B: Backend> {
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    epsilon: f64,
    /// Of the first channels; those of the others are measured.
    mean: FloatTensor<B>,
    /// Of the same channels, biased.
    variance: FloatTensor<B>,
}

impl Channels<Dispatch> {
    fn new<const D: usize>(
        shape: [usize; D],
        params: BatchNormParams,
        known: BatchNormStatistics,
    ) -> Self {
        for tensor in [&params.weight, &params.bias] {
            check_channels(shape, tensor);
        }
        Self {
            weight: params.weight.into_dispatch(),
            bias: params.bias.into_dispatch(),
            epsilon: params.epsilon,
            mean: known.mean.into_dispatch(),
            variance: known.variance.into_dispatch(),
        }
    }
}

impl<B: Backend> Channels<B> {
    /// Whether there is nothing left to measure.
    fn are_known(&self) -> bool {
        self.mean.shape() == self.weight.shape()
    }

    /// The same channels, with the statistics that they were normalised by.
    fn with_statistics_of(self, result: &Normalised<B>) -> Self {
        Self {
            mean: result.mean.clone(),
            variance: result.variance.clone(),
            ..self
        }
    }
}

/// The result of [`BatchNormOps::normalise`], with the mean that was subtracted and the biased variance that was
/// divided by.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct Normalised<B: Backend> {
    output: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
}

impl Normalised<Dispatch> {
    /// The output, with a ReLU that is left to be done, and the statistics.
    fn with_rest<const D: usize>(self, relu: bool) -> (Tensor<D>, BatchNormStatistics) {
        let statistics = BatchNormStatistics {
            mean: Tensor::from_dispatch(self.mean),
            variance: Tensor::from_dispatch(self.variance),
        };
        let output = kinks::rest(Tensor::from_dispatch(self.output), relu);
        (output, statistics)
    }
}

/// Batch norm, as Burn dispatches it to the back end of its inputs; the provided bodies are composed of Burn's
/// operations.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub(crate) trait BatchNormOps: Backend {
    /// See [`batch_norm_train`] and [`batch_norm_inference`].
    fn normalise(
        x: FloatTensor<Self>,
        #[extension_type] channels: Channels<Self>,
        #[extension_type] residual: Optional<Self>,
        relu: bool,
    ) -> Normalised<Self> {
        composed::forward::<Self>(x, channels, residual, relu)
    }

    /// The same by the statistics of the batches of all ranks.
    fn normalise_over_ranks(
        x: FloatTensor<Self>,
        #[extension_type] channels: Channels<Self>,
        #[extension_type] residual: Optional<Self>,
        relu: bool,
        ranks: BatchNormRanks,
    ) -> OfAllRanks<Self> {
        ranks::forward::<Self>(x, channels, residual, relu, &ranks)
    }

    /// The gradients, from that of the output.
    fn normalise_backward(
        gradient: FloatTensor<Self>,
        #[extension_type] saved: Saved<Self>,
    ) -> InputGradients<Self> {
        composed::backward::<Self>(gradient, saved)
    }
}

/// What the backward pass needs of the forward pass.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct Saved<B: Backend> {
    x: FloatTensor<B>,
    /// With the statistics of all.
    #[extension_type]
    channels: Channels<B>,
    /// Whether mean and variance were given, and not those of the batch, which follow the input.
    given: bool,
    /// What came after the normalisation.
    #[extension_type]
    tail: SavedTail<B>,
}

/// What came after the normalisation, and where the sign is found that a ReLU saw.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) enum SavedTail<B: Backend> {
    Nothing,
    /// A residual was added.
    Residual,
    /// A ReLU, whose input follows from `x` and costs no memory.
    Relu,
    /// A residual and then a ReLU, whose output this is.
    ResidualRelu(FloatTensor<B>),
}

impl<B: Backend> SavedTail<B> {
    fn of_stack(relu: bool) -> Self {
        match relu {
            true => Self::Relu,
            false => Self::Nothing,
        }
    }
}

/// The gradients of the inputs, without those of given statistics.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct InputGradients<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    #[extension_type]
    residual: Optional<B>,
}

//! Batch norm of feature maps that are never copied into one tensor.

mod autodiff;
mod flex;
mod link;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, TensorMetadata, backend_extension};
use burn::tensor::{Device, Slice, Tensor};

use super::{
    BatchNormKernels, BatchNormParams, BatchNormStatistics, BatchNormTail, Inputs, Normalised,
    Residual, Saved, SavedTail, Statistics, batch_norm_inference, check_channels,
};
pub use link::Link;

use crate::kinks;

/// Feature maps one behind the other along the channels, as the layers of a dense block see them:
/// each layer normalises all that are there and appends its own.
///
/// The maps stay where they are. Copied into one tensor anew for every layer, and their gradients out
/// of it and added up, they would be half of what a DenseNet moves through memory. Besides, the mean
/// and the variance of a channel are measured once, for all layers.
///
/// Source: Huang et al., <https://arxiv.org/abs/1608.06993>.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use xsam_kernels::{BatchNormParams, FeatureStack};
///
/// let device = Device::flex().autodiff();
/// let mut stack = FeatureStack::new(Tensor::<4>::ones([8, 64, 16, 16], &device));
/// stack.push(Tensor::ones([8, 32, 16, 16], &device));
/// let params = BatchNormParams {
///     weight: Tensor::ones([96], &device),
///     bias: Tensor::zeros([96], &device),
///     epsilon: 1e-5,
/// };
/// let (normalised, statistics) = stack.batch_norm_train(params, true);
/// assert_eq!(normalised.dims(), [8, 96, 16, 16]);
/// assert_eq!(statistics.mean.dims(), [96]);
/// ```
#[derive(Clone, Debug)]
pub struct FeatureStack<const D: usize> {
    /// As they were given.
    maps: Vec<Tensor<D>>,
    /// The same, each tied to the one before it.
    links: Vec<Link>,
    /// The last one, on the tape.
    last: Tensor<D>,
    /// Of the channels that have been normalised before.
    measured: BatchNormStatistics,
}

impl<const D: usize> FeatureStack<D> {
    /// A stack of `[batch, channels, ...]`.
    ///
    /// # Panics
    /// If the rank is below 2.
    pub fn new(first: Tensor<D>) -> Self {
        assert!(
            D >= 2,
            "channels are the second dimension, which {:?} has not",
            first.dims()
        );
        let none = || Tensor::empty([0], (&first.device(), first.dtype()));
        let link = Link::default();
        Self {
            last: tied(&first, first.clone(), &link),
            links: vec![link],
            measured: BatchNormStatistics {
                mean: none(),
                variance: none(),
            },
            maps: vec![first],
        }
    }

    /// Appends channels, without a copy.
    ///
    /// # Panics
    /// If the shape differs from those before in more than the channels.
    pub fn push(&mut self, new: Tensor<D>) {
        let (first, shape) = (self.maps[0].dims(), new.dims());
        let same = (0..D).all(|d| d == 1 || first[d] == shape[d]);
        assert!(same, "{first:?} and {shape:?} differ in more than channels");
        let link = Link::default();
        self.last = tied(&self.last, new.clone(), &link);
        self.links.push(link);
        self.maps.push(new);
    }

    /// Where the maps are.
    pub fn device(&self) -> Device {
        self.maps[0].device()
    }

    /// The shape of all maps together.
    pub fn dims(&self) -> [usize; D] {
        let mut dims = self.maps[0].dims();
        dims[1] = self.maps.iter().map(|map| map.dims()[1]).sum();
        dims
    }

    /// [`batch_norm_train`](super::batch_norm_train) of all maps together, and a ReLU if `relu` says so.
    ///
    /// # Panics
    /// If weight and bias have not one number a channel.
    pub fn batch_norm_train(
        &mut self,
        params: BatchNormParams,
        relu: bool,
    ) -> (Tensor<D>, BatchNormStatistics) {
        let known = self.measured.clone();
        let result = self.normalised(params, known, relu);
        self.measured = BatchNormStatistics {
            mean: Tensor::from_dispatch(result.mean),
            variance: Tensor::from_dispatch(result.variance),
        };
        let output = kinks::rest(Tensor::from_dispatch(result.output), relu);
        (output, self.measured.clone())
    }

    /// [`batch_norm_inference`](super::batch_norm_inference) of all maps together, and a ReLU if `relu`
    /// says so.
    ///
    /// # Panics
    /// If a shape does not fit.
    pub fn batch_norm_inference(
        &self,
        params: BatchNormParams,
        statistics: BatchNormStatistics,
        relu: bool,
    ) -> Tensor<D> {
        if self.device().is_autodiff() {
            let tail = BatchNormTail {
                residual: None,
                relu,
            };
            let joined = Tensor::cat(self.maps.clone(), 1);
            return batch_norm_inference(joined, params, statistics, tail);
        }
        let dims = self.dims();
        for tensor in [&statistics.mean, &statistics.variance] {
            check_channels(dims, tensor);
        }
        let output = self.normalised(params, statistics, relu).output;
        kinks::rest(Tensor::from_dispatch(output), relu)
    }

    fn normalised(
        &self,
        params: BatchNormParams,
        known: BatchNormStatistics,
        relu: bool,
    ) -> Normalised<Dispatch> {
        let dims = self.dims();
        for tensor in [&params.weight, &params.bias] {
            check_channels(dims, tensor);
        }
        <Dispatch as StackOps>::normalise_stack(
            self.last.clone().into_dispatch(),
            self.links.clone(),
            StackInputs {
                weight: params.weight.into_dispatch(),
                bias: params.bias.into_dispatch(),
                epsilon: params.epsilon,
                mean: known.mean.into_dispatch(),
                variance: known.variance.into_dispatch(),
                relu: relu && !kinks::are_watched(),
            },
        )
    }
}

fn tied<const D: usize>(before: &Tensor<D>, new: Tensor<D>, link: &Link) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as StackOps>::tie(
        before.clone().into_dispatch(),
        new.into_dispatch(),
        link.clone(),
    ))
}

/// The inputs of [`StackOps::normalise_stack`] besides the maps.
#[derive(Clone, Debug, ExtensionType)]
pub struct StackInputs<B: Backend> {
    /// See [`BatchNormParams`].
    pub weight: FloatTensor<B>,
    /// See [`BatchNormParams`].
    pub bias: FloatTensor<B>,
    /// See [`BatchNormParams`].
    pub epsilon: f64,
    /// The mean of each of the first channels; those of the others are measured.
    pub mean: FloatTensor<B>,
    /// The biased variance of the same channels.
    pub variance: FloatTensor<B>,
    /// Whether a ReLU comes last.
    pub relu: bool,
}

/// The parts of [`FeatureStack`] that Burn dispatches to the back end of their inputs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait StackOps: Backend {
    /// `new`, which becomes the map of `link`. On a tape its gradient is what the backward passes of
    /// [`normalise_stack`](StackOps::normalise_stack) have added up in `link`; it comes after them in the
    /// order of the tape, and before that of `before`.
    fn tie(before: FloatTensor<Self>, new: FloatTensor<Self>, link: Link) -> FloatTensor<Self> {
        drop(before);
        link.set_map::<Self>(new.clone());
        new
    }

    /// Batch norm of the maps of all links, with the statistics of the batch on a tape. The last one is
    /// given as the result of [`tie`](StackOps::tie), too.
    fn normalise_stack(
        last: FloatTensor<Self>,
        links: Vec<Link>,
        #[extension_type] inputs: StackInputs<Self>,
    ) -> Normalised<Self> {
        drop(last);
        let maps = links.iter().map(Link::map::<Self>).collect();
        composed_forward::<Self>(maps, inputs)
    }
}

/// The computations behind [`StackOps`] on one back end; the provided bodies join the maps.
pub trait StackKernels: BatchNormKernels {
    /// See [`StackOps::normalise_stack`].
    fn stack_forward(maps: Vec<FloatTensor<Self>>, inputs: StackInputs<Self>) -> Normalised<Self> {
        composed_forward::<Self>(maps, inputs)
    }

    /// The gradients, from that of the output and the inputs, of which mean and variance are those of all
    /// channels; the gradients of the maps are added to `sums`.
    fn stack_backward(
        gradient: FloatTensor<Self>,
        maps: Vec<FloatTensor<Self>>,
        inputs: StackInputs<Self>,
        sums: Vec<Option<FloatTensor<Self>>>,
    ) -> StackSlopes<Self> {
        composed_backward::<Self>(gradient, maps, inputs, sums)
    }
}

/// The gradients of batch norm of a stack.
#[derive(Clone, Debug)]
pub struct StackSlopes<B: Backend> {
    /// Of each map, all that have been found so far.
    pub maps: Vec<FloatTensor<B>>,
    /// Of the scale.
    pub weight: FloatTensor<B>,
    /// Of the shift.
    pub bias: FloatTensor<B>,
}

fn composed_forward<B: Backend>(
    maps: Vec<FloatTensor<B>>,
    inputs: StackInputs<B>,
) -> Normalised<B> {
    let x = B::float_cat(maps, 1);
    let all_known = inputs.mean.shape()[0] == x.shape()[1];
    super::composed::forward::<B>(Inputs {
        weight: inputs.weight,
        bias: inputs.bias,
        epsilon: inputs.epsilon,
        statistics: if all_known {
            Statistics::Given {
                mean: inputs.mean,
                variance: inputs.variance,
            }
        } else {
            Statistics::OfBatch
        },
        residual: Residual::None,
        relu: inputs.relu,
        x,
    })
}

fn composed_backward<B: Backend>(
    gradient: FloatTensor<B>,
    maps: Vec<FloatTensor<B>>,
    inputs: StackInputs<B>,
    sums: Vec<Option<FloatTensor<B>>>,
) -> StackSlopes<B> {
    let widths: Vec<usize> = maps.iter().map(|map| map.shape()[1]).collect();
    let slopes = super::composed::backward::<B>(
        gradient,
        Saved {
            x: B::float_cat(maps, 1),
            weight: inputs.weight,
            bias: inputs.bias,
            mean: inputs.mean,
            variance: inputs.variance,
            epsilon: inputs.epsilon,
            given: false,
            tail: if inputs.relu {
                SavedTail::Relu
            } else {
                SavedTail::Nothing
            },
        },
    );
    let mut first = 0;
    let mut maps = Vec::with_capacity(widths.len());
    for (width, sum) in widths.into_iter().zip(sums) {
        let channels = Slice::new(first as isize, Some((first + width) as isize), 1);
        let slope = B::float_slice(slopes.x.clone(), &[Slice::full(), channels]);
        maps.push(match sum {
            Some(sum) => B::float_add(slope, sum),
            None => slope,
        });
        first += width;
    }
    StackSlopes {
        maps,
        weight: slopes.weight,
        bias: slopes.bias,
    }
}

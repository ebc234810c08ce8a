//! Batch norm of feature maps that are never copied into one tensor.

mod autodiff;
mod link;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{Device, Slice, Tensor};

use super::{
    BatchNormParams, BatchNormRanks, BatchNormStatistics, BatchNormTail, BatchStatistics, Channels,
    Normalised, Saved, SavedTail, batch_norm_inference, batch_norm_train, check_channels, composed,
};
use crate::half::is_half;
use crate::kinks;
use crate::optional::Optional;
use link::Link;

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
        let link = Link::default();
        Self {
            last: tied(&first, first.clone(), &link),
            links: vec![link],
            measured: BatchNormStatistics::unknown(&first),
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

    /// [`batch_norm_train`](super::batch_norm_train) of all maps together, and a ReLU if `relu` says so. With the statistics
    /// of several ranks, and in half precision, the maps are copied into one tensor.
    ///
    /// # Panics
    /// If weight and bias have not one number a channel.
    pub fn batch_norm_train(
        &mut self,
        params: BatchNormParams,
        relu: bool,
    ) -> (Tensor<D>, BatchStatistics) {
        if is_half(self.maps[0].dtype()) || BatchNormRanks::current().is_some() {
            return batch_norm_train(self.joined(), params, Self::tail(relu));
        }
        let (output, measured) = self.normalised(params, self.measured.clone(), relu);
        self.measured = measured.clone();
        (output, BatchStatistics::of(measured, self.dims()))
    }

    fn joined(&self) -> Tensor<D> {
        Tensor::cat(self.maps.clone(), 1)
    }

    fn tail(relu: bool) -> BatchNormTail<D> {
        BatchNormTail {
            residual: None,
            relu,
        }
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
        if self.device().is_autodiff() || is_half(self.maps[0].dtype()) {
            return batch_norm_inference(self.joined(), params, statistics, Self::tail(relu));
        }
        let dims = self.dims();
        for tensor in [&statistics.mean, &statistics.variance] {
            check_channels(dims, tensor);
        }
        self.normalised(params, statistics, relu).0
    }

    fn normalised(
        &self,
        params: BatchNormParams,
        known: BatchNormStatistics,
        relu: bool,
    ) -> (Tensor<D>, BatchNormStatistics) {
        let result = <Dispatch as StackOps>::normalise_stack(
            self.last.clone().into_dispatch(),
            self.links.clone(),
            Channels::new(self.dims(), params, known),
            relu && !kinks::are_watched(),
        );
        result.with_rest(relu)
    }
}

fn tied<const D: usize>(before: &Tensor<D>, new: Tensor<D>, link: &Link) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as StackOps>::tie(
        before.clone().into_dispatch(),
        new.into_dispatch(),
        link.clone(),
    ))
}

/// The parts of [`FeatureStack`], as Burn dispatches them to the back end of their inputs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
trait StackOps: Backend {
    /// `new`, which becomes the map of `link`. On a tape its gradient is what the backward passes of
    /// [`normalise_stack`](StackOps::normalise_stack) have added up in `link`; it comes after them in the
    /// order of the tape, and before that of `before`.
    fn tie(before: FloatTensor<Self>, new: FloatTensor<Self>, link: Link) -> FloatTensor<Self>;

    /// Batch norm of the maps of all links, with the statistics of the batch on a tape. The last one is
    /// given as the result of [`tie`](StackOps::tie), too.
    fn normalise_stack(
        last: FloatTensor<Self>,
        links: Vec<Link>,
        #[extension_type] channels: Channels<Self>,
        relu: bool,
    ) -> Normalised<Self>;
}

impl<B: StackKernels> StackOps for B {
    fn tie(_: FloatTensor<B>, new: FloatTensor<B>, link: Link) -> FloatTensor<B> {
        link.set_map::<B>(new.clone());
        new
    }

    fn normalise_stack(
        _: FloatTensor<B>,
        links: Vec<Link>,
        channels: Channels<B>,
        relu: bool,
    ) -> Normalised<B> {
        B::stack_forward(links.iter().map(Link::map::<B>).collect(), channels, relu)
    }
}

/// The computations behind [`StackOps`] on one back end, which take lists of tensors, as no dispatched operation does;
/// the provided bodies join the maps.
pub(crate) trait StackKernels: Backend {
    /// See [`StackOps::normalise_stack`].
    fn stack_forward(
        maps: Vec<FloatTensor<Self>>,
        channels: Channels<Self>,
        relu: bool,
    ) -> Normalised<Self> {
        composed_forward::<Self>(maps, channels, relu)
    }

    /// The gradients, from that of the output and the inputs, with the statistics of all channels; the gradients of the
    /// maps are added to `sums`.
    fn stack_backward(
        gradient: FloatTensor<Self>,
        maps: Vec<FloatTensor<Self>>,
        channels: Channels<Self>,
        relu: bool,
        sums: Vec<Option<FloatTensor<Self>>>,
    ) -> StackGradients<Self> {
        composed_backward::<Self>(gradient, maps, channels, relu, sums)
    }
}

/// The gradients of batch norm of a stack.
#[derive(Clone, Debug)]
pub(crate) struct StackGradients<B: Backend> {
    /// Of each map, all that have been found so far.
    pub(super) maps: Vec<FloatTensor<B>>,
    pub(super) weight: FloatTensor<B>,
    pub(super) bias: FloatTensor<B>,
}

pub(super) fn composed_forward<B: Backend>(
    maps: Vec<FloatTensor<B>>,
    channels: Channels<B>,
    relu: bool,
) -> Normalised<B> {
    composed::forward::<B>(B::float_cat(maps, 1), channels, Optional::None, relu)
}

pub(super) fn composed_backward<B: Backend>(
    gradient: FloatTensor<B>,
    maps: Vec<FloatTensor<B>>,
    channels: Channels<B>,
    relu: bool,
    sums: Vec<Option<FloatTensor<B>>>,
) -> StackGradients<B> {
    let widths: Vec<usize> = maps.iter().map(|map| map.shape()[1]).collect();
    let saved = Saved {
        x: B::float_cat(maps, 1),
        channels,
        given: false,
        tail: SavedTail::of_stack(relu),
    };
    let gradients = composed::backward::<B>(gradient, saved);
    let mut first = 0;
    let mut maps = Vec::with_capacity(widths.len());
    for (width, sum) in widths.into_iter().zip(sums) {
        let channels = Slice::new(first as isize, Some((first + width) as isize), 1);
        let dx = B::float_slice(gradients.x.clone(), &[Slice::full(), channels]);
        maps.push(match sum {
            Some(sum) => B::float_add(dx, sum),
            None => dx,
        });
        first += width;
    }
    StackGradients {
        maps,
        weight: gradients.weight,
        bias: gradients.bias,
    }
}

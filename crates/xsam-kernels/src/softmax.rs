//! Softmax over the last dimension.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;

use crate::cpu::softmax as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::half::in_single;
use crate::profile::Timer;
use crate::tape::record;

/// `exp(x)` over its sum along the last dimension, for any rank from 1.
///
/// A row with NaN or an infinity that makes the quotient indeterminate, such as one of minus infinity
/// throughout, is NaN; [`attention`](crate::attention) has masks that leave rows without such a thing.
///
/// On Flex in `f32` each direction reads and writes every tensor once; the backward pass keeps the output.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    in_single(x, |x| {
        Tensor::from_dispatch(<Dispatch as SoftmaxOps>::row_softmax(x.into_dispatch()))
    })
}

/// Softmax, as Burn dispatches it to the back end of its input; the provided bodies are composed of Burn's operations.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait SoftmaxOps: Backend {
    /// See [`softmax`].
    fn row_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::<Self>(x)
    }

    /// The gradient of the input, from that of the output and the output itself.
    fn row_softmax_backward(
        gradient: FloatTensor<Self>,
        output: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed_gradient::<Self>(gradient, output)
    }
}

/// Softmax over the last dimension from Burn's operations.
pub(crate) fn composed<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let last = x.shape().num_dims() - 1;
    let top = B::float_max_dim(x.clone(), last);
    let exponentials = B::float_exp(B::float_sub(x, top));
    let total = B::float_sum_dim(exponentials.clone(), last);
    B::float_div(exponentials, total)
}

/// The gradient of the input of [`composed`].
pub(crate) fn composed_gradient<B: Backend>(
    gradient: FloatTensor<B>,
    output: FloatTensor<B>,
) -> FloatTensor<B> {
    let last = output.shape().num_dims() - 1;
    let level = B::float_sum_dim(B::float_mul(gradient.clone(), output.clone()), last);
    B::float_mul(output, B::float_sub(gradient, level))
}

fn width(tensor: &Flat) -> usize {
    let shape = tensor.shape();
    shape[shape.num_dims() - 1]
}

impl SoftmaxOps for Flex {
    fn row_softmax(x: Flat) -> Flat {
        let _timer = Timer::start("softmax, forward");
        if !takes([&x]) {
            return composed::<Self>(x);
        }
        let y = cpu::forward(x.to_contiguous().storage(), width(&x));
        tensor(y, x.shape())
    }

    fn row_softmax_backward(gradient: Flat, output: Flat) -> Flat {
        let _timer = Timer::start("softmax, backward");
        if !takes([&gradient, &output]) {
            return composed_gradient::<Self>(gradient, output);
        }
        let (gradient, y) = (gradient.to_contiguous(), output.to_contiguous());
        let dx = cpu::backward(gradient.storage(), y.storage(), width(&output));
        tensor(dx, output.shape())
    }
}

impl<B: SoftmaxOps, C: CheckpointStrategy> SoftmaxOps for Autodiff<B, C> {
    fn row_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let output = B::row_softmax(x);
        record::<B, C, _, _>([node], output.clone(), output, |gradient, output, _| {
            [Some(B::row_softmax_backward(gradient, output))]
        })
    }
}

//! Channels of two tensors, one after the other.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Slice, Tensor};

use crate::cpu::concat as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;

/// `[batch, a, ...]` and `[batch, b, ...]` to `[batch, a + b, ...]`.
///
/// On Flex in `f32` each direction copies every value once, on all threads.
///
/// # Panics
/// If the rank is below 2 or the shapes differ in more than the channels.
pub fn concat_channels<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    let (left, right) = (a.dims(), b.dims());
    assert!(
        D >= 2,
        "channels are the second dimension, which {left:?} has not"
    );
    let same = (0..D).all(|d| d == 1 || left[d] == right[d]);
    assert!(same, "{left:?} and {right:?} differ in more than channels");
    let joined = <Dispatch as ConcatOps>::join_channels(a.into_dispatch(), b.into_dispatch());
    Tensor::from_dispatch(joined)
}

/// Concatenation as an operation that Burn dispatches to the back end of its inputs.
#[backend_extension(Flex, Autodiff)]
pub trait ConcatOps: Backend {
    /// See [`concat_channels`].
    fn join_channels(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_cat(vec![a, b], 1)
    }
}

/// The computations behind [`ConcatOps`] on one back end; the provided bodies are Burn's own.
pub trait ConcatKernels: Backend {
    /// See [`concat_channels`].
    fn concat_forward(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_cat(vec![a, b], 1)
    }

    /// The gradients of both inputs, of which the first has that many channels.
    fn concat_backward(
        gradient: FloatTensor<Self>,
        first: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed_backward::<Self>(gradient, first)
    }
}

fn composed_backward<B: Backend>(
    gradient: FloatTensor<B>,
    first: usize,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let all = gradient.shape()[1];
    let whole = Slice::full();
    let part = |from: usize, to: usize| {
        let channels = Slice::new(from as isize, Some(to as isize), 1);
        B::float_slice(gradient.clone(), &[whole, channels])
    };
    (part(0, first), part(first, all))
}

/// Rows, and the length of each, of a tensor of which a row is an image.
fn rows(shape: &Shape) -> [usize; 2] {
    [shape[0], (1..shape.num_dims()).map(|d| shape[d]).product()]
}

impl ConcatKernels for Flex {
    fn concat_forward(a: Flat, b: Flat) -> Flat {
        let _timer = Timer::start("concatenation, forward");
        if !takes([&a, &b]) {
            return Self::float_cat(vec![a, b], 1);
        }
        let (a, b) = (a.to_contiguous(), b.to_contiguous());
        let mut shape = a.shape();
        shape[1] += b.shape()[1];
        let [images, length] = rows(&shape);
        let [_, first] = rows(&a.shape());
        let joined = cpu::join(a.storage(), b.storage(), images, [first, length - first]);
        tensor(joined, shape)
    }

    fn concat_backward(gradient: Flat, first: usize) -> (Flat, Flat) {
        let _timer = Timer::start("concatenation, backward");
        if !takes([&gradient]) {
            return composed_backward::<Self>(gradient, first);
        }
        let gradient = gradient.to_contiguous();
        let mut shapes = [gradient.shape(), gradient.shape()];
        shapes[0][1] = first;
        shapes[1][1] -= first;
        let [images, a] = rows(&shapes[0]);
        let [_, b] = rows(&shapes[1]);
        let parts = cpu::part(gradient.storage(), images, [a, b]);
        let [a, b] = shapes;
        (tensor(parts.0, a), tensor(parts.1, b))
    }
}

impl ConcatOps for Flex {
    fn join_channels(a: Flat, b: Flat) -> Flat {
        Self::concat_forward(a, b)
    }
}

#[derive(Debug)]
struct ConcatBackward;

impl<B: ConcatKernels> Backward<B, 2> for ConcatBackward {
    /// Channels of the first input.
    type State = usize;

    fn backward(self, ops: Ops<usize, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (a, b) = B::concat_backward(gradient, ops.state);
        for (parent, slope) in ops.parents.into_iter().zip([a, b]) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, slope);
            }
        }
    }
}

impl<B: ConcatKernels, C: CheckpointStrategy> ConcatOps for Autodiff<B, C> {
    fn join_channels(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((a, a_node), (b, b_node)) = (a.into_parts(), b.into_parts());
        let first = a.shape()[1];
        let joined = B::concat_forward(a, b);
        match ConcatBackward
            .prepare::<C>([a_node, b_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(first, joined),
            OpsKind::UnTracked(prep) => prep.finish(joined),
        }
    }
}

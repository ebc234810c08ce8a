//! Dropout.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Scalar, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, TensorData};

use crate::cpu::dropout::Mask;
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;

/// Sets each element of `x` to zero with the given probability, and divides the others by the probability
/// to stay.
///
/// Which elements go follows from `seed` and the place of the element in row-major order alone, so that it
/// does not depend on threads, instruction set, number format or back end, and a pass can be repeated
/// exactly. Two calls that are to be independent need different seeds. At probability 0 the result is `x`
/// itself. As in PyTorch, NaN and infinities that are dropped are NaN.
///
/// On Flex in `f32` each direction is one pass, and nothing is kept between them: the backward pass makes
/// the mask anew. On other back ends the mask is made on the host.
///
/// # Panics
/// If `probability` is not at least 0 and below 1.
pub fn dropout<const D: usize>(x: Tensor<D>, probability: f64, seed: u64) -> Tensor<D> {
    assert!(
        (0.0..1.0).contains(&probability),
        "the dropout probability must be at least 0 and below 1, got {probability}"
    );
    if probability == 0.0 {
        return x;
    }
    let x = x.into_dispatch();
    Tensor::from_dispatch(<Dispatch as DropoutOps>::drop_out(x, probability, seed))
}

/// Dropout as an operation that Burn dispatches to the back end of its input.
#[backend_extension(Flex, Autodiff)]
pub trait DropoutOps: Backend {
    /// See [`dropout`].
    fn drop_out(x: FloatTensor<Self>, probability: f64, seed: u64) -> FloatTensor<Self> {
        composed::<Self>(x, probability, seed)
    }
}

/// The computation behind [`DropoutOps`] on one back end; the provided body is composed of Burn's operations.
pub trait DropoutKernels: Backend {
    /// `x`, or its gradient, with the elements that the seed selects set to zero and the others divided
    /// by the probability to stay.
    fn thinned(x: FloatTensor<Self>, probability: f64, seed: u64) -> FloatTensor<Self> {
        composed::<Self>(x, probability, seed)
    }
}

fn composed<B: Backend>(x: FloatTensor<B>, probability: f64, seed: u64) -> FloatTensor<B> {
    let shape = x.shape();
    let ones = vec![1.0; shape.num_elements()];
    let stays = Mask::new(probability, seed).apply(&ones, 1.0);
    let stays = TensorData::new(stays, shape).convert_dtype(x.dtype());
    let stays = B::float_from_data(stays, &x.device());
    B::float_div_scalar(B::float_mul(x, stays), Scalar::Float(1.0 - probability))
}

impl DropoutKernels for Flex {
    fn thinned(x: Flat, probability: f64, seed: u64) -> Flat {
        let _timer = Timer::start("dropout, both directions");
        if !takes([&x]) {
            return composed::<Self>(x, probability, seed);
        }
        let x = x.to_contiguous();
        let factor = (1.0 / (1.0 - probability)) as f32;
        let output = Mask::new(probability, seed).apply(x.storage(), factor);
        tensor(output, x.shape())
    }
}

impl DropoutOps for Flex {
    fn drop_out(x: Flat, probability: f64, seed: u64) -> Flat {
        Self::thinned(x, probability, seed)
    }
}

#[derive(Debug)]
struct DropoutBackward;

impl<B: DropoutKernels> Backward<B, 1> for DropoutBackward {
    type State = (f64, u64);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (probability, seed) = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::thinned(gradient, probability, seed));
        }
    }
}

impl<B: DropoutKernels, C: CheckpointStrategy> DropoutOps for Autodiff<B, C> {
    fn drop_out(x: FloatTensor<Self>, probability: f64, seed: u64) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let output = B::thinned(x, probability, seed);
        match DropoutBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((probability, seed), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

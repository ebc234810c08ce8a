//! Dropout.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Scalar, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, TensorData};

use crate::cpu::dropout::Mask;
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;
use crate::tape::record;

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
    check(probability);
    if probability == 0.0 {
        return x;
    }
    let x = x.into_dispatch();
    Tensor::from_dispatch(<Dispatch as DropoutOps>::drop_out(x, probability, seed))
}

/// `x + dropout(branch)`: the end of a residual branch, to the bit what [`dropout`] and an addition give, in one
/// pass over memory on Flex in `f32`.
///
/// # Panics
/// If the shapes differ, or as [`dropout`].
pub fn dropout_add<const D: usize>(
    x: Tensor<D>,
    branch: Tensor<D>,
    probability: f64,
    seed: u64,
) -> Tensor<D> {
    assert_eq!(
        x.dims(),
        branch.dims(),
        "dropout_add: the branch has another shape"
    );
    check(probability);
    if probability == 0.0 {
        return x + branch;
    }
    let (x, branch) = (x.into_dispatch(), branch.into_dispatch());
    Tensor::from_dispatch(<Dispatch as DropoutOps>::add_dropped_out(
        x,
        branch,
        probability,
        seed,
    ))
}

#[track_caller]
fn check(probability: f64) {
    assert!(
        (0.0..1.0).contains(&probability),
        "the dropout probability must be at least 0 and below 1, got {probability}"
    );
}

/// Dropout, as Burn dispatches it to the back end of its input; the provided bodies are composed of Burn's operations.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait DropoutOps: Backend {
    /// `x`, or its gradient, with the elements that the seed selects set to zero and the others divided
    /// by the probability to stay.
    fn drop_out(x: FloatTensor<Self>, probability: f64, seed: u64) -> FloatTensor<Self> {
        composed::<Self>(x, probability, seed)
    }

    /// `x`, to which a branch is added that has gone through [`drop_out`](Self::drop_out).
    fn add_dropped_out(
        x: FloatTensor<Self>,
        branch: FloatTensor<Self>,
        probability: f64,
        seed: u64,
    ) -> FloatTensor<Self> {
        composed_addition::<Self>(x, branch, probability, seed)
    }
}

fn composed<B: Backend>(x: FloatTensor<B>, probability: f64, seed: u64) -> FloatTensor<B> {
    let shape = x.shape();
    let ones = vec![1.0; shape.num_elements()];
    let stays = Mask::new(probability, seed).apply(None, &ones, 1.0);
    let stays = TensorData::new(stays, shape).convert_dtype(x.dtype());
    let stays = B::float_from_data(stays, &x.device());
    B::float_div_scalar(B::float_mul(x, stays), Scalar::Float(1.0 - probability))
}

fn composed_addition<B: Backend>(
    x: FloatTensor<B>,
    branch: FloatTensor<B>,
    probability: f64,
    seed: u64,
) -> FloatTensor<B> {
    B::float_add(x, composed::<B>(branch, probability, seed))
}

impl DropoutOps for Flex {
    fn drop_out(x: Flat, probability: f64, seed: u64) -> Flat {
        let _timer = Timer::start("dropout, both directions");
        if !takes([&x]) {
            return composed::<Self>(x, probability, seed);
        }
        let x = x.to_contiguous();
        let mask = Mask::new(probability, seed);
        let output = mask.apply(None, x.storage(), factor(probability));
        tensor(output, x.shape())
    }

    fn add_dropped_out(x: Flat, branch: Flat, probability: f64, seed: u64) -> Flat {
        let _timer = Timer::start("dropout and addition, forward");
        if !takes([&x, &branch]) {
            return composed_addition::<Self>(x, branch, probability, seed);
        }
        let [x, branch] = [x, branch].map(|x| x.to_contiguous());
        let mask = Mask::new(probability, seed);
        let output = mask.apply(Some(x.storage()), branch.storage(), factor(probability));
        tensor(output, x.shape())
    }
}

/// What the values that stay are multiplied by.
fn factor(probability: f64) -> f32 {
    (1.0 / (1.0 - probability)) as f32
}

impl<B: DropoutOps, C: CheckpointStrategy> DropoutOps for Autodiff<B, C> {
    fn drop_out(x: FloatTensor<Self>, probability: f64, seed: u64) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let output = B::drop_out(x, probability, seed);
        let saved = (probability, seed);
        record::<B, C, _, _>([node], saved, output, |gradient, (probability, seed), _| {
            [Some(B::drop_out(gradient, probability, seed))]
        })
    }

    fn add_dropped_out(
        x: FloatTensor<Self>,
        branch: FloatTensor<Self>,
        probability: f64,
        seed: u64,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (branch, branch_node)) = (x.into_parts(), branch.into_parts());
        let output = B::add_dropped_out(x, branch, probability, seed);
        let (nodes, saved) = ([x_node, branch_node], (probability, seed));
        record::<B, C, _, _>(
            nodes,
            saved,
            output,
            |gradient, (probability, seed), wanted| {
                let branch = wanted[1].then(|| B::drop_out(gradient.clone(), probability, seed));
                [Some(gradient), branch]
            },
        )
    }
}

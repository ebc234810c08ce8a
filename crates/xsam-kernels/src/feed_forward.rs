//! Bias and activation of a hidden layer in one pass.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Scalar, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};

use crate::cpu::feed_forward::{self as cpu, Activation};
use crate::flex::{Flat, takes, tensor};
use crate::half::beside;
use crate::kinks;
use crate::profile::Timer;
use crate::tape::record;

/// `gelu(x + bias)`: what stands between the two products of a feed-forward layer.
///
/// `x` has any rank from 1 and `bias` is as long as its last dimension; gradients flow to both. The GELU is
/// the exact one, `x` times the probability that a standard normal variable is below `x` (arXiv 1606.08415),
/// as is the default in PyTorch.
///
/// On Flex in `f32` each direction reads and writes every tensor once; the backward pass keeps `x`.
///
/// # Panics
/// If `bias` is not as long as the last dimension of `x`.
pub fn bias_gelu<const D: usize>(x: Tensor<D>, bias: Tensor<1>) -> Tensor<D> {
    biased(x, bias, Activation::Gelu)
}

/// `relu(x + bias)`, with shapes, gradients and panics as those of [`bias_gelu`].
///
/// On Flex in `f32` each direction reads and writes every tensor once; the backward pass keeps the output,
/// which the product that follows keeps anyway.
pub fn bias_relu<const D: usize>(x: Tensor<D>, bias: Tensor<1>) -> Tensor<D> {
    biased(x, bias, Activation::Relu)
}

fn biased<const D: usize>(x: Tensor<D>, bias: Tensor<1>, activation: Activation) -> Tensor<D> {
    let [length] = bias.dims();
    assert_eq!(
        length,
        x.dims()[D - 1],
        "the bias needs one number a column"
    );
    let bias = beside(bias, &x);
    if activation == Activation::Relu && kinks::are_watched() {
        return kinks::relu(x + bias.unsqueeze());
    }
    Tensor::from_dispatch(<Dispatch as FeedForwardOps>::activate(
        x.into_dispatch(),
        bias.into_dispatch(),
        activation,
    ))
}

/// Bias and activation, as Burn dispatches them to the back end of their inputs; the provided bodies are composed of
/// Burn's operations.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait FeedForwardOps: Backend {
    /// See [`bias_gelu`] and [`bias_relu`].
    fn activate(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        composed::<Self>(x, bias, activation)
    }

    /// The gradients of `x` and bias. `kept` is the input for the GELU and the output for the ReLU.
    fn activate_backward(
        gradient: FloatTensor<Self>,
        kept: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed_gradients::<Self>(gradient, kept, bias, activation)
    }
}

fn add_bias<B: Backend>(x: FloatTensor<B>, bias: FloatTensor<B>) -> FloatTensor<B> {
    let rank = x.shape().num_dims();
    let mut shape = vec![1; rank];
    shape[rank - 1] = bias.shape()[0];
    B::float_add(x, B::float_reshape(bias, Shape::from(shape)))
}

/// The probability that a standard normal variable is below `x`.
fn below<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let erf = B::float_erf(B::float_mul_scalar(x, Scalar::Float(FRAC_1_SQRT_2)));
    B::float_mul_scalar(
        B::float_add_scalar(erf, Scalar::Float(1.0)),
        Scalar::Float(0.5),
    )
}

fn composed<B: Backend>(
    x: FloatTensor<B>,
    bias: FloatTensor<B>,
    activation: Activation,
) -> FloatTensor<B> {
    let x = add_bias::<B>(x, bias);
    match activation {
        Activation::Gelu => B::float_mul(x.clone(), below::<B>(x)),
        Activation::Relu => B::relu(x),
    }
}

fn composed_gradients<B: Backend>(
    gradient: FloatTensor<B>,
    kept: FloatTensor<B>,
    bias: FloatTensor<B>,
    activation: Activation,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let (shape, width) = (kept.shape(), bias.shape()[0]);
    let dx = match activation {
        // Burn's own backward of the GELU is that of its approximation with a hyperbolic tangent.
        Activation::Gelu => {
            let x = add_bias::<B>(kept, bias);
            let square = B::float_mul(x.clone(), x.clone());
            let bell = B::float_exp(B::float_mul_scalar(square, Scalar::Float(-0.5)));
            let density = B::float_div_scalar(bell, Scalar::Float((2.0 * PI).sqrt()));
            let derivative = B::float_add(below::<B>(x.clone()), B::float_mul(x, density));
            B::float_mul(gradient, derivative)
        }
        Activation::Relu => B::relu_backward(kept, gradient),
    };
    let matrix = Shape::new([shape.num_elements() / width.max(1), width]);
    let total = B::float_sum_dim(B::float_reshape(dx.clone(), matrix), 0);
    (dx, B::float_reshape(total, Shape::new([width])))
}

impl FeedForwardOps for Flex {
    fn activate(x: Flat, bias: Flat, activation: Activation) -> Flat {
        let _timer = Timer::start("bias and activation, forward");
        if !takes([&x, &bias]) {
            return composed::<Self>(x, bias, activation);
        }
        let (shape, x, bias) = (x.shape(), x.to_contiguous(), bias.to_contiguous());
        tensor(cpu::forward(x.storage(), bias.storage(), activation), shape)
    }

    fn activate_backward(
        gradient: Flat,
        kept: Flat,
        bias: Flat,
        activation: Activation,
    ) -> (Flat, Flat) {
        let _timer = Timer::start("bias and activation, backward");
        if !takes([&gradient, &kept, &bias]) {
            return composed_gradients::<Self>(gradient, kept, bias, activation);
        }
        let [gradient, kept, bias] = [gradient, kept, bias].map(|x| x.to_contiguous());
        let (dx, bias_gradient) = cpu::backward(
            gradient.storage(),
            kept.storage(),
            bias.storage(),
            activation,
        );
        (
            tensor(dx, kept.shape()),
            tensor(bias_gradient, bias.shape()),
        )
    }
}

impl<B: FeedForwardOps, C: CheckpointStrategy> FeedForwardOps for Autodiff<B, C> {
    fn activate(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (bias, bias_node)) = (x.into_parts(), bias.into_parts());
        let output = B::activate(x.clone(), bias.clone(), activation);
        let kept = match activation {
            Activation::Gelu => x,
            Activation::Relu => output.clone(),
        };
        let (nodes, saved) = ([x_node, bias_node], (kept, bias, activation));
        record::<B, C, _, _>(nodes, saved, output, |gradient, saved, _| {
            let (kept, bias, activation) = saved;
            let (x, bias) = B::activate_backward(gradient, kept, bias, activation);
            [Some(x), Some(bias)]
        })
    }
}

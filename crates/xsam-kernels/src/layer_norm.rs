//! Layer norm over the last dimension.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Scalar, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};

use crate::cpu::layer_norm as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;

/// `weight * (x - mean) / sqrt(variance + epsilon) + bias`, with the mean and the biased variance of `x`
/// over its last dimension.
///
/// `x` has any rank from 1; `weight` and `bias` are as long as its last dimension. Gradients flow to all
/// three. From "Layer Normalization", arXiv 1607.06450.
///
/// On Flex in `f32` each direction reads and writes every tensor once, and two numbers a row are kept
/// besides `x` for the backward pass.
///
/// # Panics
/// If `weight` or `bias` is not as long as the last dimension of `x`.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    let width = x.dims()[D - 1];
    for tensor in [&weight, &bias] {
        let [length] = tensor.dims();
        assert_eq!(length, width, "layer norm needs one number a column");
    }
    Tensor::from_dispatch(<Dispatch as LayerNormOps>::row_norm(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
    ))
}

/// Layer norm as an operation that Burn dispatches to the back end of its inputs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait LayerNormOps: Backend {
    /// See [`layer_norm`].
    fn row_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        Self::layer_norm(x, weight, Some(bias), epsilon)
    }
}

/// The computations behind [`LayerNormOps`] on one back end; the provided bodies are composed of Burn's
/// operations.
pub trait LayerNormKernels: Backend {
    /// The output, and what [`row_norm_slopes`](LayerNormKernels::row_norm_slopes) can use of the rows.
    fn row_norm_value(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
        (Self::layer_norm(x, weight, Some(bias), epsilon), None)
    }

    /// The gradients of `x`, weight and bias.
    fn row_norm_slopes(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        rows: Option<FloatTensor<Self>>,
        epsilon: f64,
    ) -> [FloatTensor<Self>; 3] {
        let _ = rows;
        composed_slopes::<Self>(gradient, x, weight, epsilon)
    }
}

fn composed_slopes<B: Backend>(
    gradient: FloatTensor<B>,
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    epsilon: f64,
) -> [FloatTensor<B>; 3] {
    let shape = x.shape();
    let width = weight.shape()[0];
    let matrix = Shape::new([shape.num_elements() / width.max(1), width]);
    let row = Shape::new([1, width]);
    let x = B::float_reshape(x, matrix.clone());
    let gradient = B::float_reshape(gradient, matrix);

    let centred = B::float_sub(x.clone(), B::float_mean_dim(x, 1));
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 1);
    let deviation = B::float_sqrt(B::float_add_scalar(variance, Scalar::Float(epsilon)));
    let normal = B::float_div(centred, deviation.clone());

    let total = |tensor| B::float_reshape(B::float_sum_dim(tensor, 0), weight.shape());
    let weight_slope = total(B::float_mul(gradient.clone(), normal.clone()));
    let bias_slope = total(gradient.clone());

    let scaled = B::float_mul(gradient, B::float_reshape(weight, row));
    let along = B::float_mean_dim(B::float_mul(scaled.clone(), normal.clone()), 1);
    let level = B::float_mean_dim(scaled.clone(), 1);
    let slope = B::float_sub(B::float_sub(scaled, level), B::float_mul(normal, along));
    let slope = B::float_div(slope, deviation);
    [B::float_reshape(slope, shape), weight_slope, bias_slope]
}

impl LayerNormKernels for Flex {
    fn row_norm_value(x: Flat, weight: Flat, bias: Flat, epsilon: f64) -> (Flat, Option<Flat>) {
        let _timer = Timer::start("layer norm, forward");
        if !takes([&x, &weight, &bias]) {
            return (Self::layer_norm(x, weight, Some(bias), epsilon), None);
        }
        let [x, weight, bias] = [x, weight, bias].map(|x| x.to_contiguous());
        let result = cpu::forward(x.storage(), weight.storage(), bias.storage(), epsilon);
        let rows = Shape::new([result.rows.len() / 2, 2]);
        (
            tensor(result.output, x.shape()),
            Some(tensor(result.rows, rows)),
        )
    }

    fn row_norm_slopes(
        gradient: Flat,
        x: Flat,
        weight: Flat,
        rows: Option<Flat>,
        epsilon: f64,
    ) -> [Flat; 3] {
        let _timer = Timer::start("layer norm, backward");
        let Some(rows) = rows.filter(|_| takes([&gradient, &x, &weight])) else {
            return composed_slopes::<Self>(gradient, x, weight, epsilon);
        };
        let [gradient, x, weight, rows] = [gradient, x, weight, rows].map(|x| x.to_contiguous());
        let slopes = cpu::backward(
            gradient.storage(),
            x.storage(),
            weight.storage(),
            rows.storage(),
        );
        [
            tensor(slopes.x, x.shape()),
            tensor(slopes.weight, weight.shape()),
            tensor(slopes.bias, weight.shape()),
        ]
    }
}

impl LayerNormOps for Flex {
    fn row_norm(x: Flat, weight: Flat, bias: Flat, epsilon: f64) -> Flat {
        Self::row_norm_value(x, weight, bias, epsilon).0
    }
}

#[derive(Debug)]
struct LayerNormBackward;

impl<B: LayerNormKernels> Backward<B, 3> for LayerNormBackward {
    type State = (FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>, f64);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (x, weight, rows, epsilon) = ops.state;
        let slopes = B::row_norm_slopes(gradient, x, weight, rows, epsilon);
        for (parent, slope) in ops.parents.into_iter().zip(slopes) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, slope);
            }
        }
    }
}

impl<B: LayerNormKernels, C: CheckpointStrategy> LayerNormOps for Autodiff<B, C> {
    fn row_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node), (bias, bias_node)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (output, rows) = B::row_norm_value(x.clone(), weight.clone(), bias, epsilon);
        match LayerNormBackward
            .prepare::<C>([x_node, weight_node, bias_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((x, weight, rows, epsilon), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

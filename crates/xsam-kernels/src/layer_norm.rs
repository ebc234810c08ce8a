//! Layer norm over the last dimension.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Scalar, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};

use crate::cpu::layer_norm as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::half::in_single;
use crate::optional::Optional;
use crate::profile::Timer;
use crate::tape::record;

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
    in_single(x, |x| {
        let (output, _) = <Dispatch as LayerNormOps>::row_norm(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            epsilon,
        );
        Tensor::from_dispatch(output)
    })
}

/// Layer norm, as Burn dispatches it to the back end of its inputs; the provided bodies are composed of Burn's operations.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait LayerNormOps: Backend {
    /// See [`layer_norm`]. With the output comes what [`row_norm_backward`](Self::row_norm_backward) can use of
    /// the rows.
    fn row_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, Optional<Self>) {
        let output = Self::layer_norm(x, weight, Some(bias), epsilon);
        (output, Optional::None)
    }

    /// The gradients of `x`, weight and bias.
    fn row_norm_backward(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] _rows: Optional<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed_gradients::<Self>(gradient, x, weight, epsilon)
    }
}

fn composed_gradients<B: Backend>(
    gradient: FloatTensor<B>,
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    epsilon: f64,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
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
    let weight_gradient = total(B::float_mul(gradient.clone(), normal.clone()));
    let bias_gradient = total(gradient.clone());

    let scaled = B::float_mul(gradient, B::float_reshape(weight, row));
    let along = B::float_mean_dim(B::float_mul(scaled.clone(), normal.clone()), 1);
    let level = B::float_mean_dim(scaled.clone(), 1);
    let dx = B::float_sub(B::float_sub(scaled, level), B::float_mul(normal, along));
    let dx = B::float_div(dx, deviation);
    (B::float_reshape(dx, shape), weight_gradient, bias_gradient)
}

impl LayerNormOps for Flex {
    fn row_norm(x: Flat, weight: Flat, bias: Flat, epsilon: f64) -> (Flat, Optional<Self>) {
        let _timer = Timer::start("layer norm, forward");
        if !takes([&x, &weight, &bias]) {
            let output = Self::layer_norm(x, weight, Some(bias), epsilon);
            return (output, Optional::None);
        }
        let [x, weight, bias] = [x, weight, bias].map(|x| x.to_contiguous());
        let result = cpu::forward(x.storage(), weight.storage(), bias.storage(), epsilon);
        let rows = Shape::new([result.rows.len() / 2, 2]);
        (
            tensor(result.output, x.shape()),
            Optional::Some(tensor(result.rows, rows)),
        )
    }

    fn row_norm_backward(
        gradient: Flat,
        x: Flat,
        weight: Flat,
        rows: Optional<Self>,
        epsilon: f64,
    ) -> (Flat, Flat, Flat) {
        let _timer = Timer::start("layer norm, backward");
        let Some(rows) = rows.get().filter(|_| takes([&gradient, &x, &weight])) else {
            return composed_gradients::<Self>(gradient, x, weight, epsilon);
        };
        let [gradient, x, weight, rows] = [gradient, x, weight, rows].map(|x| x.to_contiguous());
        let [dx, dweight, dbias] = cpu::backward(
            gradient.storage(),
            x.storage(),
            weight.storage(),
            rows.storage(),
        );
        (
            tensor(dx, x.shape()),
            tensor(dweight, weight.shape()),
            tensor(dbias, weight.shape()),
        )
    }
}

impl<B: LayerNormOps, C: CheckpointStrategy> LayerNormOps for Autodiff<B, C> {
    fn row_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, Optional<Self>) {
        let ((x, x_node), (weight, weight_node), (bias, bias_node)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (output, rows) = B::row_norm(x.clone(), weight.clone(), bias, epsilon);
        let (nodes, saved) = ([x_node, weight_node, bias_node], (x, weight, rows, epsilon));
        let output = record::<B, C, _, _>(nodes, saved, output, |gradient, saved, _| {
            let (x, weight, rows, epsilon) = saved;
            let (x, weight, bias) = B::row_norm_backward(gradient, x, weight, rows, epsilon);
            [x, weight, bias].map(Some)
        });
        (output, Optional::None)
    }
}

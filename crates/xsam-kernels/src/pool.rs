//! Max pooling, average pooling and global average pooling.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Scalar, TensorMetadata, backend_extension};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{DType, IntDType, Shape, Tensor, module};

use crate::cpu::pool;
use crate::flex::{Flat, takes, tensor};
use crate::kinks;
use crate::profile::Timer;

/// Max pooling of `[batch, channels, height, width]` with the given window, stride and symmetric padding,
/// rounding the output size down.
///
/// A 2x2 window with stride 2 and no padding has a kernel on Flex in `f32` that keeps one byte an output
/// for the backward pass; among equal elements the first takes the gradient. Everything else is Burn's own.
///
/// # Panics
/// If the window or the stride is zero, or the window does not fit the padded input.
pub fn max_pool2d(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    let options = MaxPoolOptions::new(kernel)
        .with_stride(stride)
        .with_padding(padding);
    if kinks::are_watched() {
        return kinks::max_pool2d(x, options);
    }
    if is_two_by_two(&x, kernel, stride, padding) {
        return Tensor::from_dispatch(<Dispatch as PoolOps>::max_pool_2x2(x.into_dispatch()));
    }
    module::max_pool2d(x, options)
}

/// Average pooling of `[batch, channels, height, width]` with the given window, stride and symmetric padding,
/// rounding the output size down. With `count_include_pad` the zeros of the padding count as elements.
///
/// A 2x2 window with stride 2 and no padding has a kernel on Flex in `f32`: one pass over memory in each
/// direction. Everything else is Burn's own.
///
/// # Panics
/// If the window or the stride is zero, or the window does not fit the padded input.
pub fn avg_pool2d(
    x: Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    count_include_pad: bool,
) -> Tensor<4> {
    if is_two_by_two(&x, kernel, stride, padding) {
        return Tensor::from_dispatch(<Dispatch as PoolOps>::avg_pool_2x2(x.into_dispatch()));
    }
    let options = AvgPoolOptions::new(kernel)
        .with_stride(stride)
        .with_padding(padding)
        .with_count_include_pad(count_include_pad);
    module::avg_pool2d(x, options)
}

/// Whether the window is the one there are kernels for, and fits at least once.
fn is_two_by_two(
    x: &Tensor<4>,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> bool {
    let [_, _, height, width] = x.dims();
    kernel == [2, 2] && stride == [2, 2] && padding == [0, 0] && height >= 2 && width >= 2
}

/// The mean of every plane: `[batch, channels, height, width]` to `[batch, channels]`.
///
/// One pass over memory on Flex in `f32`. The mean of an empty plane is NaN.
pub fn global_avg_pool(x: Tensor<4>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as PoolOps>::plane_mean(x.into_dispatch()))
}

/// Pooling as an operation that Burn dispatches to the back end of its input.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait PoolOps: Backend {
    /// Max pooling with a 2x2 window and stride 2.
    fn max_pool_2x2(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::max_pool2d(x, [2, 2], [2, 2], [0, 0], [1, 1], false)
    }

    /// Average pooling with a 2x2 window and stride 2.
    fn avg_pool_2x2(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_avg::<Self>(x)
    }

    /// The mean over the last two of four dimensions.
    fn plane_mean(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_mean::<Self>(x)
    }
}

/// The computations behind [`PoolOps`] on one back end; the provided bodies are composed of Burn's operations.
pub trait PoolKernels: Backend {
    /// The maxima and their places, as [`max_pool_2x2_slope`](PoolKernels::max_pool_2x2_slope) wants them, and the
    /// input if that needs it too.
    fn max_pool_2x2_places(
        x: FloatTensor<Self>,
    ) -> (
        FloatTensor<Self>,
        IntTensor<Self>,
        Option<FloatTensor<Self>>,
    ) {
        composed_max::<Self>(x)
    }

    /// The gradient of an input of the given shape.
    fn max_pool_2x2_slope(
        gradient: FloatTensor<Self>,
        places: IntTensor<Self>,
        x: Option<FloatTensor<Self>>,
        shape: Shape,
    ) -> FloatTensor<Self> {
        composed_max_slope::<Self>(gradient, places, x, shape)
    }

    /// The means of the windows.
    fn avg_pool_2x2_value(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_avg::<Self>(x)
    }

    /// The gradient of an input of the given shape.
    fn avg_pool_2x2_slope(gradient: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        composed_avg_slope::<Self>(gradient, shape)
    }

    /// The mean over the last two of four dimensions.
    fn plane_mean_value(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_mean::<Self>(x)
    }

    /// The gradient of an input of the given shape.
    fn plane_mean_slope(gradient: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        composed_mean_slope::<Self>(gradient, shape)
    }
}

fn composed_max<B: Backend>(
    x: FloatTensor<B>,
) -> (FloatTensor<B>, IntTensor<B>, Option<FloatTensor<B>>) {
    let (window, dtype) = ([2, 2], IntDType::I32);
    let result =
        B::max_pool2d_with_indices(x.clone(), window, window, [0, 0], [1, 1], false, dtype);
    (result.output, result.indices, Some(x))
}

fn composed_max_slope<B: Backend>(
    gradient: FloatTensor<B>,
    places: IntTensor<B>,
    x: Option<FloatTensor<B>>,
    shape: Shape,
) -> FloatTensor<B> {
    let x = x.unwrap_or_else(|| B::float_zeros(shape, &gradient.device(), gradient.dtype().into()));
    let window = [2, 2];
    B::max_pool2d_with_indices_backward(x, window, window, [0, 0], [1, 1], false, gradient, places)
        .x_grad
}

fn composed_avg<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::avg_pool2d(x, [2, 2], [2, 2], [0, 0], true, false)
}

fn composed_avg_slope<B: Backend>(gradient: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
    // Only its shape matters.
    let x = B::float_zeros(shape, &gradient.device(), gradient.dtype().into());
    B::avg_pool2d_backward(x, gradient, [2, 2], [2, 2], [0, 0], true, false)
}

fn composed_mean<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    let flat = Shape::new([shape[0], shape[1], shape[2] * shape[3]]);
    let mean = B::float_mean_dim(B::float_reshape(x, flat), 2);
    B::float_reshape(mean, Shape::new([shape[0], shape[1]]))
}

fn composed_mean_slope<B: Backend>(gradient: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
    let size = (shape[2] * shape[3]) as f64;
    let share = B::float_div_scalar(gradient, Scalar::Float(size));
    let share = B::float_reshape(share, Shape::new([shape[0], shape[1], 1, 1]));
    B::float_expand(share, shape)
}

impl PoolKernels for Flex {
    fn max_pool_2x2_places(x: Flat) -> (Flat, Flat, Option<Flat>) {
        let _timer = Timer::start("pooling, forward");
        if !takes([&x]) {
            return composed_max::<Self>(x);
        }
        let shape = x.shape();
        let (planes, height, width) = (shape[0] * shape[1], shape[2], shape[3]);
        let result = pool::max_2x2(x.to_contiguous().storage(), planes, height, width);
        let pooled = Shape::new([shape[0], shape[1], height / 2, width / 2]);
        (
            tensor(result.output, pooled.clone()),
            tensor(result.places, pooled),
            None,
        )
    }

    fn max_pool_2x2_slope(gradient: Flat, places: Flat, x: Option<Flat>, shape: Shape) -> Flat {
        let _timer = Timer::start("pooling, backward");
        // Only the kernel writes places as bytes, and what it wrote only it can read.
        if places.dtype() != DType::U8 {
            return composed_max_slope::<Self>(gradient, places, x, shape);
        }
        let slope = pool::max_2x2_backward(
            gradient.to_contiguous().storage(),
            places.to_contiguous().storage(),
            shape[0] * shape[1],
            shape[2],
            shape[3],
        );
        tensor(slope, shape)
    }

    fn avg_pool_2x2_value(x: Flat) -> Flat {
        let _timer = Timer::start("pooling, forward");
        if !takes([&x]) {
            return composed_avg::<Self>(x);
        }
        let shape = x.shape();
        let (planes, height, width) = (shape[0] * shape[1], shape[2], shape[3]);
        let means = pool::avg_2x2(x.to_contiguous().storage(), planes, height, width);
        tensor(means, [shape[0], shape[1], height / 2, width / 2])
    }

    fn avg_pool_2x2_slope(gradient: Flat, shape: Shape) -> Flat {
        let _timer = Timer::start("pooling, backward");
        if !takes([&gradient]) {
            return composed_avg_slope::<Self>(gradient, shape);
        }
        let gradient = gradient.to_contiguous();
        let planes = shape[0] * shape[1];
        let slope = pool::avg_2x2_backward(gradient.storage(), planes, shape[2], shape[3]);
        tensor(slope, shape)
    }

    fn plane_mean_value(x: Flat) -> Flat {
        let _timer = Timer::start("pooling, forward");
        if !takes([&x]) {
            return composed_mean::<Self>(x);
        }
        let shape = x.shape();
        let mean = pool::mean(
            x.to_contiguous().storage(),
            shape[0] * shape[1],
            shape[2] * shape[3],
        );
        tensor(mean, [shape[0], shape[1]])
    }

    fn plane_mean_slope(gradient: Flat, shape: Shape) -> Flat {
        let _timer = Timer::start("pooling, backward");
        if !takes([&gradient]) {
            return composed_mean_slope::<Self>(gradient, shape);
        }
        let slope = pool::mean_backward(gradient.to_contiguous().storage(), shape[2] * shape[3]);
        tensor(slope, shape)
    }
}

impl PoolOps for Flex {
    fn max_pool_2x2(x: Flat) -> Flat {
        Self::max_pool_2x2_places(x).0
    }

    fn avg_pool_2x2(x: Flat) -> Flat {
        Self::avg_pool_2x2_value(x)
    }

    fn plane_mean(x: Flat) -> Flat {
        Self::plane_mean_value(x)
    }
}

#[derive(Debug)]
struct MaxBackward;

impl<B: PoolKernels> Backward<B, 1> for MaxBackward {
    type State = (IntTensor<B>, Option<FloatTensor<B>>, Shape);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (places, x, shape) = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let slope = B::max_pool_2x2_slope(gradient, places, x, shape);
            grads.register::<B>(node.id, slope);
        }
    }
}

#[derive(Debug)]
struct AvgBackward;

impl<B: PoolKernels> Backward<B, 1> for AvgBackward {
    type State = Shape;

    fn backward(self, ops: Ops<Shape, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::avg_pool_2x2_slope(gradient, ops.state));
        }
    }
}

#[derive(Debug)]
struct MeanBackward;

impl<B: PoolKernels> Backward<B, 1> for MeanBackward {
    type State = Shape;

    fn backward(self, ops: Ops<Shape, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::plane_mean_slope(gradient, ops.state));
        }
    }
}

impl<B: PoolKernels, C: CheckpointStrategy> PoolOps for Autodiff<B, C> {
    fn max_pool_2x2(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let shape = x.shape();
        let (output, places, x) = B::max_pool_2x2_places(x);
        match MaxBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((places, x, shape), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn avg_pool_2x2(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let shape = x.shape();
        let output = B::avg_pool_2x2_value(x);
        match AvgBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(shape, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn plane_mean(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let shape = x.shape();
        let output = B::plane_mean_value(x);
        match MeanBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(shape, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

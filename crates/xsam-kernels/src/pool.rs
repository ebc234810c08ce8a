//! Max pooling, average pooling and global average pooling.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Scalar, TensorMetadata, backend_extension};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{DType, IntDType, Shape, Tensor, module};

use crate::cpu::pool;
use crate::flex::{Flat, takes, tensor};
use crate::half::in_single;
use crate::kinks;
use crate::optional::Optional;
use crate::profile::Timer;
use crate::tape::record;

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
        let (output, ..) = <Dispatch as PoolOps>::max_pool_2x2(x.into_dispatch());
        return Tensor::from_dispatch(output);
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
    in_single(x, |x| {
        Tensor::from_dispatch(<Dispatch as PoolOps>::plane_mean(x.into_dispatch()))
    })
}

/// Pooling, as Burn dispatches it to the back end of its input; the provided bodies are composed of Burn's operations.
/// Windows are 2x2, with a stride of 2; a backward pass is told the shape of the input.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub(crate) trait PoolOps: Backend {
    /// The maxima and their places, as [`max_pool_2x2_backward`](Self::max_pool_2x2_backward) wants them, and the
    /// input if that needs it too.
    fn max_pool_2x2(x: FloatTensor<Self>) -> (FloatTensor<Self>, IntTensor<Self>, Optional<Self>) {
        composed_max::<Self>(x)
    }

    fn max_pool_2x2_backward(
        gradient: FloatTensor<Self>,
        places: IntTensor<Self>,
        #[extension_type] x: Optional<Self>,
        shape: Shape,
    ) -> FloatTensor<Self> {
        composed_max_gradient::<Self>(gradient, places, x, shape)
    }

    fn avg_pool_2x2(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_avg::<Self>(x)
    }

    fn avg_pool_2x2_backward(gradient: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        composed_avg_gradient::<Self>(gradient, shape)
    }

    /// The mean over the last two of four dimensions.
    fn plane_mean(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_mean::<Self>(x)
    }

    fn plane_mean_backward(gradient: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        composed_mean_gradient::<Self>(gradient, shape)
    }
}

fn composed_max<B: Backend>(x: FloatTensor<B>) -> (FloatTensor<B>, IntTensor<B>, Optional<B>) {
    let (window, dtype) = ([2, 2], IntDType::I32);
    let result =
        B::max_pool2d_with_indices(x.clone(), window, window, [0, 0], [1, 1], false, dtype);
    (result.output, result.indices, Optional::Some(x))
}

fn composed_max_gradient<B: Backend>(
    gradient: FloatTensor<B>,
    places: IntTensor<B>,
    x: Optional<B>,
    shape: Shape,
) -> FloatTensor<B> {
    let x = x.get();
    let x = x.unwrap_or_else(|| B::float_zeros(shape, &gradient.device(), gradient.dtype().into()));
    let window = [2, 2];
    B::max_pool2d_with_indices_backward(x, window, window, [0, 0], [1, 1], false, gradient, places)
        .x_grad
}

fn composed_avg<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::avg_pool2d(x, [2, 2], [2, 2], [0, 0], true, false)
}

fn composed_avg_gradient<B: Backend>(gradient: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
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

fn composed_mean_gradient<B: Backend>(gradient: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
    let size = (shape[2] * shape[3]) as f64;
    let share = B::float_div_scalar(gradient, Scalar::Float(size));
    let share = B::float_reshape(share, Shape::new([shape[0], shape[1], 1, 1]));
    B::float_expand(share, shape)
}

fn planes(shape: &Shape) -> pool::Planes {
    pool::Planes {
        count: shape[0] * shape[1],
        height: shape[2],
        width: shape[3],
    }
}

impl PoolOps for Flex {
    fn max_pool_2x2(x: Flat) -> (Flat, Flat, Optional<Self>) {
        let _timer = Timer::start("pooling, forward");
        if !takes([&x]) {
            return composed_max::<Self>(x);
        }
        let shape = x.shape();
        let result = pool::max_2x2(x.to_contiguous().storage(), planes(&shape));
        let pooled = Shape::new([shape[0], shape[1], shape[2] / 2, shape[3] / 2]);
        (
            tensor(result.output, pooled.clone()),
            tensor(result.places, pooled),
            Optional::None,
        )
    }

    fn max_pool_2x2_backward(
        gradient: Flat,
        places: Flat,
        x: Optional<Self>,
        shape: Shape,
    ) -> Flat {
        let _timer = Timer::start("pooling, backward");
        // Only the kernel writes places as bytes, and what it wrote only it can read.
        if places.dtype() != DType::U8 {
            return composed_max_gradient::<Self>(gradient, places, x, shape);
        }
        let (gradient, places) = (gradient.to_contiguous(), places.to_contiguous());
        let dx = pool::max_2x2_backward(gradient.storage(), places.storage(), planes(&shape));
        tensor(dx, shape)
    }

    fn avg_pool_2x2(x: Flat) -> Flat {
        let _timer = Timer::start("pooling, forward");
        if !takes([&x]) {
            return composed_avg::<Self>(x);
        }
        let shape = x.shape();
        let means = pool::avg_2x2(x.to_contiguous().storage(), planes(&shape));
        tensor(means, [shape[0], shape[1], shape[2] / 2, shape[3] / 2])
    }

    fn avg_pool_2x2_backward(gradient: Flat, shape: Shape) -> Flat {
        let _timer = Timer::start("pooling, backward");
        if !takes([&gradient]) {
            return composed_avg_gradient::<Self>(gradient, shape);
        }
        let dx = pool::avg_2x2_backward(gradient.to_contiguous().storage(), planes(&shape));
        tensor(dx, shape)
    }

    fn plane_mean(x: Flat) -> Flat {
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

    fn plane_mean_backward(gradient: Flat, shape: Shape) -> Flat {
        let _timer = Timer::start("pooling, backward");
        if !takes([&gradient]) {
            return composed_mean_gradient::<Self>(gradient, shape);
        }
        let dx = pool::mean_backward(gradient.to_contiguous().storage(), shape[2] * shape[3]);
        tensor(dx, shape)
    }
}

impl<B: PoolOps, C: CheckpointStrategy> PoolOps for Autodiff<B, C> {
    fn max_pool_2x2(x: FloatTensor<Self>) -> (FloatTensor<Self>, IntTensor<Self>, Optional<Self>) {
        let (x, node) = x.into_parts();
        let shape = x.shape();
        let (output, places, x) = B::max_pool_2x2(x);
        let saved = (places.clone(), x, shape);
        let output = record::<B, C, _, _>([node], saved, output, |gradient, saved, _| {
            let (places, x, shape) = saved;
            [Some(B::max_pool_2x2_backward(gradient, places, x, shape))]
        });
        (output, places, Optional::None)
    }

    fn avg_pool_2x2(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let shape = x.shape();
        record::<B, C, _, _>([node], shape, B::avg_pool_2x2(x), |gradient, shape, _| {
            [Some(B::avg_pool_2x2_backward(gradient, shape))]
        })
    }

    fn plane_mean(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let shape = x.shape();
        record::<B, C, _, _>([node], shape, B::plane_mean(x), |gradient, shape, _| {
            [Some(B::plane_mean_backward(gradient, shape))]
        })
    }
}

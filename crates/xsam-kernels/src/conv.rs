//! Two-dimensional convolution.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use crate::choice::{Kernels, kernels};
use crate::cpu::shape::Shape;
use crate::cpu::{direct, im2col, planar, winograd};
use crate::flex::{Flat, takes, tensor};
use crate::half::beside;
use crate::profile::Timer;
use crate::tape::record;

/// With fewer channels Winograd's transforms cost as much as they save, and lose digits for nothing.
const FEWEST_CHANNELS: usize = 8;
/// The same for the gradient of the weights, which is made of two transforms of whole images.
const FEWEST_CHANNELS_FOR_WEIGHTS: usize = 16;
/// With fewer products in each position of a tile Winograd saves less than a tenth of a millisecond.
const FEWEST_PRODUCTS: usize = 1 << 18;
/// Direct kernels compute whole vectors of channels: with fewer inputs most of a vector of their
/// gradient is thrown away.
const FEWEST_INPUTS: usize = 8;
/// Above so many weights the direct gradient of weights, which adds to all of them for every image,
/// falls out of the cache.
const MOST_WEIGHTS: usize = 1 << 18;

/// Convolution of `x` `[batch, input, rows, columns]` with `weight` `[output, input / groups, rows,
/// columns]`, to `[batch, output, ..]`, with a backward pass of its own.
///
/// In `f32` on the Flex back end: the definition, a plane at a time, between few channels (up to 64 pairs of them with
/// AVX2, 256 with AVX-512, which takes most 1x1 filters of stride 1 so as well), Winograd's F(4x4, 3x3) for other 3x3
/// filters of stride 1 between at least 8 channels, 16 for the gradient of the weights (see [`Kernels`](crate::Kernels)),
/// matrix products for other 1x1 filters of stride 1, for groups, and for gradients of few inputs or very many weights, the
/// definition otherwise. With different padding at the two ends, on other back ends and in other number formats: Burn's
/// own.
///
/// # Panics
/// If channels or groups do not fit, or the filter is larger than the padded input, as Burn's own.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, options: ConvOptions<2>) -> Tensor<4> {
    let (input, filters) = (x.dims(), weight.dims());
    assert!(
        input[1] == filters[1] * options.groups && filters[0].is_multiple_of(options.groups),
        "{} channels do not fit filters {filters:?} in {} groups",
        input[1],
        options.groups
    );
    let weight = beside(weight, &x);
    Tensor::from_dispatch(<Dispatch as ConvOps>::fast_conv2d(
        x.into_dispatch(),
        weight.into_dispatch(),
        options,
    ))
}

/// Convolution, as Burn dispatches it to the back end of its inputs; the provided bodies are Burn's own.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait ConvOps: Backend {
    /// See [`conv2d`].
    fn fast_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d(x, weight, None, options)
    }

    /// Gradient of `x` from that of the output.
    fn fast_conv2d_input_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d_x_backward(x, weight, gradient, options)
    }

    /// Gradient of `weight` from that of the output.
    fn fast_conv2d_weight_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d_weight_backward(x, weight, gradient, options)
    }
}

/// How a convolution is computed.
enum Way {
    Winograd,
    Planar,
    Direct,
    Product,
}

/// What of a convolution is computed.
#[derive(Clone, Copy)]
enum Pass {
    Output,
    InputGradient,
    WeightGradient,
}

/// The sizes of a convolution and a way to work on two of `x`, `weight` and the gradient of the output.
/// `None` for what is left to Burn: other number formats, padding that differs between the ends, and what is
/// not a valid convolution.
fn plan(
    tensors: [&Flat; 2],
    [x, weight]: [&Flat; 2],
    options: &ConvOptions<2>,
    pass: Pass,
) -> Option<(Shape, Way)> {
    if !takes(tensors) || options.is_asymmetric() {
        return None;
    }
    let (x, weight) = (x.shape(), weight.shape());
    let shape = Shape {
        batch: x[0],
        channels: [x[1], weight[0]],
        groups: options.groups,
        size: [x[2], x[3]],
        kernel: [weight[2], weight[3]],
        stride: options.stride,
        padding: options.padding_begin(),
        dilation: options.dilation,
    };
    let [rows, columns] = shape.output_size()?;
    if [x[0], x[1], weight[0], rows, columns].contains(&0) {
        return None;
    }
    let way = if shape.groups > 1 {
        Way::Product
    } else if shape.is_product() {
        match pass {
            Pass::WeightGradient => Way::Product,
            _ if planar::suits_product(&shape) => Way::Planar,
            _ => Way::Product,
        }
    } else if planar::suits(&shape) {
        Way::Planar
    } else if suits_winograd(&shape, pass) {
        Way::Winograd
    } else {
        Way::Direct
    };
    Some((shape, way))
}

/// Whether Winograd's transforms fit, and are worth their digits.
fn suits_winograd(shape: &Shape, pass: Pass) -> bool {
    let fewest = match pass {
        Pass::WeightGradient => FEWEST_CHANNELS_FOR_WEIGHTS,
        Pass::Output | Pass::InputGradient => FEWEST_CHANNELS,
    };
    shape.kernel == [3, 3]
        && shape.stride == [1, 1]
        && shape.dilation == [1, 1]
        && shape.padding.iter().all(|n| *n <= 2)
        && shape.channels.iter().all(|n| *n >= fewest)
        && winograd::products(shape) >= FEWEST_PRODUCTS
        && kernels() == Kernels::Fast
}

impl ConvOps for Flex {
    fn fast_conv2d(x: Flat, weight: Flat, options: ConvOptions<2>) -> Flat {
        let _timer = Timer::start("convolution, forward");
        let plan = plan([&x, &weight], [&x, &weight], &options, Pass::Output);
        let Some((shape, way)) = plan else {
            return Self::conv2d(x, weight, None, options);
        };
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let (x, w): (&[f32], &[f32]) = (x.storage(), weight.storage());
        let y = match way {
            Way::Winograd => winograd::forward(&shape, x, w),
            Way::Planar => planar::forward(&shape, x, w),
            Way::Direct => direct::forward(&shape, x, w),
            Way::Product => im2col::forward(&shape, x, w),
        };
        let [rows, columns] = shape.outputs();
        tensor(y, [shape.batch, shape.channels[1], rows, columns])
    }

    fn fast_conv2d_input_gradient(
        x: Flat,
        weight: Flat,
        gradient: Flat,
        options: ConvOptions<2>,
    ) -> Flat {
        let _timer = Timer::start("convolution, data gradient");
        let tensors = [&weight, &gradient];
        let plan = plan(tensors, [&x, &weight], &options, Pass::InputGradient);
        let Some((shape, way)) = plan else {
            return Self::conv2d_x_backward(x, weight, gradient, options);
        };
        let (weight, gradient) = (weight.to_contiguous(), gradient.to_contiguous());
        let (w, dy): (&[f32], &[f32]) = (weight.storage(), gradient.storage());
        let dx = match way {
            Way::Winograd => winograd::input_gradient(&shape, dy, w),
            Way::Planar => planar::input_gradient(&shape, dy, w),
            Way::Direct if shape.channels[0] >= FEWEST_INPUTS => {
                direct::input_gradient(&shape, dy, w)
            }
            Way::Direct | Way::Product => im2col::input_gradient(&shape, dy, w),
        };
        tensor(dx, x.shape())
    }

    fn fast_conv2d_weight_gradient(
        x: Flat,
        weight: Flat,
        gradient: Flat,
        options: ConvOptions<2>,
    ) -> Flat {
        let _timer = Timer::start("convolution, weight gradient");
        let tensors = [&x, &gradient];
        let plan = plan(tensors, [&x, &weight], &options, Pass::WeightGradient);
        let Some((shape, way)) = plan else {
            return Self::conv2d_weight_backward(x, weight, gradient, options);
        };
        let (x, gradient) = (x.to_contiguous(), gradient.to_contiguous());
        let (x, dy): (&[f32], &[f32]) = (x.storage(), gradient.storage());
        let dw = match way {
            Way::Winograd => winograd::weight_gradient(&shape, x, dy),
            Way::Planar => planar::weight_gradient(&shape, x, dy),
            Way::Direct if weight.shape().num_elements() <= MOST_WEIGHTS => {
                direct::weight_gradient(&shape, x, dy)
            }
            Way::Direct | Way::Product => im2col::weight_gradient(&shape, x, dy),
        };
        tensor(dw, weight.shape())
    }
}

impl<B: ConvOps, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn fast_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let y = B::fast_conv2d(x.clone(), weight.clone(), options.clone());
        let (nodes, saved) = ([x_node, weight_node], (x, weight, options));
        record::<B, C, _, _>(nodes, saved, y, |gradient, saved, wanted| {
            let run = |wanted: bool, pass: fn(_, _, _, _) -> _| {
                let (x, weight, options) = saved.clone();
                wanted.then(|| pass(x, weight, gradient.clone(), options))
            };
            [
                run(wanted[0], B::fast_conv2d_input_gradient),
                run(wanted[1], B::fast_conv2d_weight_gradient),
            ]
        })
    }
}

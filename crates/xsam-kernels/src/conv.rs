//! Two-dimensional convolution.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Shape as TensorShape, Tensor};

use crate::choice::{Kernels, kernels};
use crate::cpu::shape::Shape;
use crate::cpu::{direct, im2col, winograd};
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;

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
/// In `f32` on the Flex back end: Winograd's F(4x4, 3x3) for 3x3 filters of stride 1 between at least
/// 8 channels, 16 for the gradient of the weights (see [`Kernels`](crate::Kernels)), matrix products for 1x1 filters of stride 1, for groups, and
/// for gradients of few inputs or very many weights, the definition otherwise. With different padding at the two ends, on other back ends and in other
/// number formats: Burn's own.
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
    Tensor::from_dispatch(<Dispatch as ConvOps>::fast_conv2d(
        x.into_dispatch(),
        weight.into_dispatch(),
        options,
    ))
}

/// Convolution as an operation that Burn dispatches to the back end of its inputs.
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
}

/// The computations behind [`ConvOps`] on one back end; the provided bodies are Burn's own.
pub trait ConvKernels: Backend {
    /// The convolution.
    fn conv2d_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d(x, weight, None, options)
    }

    /// Gradient of `x` from that of the output.
    fn conv2d_input_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d_x_backward(x, weight, gradient, options)
    }

    /// Gradient of `weight` from that of the output.
    fn conv2d_weight_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d_weight_backward(x, weight, gradient, options)
    }
}

/// How a convolution is computed.
enum Plan {
    Winograd(winograd::Shape),
    Direct(Shape),
    Product(Shape),
}

impl Plan {
    /// `None` for what is left to Burn: other number formats, padding that differs between the ends,
    /// and what is not a valid convolution.
    fn new(
        tensors: &[&Flat],
        x: &TensorShape,
        weight: &TensorShape,
        options: &ConvOptions<2>,
        fewest_channels: usize,
    ) -> Option<Self> {
        if !takes(tensors.iter().copied()) || options.is_asymmetric() {
            return None;
        }
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
        Some(if shape.groups > 1 || shape.is_product() {
            Self::Product(shape)
        } else if let Some(shape) = Self::winograd(&shape, fewest_channels) {
            Self::Winograd(shape)
        } else {
            Self::Direct(shape)
        })
    }

    /// `None` if Winograd's transforms do not fit, or are not worth their digits.
    fn winograd(shape: &Shape, fewest_channels: usize) -> Option<winograd::Shape> {
        let plain = shape.kernel == [3, 3] && shape.stride == [1, 1] && shape.dilation == [1, 1];
        let narrow_border = shape.padding.iter().all(|n| *n <= 2);
        let [input, output] = shape.channels;
        let fast = winograd::Shape {
            batch: shape.batch,
            input,
            output,
            size: shape.size,
            padding: shape.padding,
        };
        let wide = input.min(output) >= fewest_channels;
        let long = fast.products() >= FEWEST_PRODUCTS;
        (plain && narrow_border && wide && long && kernels() == Kernels::Fast).then_some(fast)
    }

    fn output_size(&self) -> [usize; 2] {
        match self {
            Self::Winograd(shape) => shape.output_size(),
            Self::Direct(shape) | Self::Product(shape) => shape.outputs(),
        }
    }
}

impl ConvKernels for Flex {
    fn conv2d_forward(x: Flat, weight: Flat, options: ConvOptions<2>) -> Flat {
        let _timer = Timer::start("convolution, forward");
        let (shape, filters) = (x.shape(), weight.shape());
        let Some(plan) = Plan::new(&[&x, &weight], &shape, &filters, &options, FEWEST_CHANNELS)
        else {
            return Self::conv2d(x, weight, None, options);
        };
        let [rows, columns] = plan.output_size();
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let (x, w): (&[f32], &[f32]) = (x.storage(), weight.storage());
        let y = match &plan {
            Plan::Winograd(shape) => winograd::forward(shape, x, w),
            Plan::Direct(shape) => direct::forward(shape, x, w),
            Plan::Product(shape) => im2col::forward(shape, x, w),
        };
        tensor(y, [shape[0], filters[0], rows, columns])
    }

    fn conv2d_input_gradient(
        x: Flat,
        weight: Flat,
        gradient: Flat,
        options: ConvOptions<2>,
    ) -> Flat {
        let _timer = Timer::start("convolution, data gradient");
        let (shape, filters) = (x.shape(), weight.shape());
        let Some(plan) = Plan::new(
            &[&weight, &gradient],
            &shape,
            &filters,
            &options,
            FEWEST_CHANNELS,
        ) else {
            return Self::conv2d_x_backward(x, weight, gradient, options);
        };
        let (weight, gradient) = (weight.to_contiguous(), gradient.to_contiguous());
        let (w, dy): (&[f32], &[f32]) = (weight.storage(), gradient.storage());
        let dx = match &plan {
            Plan::Winograd(shape) => winograd::input_gradient(shape, dy, w),
            Plan::Direct(shape) if shape.channels[0] >= FEWEST_INPUTS => {
                direct::input_gradient(shape, dy, w)
            }
            Plan::Direct(shape) | Plan::Product(shape) => im2col::input_gradient(shape, dy, w),
        };
        tensor(dx, shape)
    }

    fn conv2d_weight_gradient(
        x: Flat,
        weight: Flat,
        gradient: Flat,
        options: ConvOptions<2>,
    ) -> Flat {
        let _timer = Timer::start("convolution, weight gradient");
        let (shape, filters) = (x.shape(), weight.shape());
        let Some(plan) = Plan::new(
            &[&x, &gradient],
            &shape,
            &filters,
            &options,
            FEWEST_CHANNELS_FOR_WEIGHTS,
        ) else {
            return Self::conv2d_weight_backward(x, weight, gradient, options);
        };
        let (x, gradient) = (x.to_contiguous(), gradient.to_contiguous());
        let (x, dy): (&[f32], &[f32]) = (x.storage(), gradient.storage());
        let dw = match &plan {
            Plan::Winograd(shape) => winograd::weight_gradient(shape, x, dy),
            Plan::Direct(shape) if filters.num_elements() <= MOST_WEIGHTS => {
                direct::weight_gradient(shape, x, dy)
            }
            Plan::Direct(shape) | Plan::Product(shape) => im2col::weight_gradient(shape, x, dy),
        };
        tensor(dw, filters)
    }
}

impl ConvOps for Flex {
    fn fast_conv2d(x: Flat, weight: Flat, options: ConvOptions<2>) -> Flat {
        Self::conv2d_forward(x, weight, options)
    }
}

impl<B: Backend + ConvKernels, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn fast_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Slopes;

        impl<B: Backend + ConvKernels> Backward<B, 2> for Slopes {
            type State = (FloatTensor<B>, FloatTensor<B>, ConvOptions<2>);

            fn backward(
                self,
                ops: Ops<Self::State, 2>,
                gradients: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let [x_node, weight_node] = ops.parents;
                let gradient = gradients.consume::<B>(&ops.node);
                let (x, weight, options) = ops.state;
                if let Some(node) = x_node {
                    let dx = B::conv2d_input_gradient(
                        x.clone(),
                        weight.clone(),
                        gradient.clone(),
                        options.clone(),
                    );
                    gradients.register::<B>(node.id, dx);
                }
                if let Some(node) = weight_node {
                    let dw = B::conv2d_weight_gradient(x, weight, gradient, options);
                    gradients.register::<B>(node.id, dw);
                }
            }
        }

        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let nodes = [x_node, weight_node];
        match Slopes.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let y = B::conv2d_forward(x.clone(), weight.clone(), options.clone());
                prepared.finish((x, weight, options), y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::conv2d_forward(x, weight, options)),
        }
    }
}

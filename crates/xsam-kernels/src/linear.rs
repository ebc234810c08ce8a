//! Linear layers.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};

use crate::cpu::linear as cpu;
use crate::cpu::matrix::Matrix;
use crate::flex::{Flat, takes, tensor};
use crate::half::beside;
use crate::optional::Optional;
use crate::profile::Timer;
use crate::tape::record;

/// `x weight + bias`: `x` is `[rows, inputs]`, `weight` is `[inputs, outputs]` as in Burn's own linear layer,
/// and the result is `[rows, outputs]`. Gradients flow to all three.
///
/// On Flex in `f32` products are computed by the kernels of this crate, with the bias added while the sums are
/// in registers, and transposed by reading alone. Where there are few rows, Burn's own products are used: a
/// weight that is used but once is not worth laying out anew.
///
/// # Panics
/// If a shape does not fit.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let ([_, width], [inputs, outputs]) = (x.dims(), weight.dims());
    assert_eq!(
        width, inputs,
        "linear: the weight needs a row for each column of the input"
    );
    if let Some(bias) = &bias {
        assert_eq!(
            bias.dims(),
            [outputs],
            "linear: the bias needs one number an output"
        );
    }
    let (weight, bias) = (beside(weight, &x), bias.map(|bias| beside(bias, &x)));
    Tensor::from_dispatch(<Dispatch as LinearOps>::weigh(
        x.into_dispatch(),
        weight.into_dispatch(),
        Optional::new(bias.map(Tensor::into_dispatch)),
        false,
    ))
}

/// `x table^T`: the products of each row of `x`, `[rows, width]`, with each row of `table`,
/// `[outputs, width]`; the result is `[rows, outputs]`.
///
/// That is [`linear`] with the weight of an embedding ("Using the Output Embedding to Improve Language
/// Models", arXiv 1608.05859), whose gradient lies in memory as the table does, so that it can be added to that of the
/// embedding without a copy.
///
/// # Panics
/// If a shape does not fit.
pub fn tied_linear(x: Tensor<2>, table: Tensor<2>) -> Tensor<2> {
    let ([_, width], [_, inputs]) = (x.dims(), table.dims());
    assert_eq!(
        width, inputs,
        "tied_linear: the table needs a column for each column of the input"
    );
    let table = beside(table, &x);
    Tensor::from_dispatch(<Dispatch as LinearOps>::weigh(
        x.into_dispatch(),
        table.into_dispatch(),
        Optional::None,
        true,
    ))
}

/// Linear layers, as Burn dispatches them to the back end of their inputs; the provided bodies are composed of Burn's
/// operations. `turned` says that the weight is `[outputs, inputs]`.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait LinearOps: Backend {
    /// See [`linear`], or [`tied_linear`] if the weight is `turned`.
    fn weigh(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Optional<Self>,
        turned: bool,
    ) -> FloatTensor<Self> {
        composed::<Self>(x, weight, bias, turned)
    }

    /// The gradient of `x`.
    fn input_gradient(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        turned: bool,
    ) -> FloatTensor<Self> {
        composed::<Self>(gradient, weight, Optional::None, !turned)
    }

    /// The gradient of the weight.
    fn weight_gradient(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        turned: bool,
    ) -> FloatTensor<Self> {
        composed_weight_gradient::<Self>(gradient, x, turned)
    }

    /// The gradient of the bias.
    fn bias_gradient(gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_bias_gradient::<Self>(gradient)
    }
}

fn composed<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Optional<B>,
    turned: bool,
) -> FloatTensor<B> {
    let weight = match turned {
        false => weight,
        true => B::float_swap_dims(weight, 0, 1),
    };
    let product = B::float_matmul(x, weight);
    match bias {
        Optional::None => product,
        Optional::Some(bias) => {
            let row = Shape::new([1, bias.shape()[0]]);
            B::float_add(product, B::float_reshape(bias, row))
        }
    }
}

fn composed_weight_gradient<B: Backend>(
    gradient: FloatTensor<B>,
    x: FloatTensor<B>,
    turned: bool,
) -> FloatTensor<B> {
    let [left, right] = match turned {
        false => [x, gradient],
        true => [gradient, x],
    };
    B::float_matmul(B::float_swap_dims(left, 0, 1), right)
}

fn composed_bias_gradient<B: Backend>(gradient: FloatTensor<B>) -> FloatTensor<B> {
    let width = gradient.shape()[1];
    B::float_reshape(B::float_sum_dim(gradient, 0), Shape::new([width]))
}

/// Rows of the left matrix, below which laying out the right one takes longer than it saves.
const FEW_ROWS: usize = 128;

/// The tensor itself if a row or a column of it is dense, else a copy.
fn readable(tensor: Flat) -> Flat {
    let strides = tensor.layout().strides();
    if strides.contains(&1) && strides.iter().all(|stride| *stride >= 0) {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// A tensor as [`readable`] returns it, turned over if so said.
fn matrix((tensor, turned): &(Flat, bool)) -> Matrix<'_> {
    let (layout, shape) = (tensor.layout(), tensor.shape());
    let strides = layout.strides();
    let matrix = Matrix::new(
        &tensor.storage()[layout.start_offset()..],
        shape.dims(),
        [0, 1].map(|d| strides[d].unsigned_abs()),
    );
    if *turned { matrix.turned() } else { matrix }
}

/// The product of two matrices, each turned over if so said.
fn product(a: (Flat, bool), b: (Flat, bool), bias: Option<&Flat>) -> Flat {
    let [a, b] = [a, b].map(|(tensor, turned)| (readable(tensor), turned));
    let rows = a.0.shape()[usize::from(a.1)];
    let columns = b.0.shape()[usize::from(!b.1)];
    let bias = bias.map(|bias| bias.to_contiguous());
    let bias = bias.as_ref().map(|bias| bias.storage());
    let values = cpu::product(matrix(&a), matrix(&b), bias);
    tensor(values, Shape::new([rows, columns]))
}

impl LinearOps for Flex {
    fn weigh(x: Flat, weight: Flat, bias: Optional<Self>, turned: bool) -> Flat {
        let _timer = Timer::start("linear, forward");
        let bias = bias.get();
        if !takes([&x, &weight].into_iter().chain(&bias)) || x.shape()[0] < FEW_ROWS {
            return composed::<Self>(x, weight, Optional::new(bias), turned);
        }
        product((x, false), (weight, turned), bias.as_ref())
    }

    fn input_gradient(gradient: Flat, weight: Flat, turned: bool) -> Flat {
        let _timer = Timer::start("linear, data gradient");
        if !takes([&gradient, &weight]) || gradient.shape()[0] < FEW_ROWS {
            return composed::<Self>(gradient, weight, Optional::None, !turned);
        }
        product((gradient, false), (weight, !turned), None)
    }

    fn weight_gradient(gradient: Flat, x: Flat, turned: bool) -> Flat {
        let _timer = Timer::start("linear, weight gradient");
        if !takes([&gradient, &x]) {
            return composed_weight_gradient::<Self>(gradient, x, turned);
        }
        let [left, right] = match turned {
            false => [x, gradient],
            true => [gradient, x],
        };
        product((left, true), (right, false), None)
    }

    fn bias_gradient(gradient: Flat) -> Flat {
        let _timer = Timer::start("linear, bias gradient");
        if !takes([&gradient]) {
            return composed_bias_gradient::<Self>(gradient);
        }
        let width = gradient.shape()[1];
        let gradient = gradient.to_contiguous();
        tensor(
            cpu::sum_of_rows(gradient.storage(), width),
            Shape::new([width]),
        )
    }
}

/// What the backward pass keeps: `x` if the weight has a gradient and the weight if `x` has one, and whether the
/// weight is turned.
type Kept<B> = (Option<FloatTensor<B>>, Option<FloatTensor<B>>, bool);

/// The gradients of `x` and of the weight.
fn gradients<B: LinearOps>(
    gradient: &FloatTensor<B>,
    (x, weight, turned): Kept<B>,
) -> [Option<FloatTensor<B>>; 2] {
    [
        weight.map(|weight| B::input_gradient(gradient.clone(), weight, turned)),
        x.map(|x| B::weight_gradient(gradient.clone(), x, turned)),
    ]
}

impl<B: LinearOps, C: CheckpointStrategy> LinearOps for Autodiff<B, C> {
    fn weigh(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Optional<Self>,
        turned: bool,
    ) -> FloatTensor<Self> {
        let (is_x_tracked, is_weight_tracked) = (x.is_tracked(), weight.is_tracked());
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let kept: Kept<B> = (
            is_weight_tracked.then(|| x.clone()),
            is_x_tracked.then(|| weight.clone()),
            turned,
        );
        match bias {
            Optional::None => {
                let output = B::weigh(x, weight, Optional::None, turned);
                let nodes = [x_node, weight_node];
                record::<B, C, _, _>(nodes, kept, output, |gradient, kept, _| {
                    gradients::<B>(&gradient, kept)
                })
            }
            Optional::Some(bias) => {
                let (bias, bias_node) = bias.into_parts();
                let output = B::weigh(x, weight, Optional::Some(bias), turned);
                let nodes = [x_node, weight_node, bias_node];
                record::<B, C, _, _>(nodes, kept, output, |gradient, kept, wanted| {
                    let [x, weight] = gradients::<B>(&gradient, kept);
                    let bias = wanted[2].then(|| B::bias_gradient(gradient));
                    [x, weight, bias]
                })
            }
        }
    }
}

//! Linear layers.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};

use crate::cpu::linear as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;

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
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        None => <Dispatch as LinearOps>::weigh(x, weight, false),
        Some(bias) => {
            assert_eq!(
                bias.dims(),
                [outputs],
                "linear: the bias needs one number an output"
            );
            <Dispatch as LinearOps>::weigh_and_shift(x, weight, bias.into_dispatch())
        }
    })
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
    Tensor::from_dispatch(<Dispatch as LinearOps>::weigh(
        x.into_dispatch(),
        table.into_dispatch(),
        true,
    ))
}

/// Linear layers as an operation that Burn dispatches to the back end of its inputs.
///
/// There are two forms of it, since a dispatched operation takes no optional tensor.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait LinearOps: Backend {
    /// See [`linear`], or [`tied_linear`] if the weight is `turned`.
    fn weigh(x: FloatTensor<Self>, weight: FloatTensor<Self>, turned: bool) -> FloatTensor<Self> {
        composed::<Self>(x, weight, None, turned)
    }

    /// See [`linear`].
    fn weigh_and_shift(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::<Self>(x, weight, Some(bias), false)
    }
}

/// The computations behind [`LinearOps`] on one back end; the provided bodies are composed of Burn's
/// operations. `turned` says that the weight is `[outputs, inputs]`.
pub trait LinearKernels: Backend {
    /// The output.
    fn linear_value(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        turned: bool,
    ) -> FloatTensor<Self> {
        composed::<Self>(x, weight, bias, turned)
    }

    /// The gradient of `x`.
    fn linear_input_slope(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        turned: bool,
    ) -> FloatTensor<Self> {
        composed::<Self>(gradient, weight, None, !turned)
    }

    /// The gradient of the weight.
    fn linear_weight_slope(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        turned: bool,
    ) -> FloatTensor<Self> {
        composed_weight_slope::<Self>(gradient, x, turned)
    }

    /// The gradient of the bias.
    fn linear_bias_slope(gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_bias_slope::<Self>(gradient)
    }
}

fn composed<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    turned: bool,
) -> FloatTensor<B> {
    let weight = match turned {
        false => weight,
        true => B::float_swap_dims(weight, 0, 1),
    };
    let product = B::float_matmul(x, weight);
    match bias {
        None => product,
        Some(bias) => {
            let row = Shape::new([1, bias.shape()[0]]);
            B::float_add(product, B::float_reshape(bias, row))
        }
    }
}

fn composed_weight_slope<B: Backend>(
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

fn composed_bias_slope<B: Backend>(gradient: FloatTensor<B>) -> FloatTensor<B> {
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
fn matrix((tensor, turned): &(Flat, bool)) -> cpu::Matrix<'_> {
    let (layout, shape) = (tensor.layout(), tensor.shape());
    let strides = layout.strides();
    let matrix = cpu::Matrix::new(
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

impl LinearKernels for Flex {
    fn linear_value(x: Flat, weight: Flat, bias: Option<Flat>, turned: bool) -> Flat {
        let _timer = Timer::start("linear, forward");
        if !takes([&x, &weight].into_iter().chain(&bias)) || x.shape()[0] < FEW_ROWS {
            return composed::<Self>(x, weight, bias, turned);
        }
        product((x, false), (weight, turned), bias.as_ref())
    }

    fn linear_input_slope(gradient: Flat, weight: Flat, turned: bool) -> Flat {
        let _timer = Timer::start("linear, data gradient");
        if !takes([&gradient, &weight]) || gradient.shape()[0] < FEW_ROWS {
            return composed::<Self>(gradient, weight, None, !turned);
        }
        product((gradient, false), (weight, !turned), None)
    }

    fn linear_weight_slope(gradient: Flat, x: Flat, turned: bool) -> Flat {
        let _timer = Timer::start("linear, weight gradient");
        if !takes([&gradient, &x]) {
            return composed_weight_slope::<Self>(gradient, x, turned);
        }
        let [left, right] = match turned {
            false => [x, gradient],
            true => [gradient, x],
        };
        product((left, true), (right, false), None)
    }

    fn linear_bias_slope(gradient: Flat) -> Flat {
        let _timer = Timer::start("linear, bias gradient");
        if !takes([&gradient]) {
            return composed_bias_slope::<Self>(gradient);
        }
        let width = gradient.shape()[1];
        let gradient = gradient.to_contiguous();
        tensor(
            cpu::sum_of_rows(gradient.storage(), width),
            Shape::new([width]),
        )
    }
}

impl LinearOps for Flex {
    fn weigh(x: Flat, weight: Flat, turned: bool) -> Flat {
        Self::linear_value(x, weight, None, turned)
    }

    fn weigh_and_shift(x: Flat, weight: Flat, bias: Flat) -> Flat {
        Self::linear_value(x, weight, Some(bias), false)
    }
}

/// What the backward pass keeps: `x` if the weight has a gradient and the weight if `x` has one, and whether the
/// weight is turned.
type Kept<B> = (Option<FloatTensor<B>>, Option<FloatTensor<B>>, bool);

/// [`Kept`], by which of the two have a gradient.
fn kept<B: Backend>(
    (x, is_x_tracked): (FloatTensor<B>, bool),
    (weight, is_weight_tracked): (FloatTensor<B>, bool),
    turned: bool,
) -> Kept<B> {
    (
        is_weight_tracked.then_some(x),
        is_x_tracked.then_some(weight),
        turned,
    )
}

/// Registers the gradients of `x` and of the weight.
fn register<B: LinearKernels>(
    grads: &mut Gradients,
    parents: [Option<NodeId>; 2],
    gradient: &FloatTensor<B>,
    (x, weight, turned): Kept<B>,
) {
    let slopes = [
        weight.map(|weight| B::linear_input_slope(gradient.clone(), weight, turned)),
        x.map(|x| B::linear_weight_slope(gradient.clone(), x, turned)),
    ];
    for (parent, slope) in parents.into_iter().zip(slopes) {
        if let (Some(id), Some(slope)) = (parent, slope) {
            grads.register::<B>(id, slope);
        }
    }
}

#[derive(Debug)]
struct WeighBackward;

impl<B: LinearKernels> Backward<B, 2> for WeighBackward {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let parents = ops.parents.map(|parent| parent.map(|node| node.id));
        register::<B>(grads, parents, &gradient, ops.state);
    }
}

#[derive(Debug)]
struct ShiftBackward;

impl<B: LinearKernels> Backward<B, 3> for ShiftBackward {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let [x, weight, bias] = ops.parents;
        let parents = [x, weight].map(|parent| parent.map(|node| node.id));
        register::<B>(grads, parents, &gradient, ops.state);
        if let Some(node) = bias {
            grads.register::<B>(node.id, B::linear_bias_slope(gradient));
        }
    }
}

impl<B: LinearKernels, C: CheckpointStrategy> LinearOps for Autodiff<B, C> {
    fn weigh(x: FloatTensor<Self>, weight: FloatTensor<Self>, turned: bool) -> FloatTensor<Self> {
        let (tracked_x, tracked_weight) = (x.is_tracked(), weight.is_tracked());
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let output = B::linear_value(x.clone(), weight.clone(), None, turned);
        match WeighBackward
            .prepare::<C>([x_node, weight_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let kept = kept::<B>((x, tracked_x), (weight, tracked_weight), turned);
                prep.finish(kept, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn weigh_and_shift(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (tracked_x, tracked_weight) = (x.is_tracked(), weight.is_tracked());
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let (bias, bias_node) = bias.into_parts();
        let output = B::linear_value(x.clone(), weight.clone(), Some(bias), false);
        match ShiftBackward
            .prepare::<C>([x_node, weight_node, bias_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let kept = kept::<B>((x, tracked_x), (weight, tracked_weight), false);
                prep.finish(kept, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

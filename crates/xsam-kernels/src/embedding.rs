//! Rows of a table, by number.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::ops::ModuleOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Int, Shape, Slice, Tensor};

use crate::cpu::embedding as cpu;
use crate::flex::{Flat, numbers, takes, tensor};
use crate::profile::Timer;
use crate::tape::record;

/// The rows of `weight`, `[rows, width]`, that `ids`, `[batch, tokens]`, name: `[batch, tokens, width]`.
///
/// Only `weight` gets a gradient. The row `padding`, if any, is looked up like the others but its gradient
/// is zero, as in PyTorch.
///
/// On Flex in `f32` the gradient is written once, row by row, and does not depend on the number of threads.
///
/// # Panics
/// If `padding` is no row. An id that is no row panics as in Burn's `select` on Flex; other back ends do
/// what their `select` does.
pub fn embedding(weight: Tensor<2>, ids: Tensor<2, Int>, padding: Option<usize>) -> Tensor<3> {
    let [rows, _] = weight.dims();
    if let Some(padding) = padding {
        assert!(
            padding < rows,
            "padding {padding} is out of bounds for {rows} rows"
        );
    }
    Tensor::from_dispatch(<Dispatch as EmbeddingOps>::look_up(
        weight.into_dispatch(),
        ids.into_dispatch(),
        padding,
    ))
}

/// Embedding, as Burn dispatches it to the back end of the table; the provided bodies are composed of Burn's operations.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait EmbeddingOps: Backend {
    /// See [`embedding`].
    fn look_up(
        weight: FloatTensor<Self>,
        ids: IntTensor<Self>,
        _padding: Option<usize>,
    ) -> FloatTensor<Self> {
        Self::embedding(weight, ids)
    }

    /// The gradient of the table from that of the rows.
    fn look_up_backward(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        ids: IntTensor<Self>,
        padding: Option<usize>,
    ) -> FloatTensor<Self> {
        composed_gradient::<Self>(gradient, weight, ids, padding)
    }
}

fn composed_gradient<B: Backend>(
    gradient: FloatTensor<B>,
    weight: FloatTensor<B>,
    ids: IntTensor<B>,
    padding: Option<usize>,
) -> FloatTensor<B> {
    let table = B::embedding_backward(weight, gradient, ids);
    let Some(padding) = padding else {
        return table;
    };
    let row = Shape::new([1, table.shape()[1]]);
    let zeros = B::float_zeros(row, &table.device(), table.dtype().into());
    B::float_slice_assign(table, &[Slice::from(padding..padding + 1)], zeros)
}

/// The ids, if they are in a number format that the kernels read.
fn ids_of(ids: &Flat, rows: usize) -> Option<Vec<usize>> {
    numbers(ids, rows, "embedding: id")
}

impl EmbeddingOps for Flex {
    fn look_up(weight: Flat, ids: Flat, _: Option<usize>) -> Flat {
        let _timer = Timer::start("embedding, forward");
        let [rows, width] = weight.shape().dims();
        let known = ids_of(&ids, rows).filter(|_| takes([&weight]));
        let Some(known) = known else {
            return Self::embedding(weight, ids);
        };
        let [batch, tokens] = ids.shape().dims();
        let output = cpu::forward(weight.to_contiguous().storage(), &known, width);
        tensor(output, Shape::new([batch, tokens, width]))
    }

    fn look_up_backward(gradient: Flat, weight: Flat, ids: Flat, padding: Option<usize>) -> Flat {
        let _timer = Timer::start("embedding, backward");
        let [rows, width] = weight.shape().dims();
        let known = ids_of(&ids, rows).filter(|_| takes([&gradient]));
        let Some(known) = known else {
            return composed_gradient::<Self>(gradient, weight, ids, padding);
        };
        let gradient = gradient.to_contiguous();
        let table = cpu::backward(gradient.storage(), &known, rows, width, padding);
        tensor(table, Shape::new([rows, width]))
    }
}

impl<B: EmbeddingOps, C: CheckpointStrategy> EmbeddingOps for Autodiff<B, C> {
    fn look_up(
        weight: FloatTensor<Self>,
        ids: IntTensor<Self>,
        padding: Option<usize>,
    ) -> FloatTensor<Self> {
        let (weight, node) = weight.into_parts();
        let output = B::look_up(weight.clone(), ids.clone(), padding);
        let saved = (weight, ids, padding);
        record::<B, C, _, _>([node], saved, output, |gradient, saved, _| {
            let (weight, ids, padding) = saved;
            [Some(B::look_up_backward(gradient, weight, ids, padding))]
        })
    }
}

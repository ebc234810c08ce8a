//! Attention on Flex, by the kernel of this crate.

use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape};

use super::{
    AttentionInputs, AttentionKernels, AttentionOps, Inputs, composed_attention, composed_slopes,
};
use crate::cpu::attention as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;

/// The tensor itself if its last dimension is dense, else a copy.
fn with_dense_rows(tensor: &Flat) -> Flat {
    let strides = tensor.layout().strides();
    if strides[3] == 1 && strides.iter().all(|stride| *stride >= 0) {
        tensor.clone()
    } else {
        tensor.to_contiguous()
    }
}

/// A tensor as [`with_dense_rows`] returns it.
fn heads(tensor: &Flat) -> cpu::Heads<'_> {
    let layout = tensor.layout();
    let strides = layout.strides();
    cpu::Heads {
        values: &tensor.storage()[layout.start_offset()..],
        strides: [0, 1, 2].map(|d| strides[d].unsigned_abs()),
    }
}

/// Calls `run` with the sizes and with query, key and value; nothing if they are not in `f32`.
fn with_slices<R>(
    inputs: &Inputs<Flex>,
    run: impl FnOnce(&cpu::Shape<'_>, [cpu::Heads<'_>; 3]) -> R,
) -> Option<R> {
    let all = [&inputs.query, &inputs.key, &inputs.value];
    let mask = inputs.mask.as_ref().map(|mask| mask.to_contiguous());
    let readable = mask
        .as_ref()
        .is_none_or(|mask| matches!(mask.dtype(), DType::Bool(_)));
    if !readable || !takes(all) {
        return None;
    }
    let [batch, heads_each, queries, width] = inputs.query.shape().dims();
    let shape = cpu::Shape {
        batch,
        heads: heads_each,
        queries,
        keys: inputs.key.shape()[2],
        width,
        mask: mask.as_ref().map(|mask| mask.storage()),
        causal: inputs.causal,
        scale: inputs.scale as f32,
    };
    let dense = all.map(with_dense_rows);
    let [query, key, value] = &dense;
    Some(run(&shape, [heads(query), heads(key), heads(value)]))
}

/// A tensor `[batch, heads, rows, width]` whose heads lie side by side in memory.
fn side_by_side(values: Vec<f32>, shape: &Shape) -> Flat {
    let [batch, heads, rows, width] = shape.dims();
    tensor(values, Shape::new([batch, rows, heads, width])).permute(&[0, 2, 1, 3])
}

impl AttentionKernels for Flex {
    fn attention_value(inputs: Inputs<Self>) -> (Flat, Option<Flat>) {
        let _timer = Timer::start("attention, forward");
        let result = with_slices(&inputs, |shape, [query, key, value]| {
            cpu::forward(shape, query, key, value)
        });
        let Some(result) = result else {
            return (composed_attention::<Self>(&inputs), None);
        };
        let rows = Shape::new([result.rows.len() / 2, 2]);
        (
            side_by_side(result.output, &inputs.query.shape()),
            Some(tensor(result.rows, rows)),
        )
    }

    fn attention_slopes(gradient: Flat, inputs: Inputs<Self>, rows: Option<Flat>) -> [Flat; 3] {
        let _timer = Timer::start("attention, backward");
        let rows = rows.filter(|_| takes([&gradient]));
        let slopes = rows.and_then(|rows| {
            let gradient = with_dense_rows(&gradient);
            with_slices(&inputs, |shape, all| {
                cpu::backward(shape, heads(&gradient), all, rows.storage())
            })
        });
        let Some(slopes) = slopes else {
            return composed_slopes::<Self>(gradient, &inputs);
        };
        [
            side_by_side(slopes.query, &inputs.query.shape()),
            side_by_side(slopes.key, &inputs.key.shape()),
            side_by_side(slopes.value, &inputs.key.shape()),
        ]
    }
}

impl AttentionOps for Flex {
    fn attend(query: Flat, key: Flat, value: Flat, scale: f64, causal: bool) -> Flat {
        let inputs = AttentionInputs::new([query, key, value], None, scale, causal);
        Self::attention_value(inputs).0
    }

    fn attend_masked(
        query: Flat,
        key: Flat,
        value: Flat,
        mask: Flat,
        scale: f64,
        causal: bool,
    ) -> Flat {
        let inputs = AttentionInputs::new([query, key, value], Some(mask), scale, causal);
        Self::attention_value(inputs).0
    }
}

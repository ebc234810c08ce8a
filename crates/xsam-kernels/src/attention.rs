//! Scaled dot-product attention.

mod flex;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{
    Autodiff, Backend, Dispatch, Scalar, TensorMetadata, backend_extension,
    get_or_init_device_settings,
};
use burn::tensor::{Bool, Shape, Tensor};

use crate::softmax::{composed, composed_slope};

/// `softmax(scale * query key^T) value`, head by head, with a backward pass of its own.
///
/// `query` is `[batch, heads, queries, width]`, `key` and `value` are `[batch, heads, keys, width]`, and the
/// result has the shape of `query`. `mask` is `[batch, keys]` and, as in Burn's own attention, true where a key
/// is padding that nothing may attend to. With `causal` the last query sees every key and each one before it
/// a key less than the next, also as in Burn. A query that sees no key at all has an output of zero and gives
/// no gradient. The usual `scale` is one over the square root of `width`. Gradients flow to `query`, `key` and
/// `value`. There is no dropout of the probabilities. From "Attention Is All You Need", arXiv 1706.03762.
///
/// On Flex in `f32` the probabilities of all pairs are never in memory: beside its inputs the backward pass
/// keeps two numbers a query, and does five matrix products where the forward pass does two. Inputs may be
/// views with exchanged dimensions as long as the last one is dense, and the result is such a view: heads
/// lie side by side in memory, so that joining them again copies nothing. Heads are shared out to threads,
/// a head is not.
///
/// # Panics
/// If a shape does not fit that of `query`.
pub fn attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    mask: Option<Tensor<2, Bool>>,
    scale: f64,
    causal: bool,
) -> Tensor<4> {
    let [batch, heads, _, width] = query.dims();
    let keys = key.dims()[2];
    for (name, tensor) in [("key", &key), ("value", &value)] {
        let expected = [batch, heads, keys, width];
        assert_eq!(
            tensor.dims(),
            expected,
            "attention: the {name} has another shape"
        );
    }
    let (query, key, value) = (
        query.into_dispatch(),
        key.into_dispatch(),
        value.into_dispatch(),
    );
    Tensor::from_dispatch(match mask {
        None => <Dispatch as AttentionOps>::attend(query, key, value, scale, causal),
        Some(mask) => {
            assert_eq!(
                mask.dims(),
                [batch, keys],
                "attention: the mask has another shape"
            );
            let mask = mask.into_dispatch();
            <Dispatch as AttentionOps>::attend_masked(query, key, value, mask, scale, causal)
        }
    })
}

/// Attention as an operation that Burn dispatches to the back end of its inputs.
///
/// There are two forms of it, since a dispatched operation takes no optional tensor.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait AttentionOps: Backend {
    /// See [`attention`].
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f64,
        causal: bool,
    ) -> FloatTensor<Self> {
        composed_attention::<Self>(&AttentionInputs::new(
            [query, key, value],
            None,
            scale,
            causal,
        ))
    }

    /// As [`attend`](AttentionOps::attend), with a mask of the keys.
    fn attend_masked(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        scale: f64,
        causal: bool,
    ) -> FloatTensor<Self> {
        composed_attention::<Self>(&AttentionInputs::new(
            [query, key, value],
            Some(mask),
            scale,
            causal,
        ))
    }
}

/// The arguments of [`attention`], on one back end.
#[derive(Clone, Debug)]
pub struct AttentionInputs<T, M> {
    /// `[batch, heads, queries, width]`.
    pub query: T,
    /// `[batch, heads, keys, width]`.
    pub key: T,
    /// `[batch, heads, keys, width]`.
    pub value: T,
    /// `[batch, keys]`, true where nothing may attend to the key.
    pub mask: Option<M>,
    /// The factor of the scores.
    pub scale: f64,
    /// Whether queries see only the keys up to their own place.
    pub causal: bool,
}

impl<T, M> AttentionInputs<T, M> {
    fn new([query, key, value]: [T; 3], mask: Option<M>, scale: f64, causal: bool) -> Self {
        Self {
            query,
            key,
            value,
            mask,
            scale,
            causal,
        }
    }
}

/// The arguments of [`attention`] on the back end `B`.
type Inputs<B> = AttentionInputs<FloatTensor<B>, BoolTensor<B>>;

/// The computations behind [`AttentionOps`] on one back end; the provided bodies are composed of Burn's
/// operations.
pub trait AttentionKernels: Backend {
    /// The output, and what [`attention_slopes`](AttentionKernels::attention_slopes) can use of the rows.
    fn attention_value(inputs: Inputs<Self>) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
        (composed_attention::<Self>(&inputs), None)
    }

    /// The gradients of query, key and value.
    fn attention_slopes(
        gradient: FloatTensor<Self>,
        inputs: Inputs<Self>,
        rows: Option<FloatTensor<Self>>,
    ) -> [FloatTensor<Self>; 3] {
        let _ = rows;
        composed_slopes::<Self>(gradient, &inputs)
    }
}

/// True for each pair of query and key that must not meet, `[batch, heads, queries, keys]`.
fn blocked<B: Backend>(inputs: &Inputs<B>) -> Option<BoolTensor<B>> {
    let [batch, heads, queries, _] = inputs.query.shape().dims();
    let keys = inputs.key.shape()[2];
    let pairs = |mask, shape: [usize; 4]| {
        let mask = B::bool_reshape(mask, Shape::new(shape));
        B::bool_expand(mask, Shape::new([batch, heads, queries, keys]))
    };
    let mask = inputs.mask.clone();
    let mask = mask.map(|mask| pairs(mask, [batch, 1, 1, keys]));
    if !inputs.causal {
        return mask;
    }
    let device = inputs.query.device();
    let settings = get_or_init_device_settings::<B>(&device);
    let (queries_end, keys_end) = (queries as i64, keys as i64);
    // The place of the last key that a query sees.
    let last = B::int_arange(
        keys_end - queries_end..keys_end,
        &device,
        settings.int_dtype,
    );
    let places = B::int_arange(0..keys_end, &device, settings.int_dtype);
    let future = B::int_lower(
        B::int_reshape(last, Shape::new([queries, 1])),
        B::int_reshape(places, Shape::new([1, keys])),
        settings.bool_dtype,
    );
    let future = pairs(future, [1, 1, queries, keys]);
    Some(match mask {
        Some(mask) => B::bool_or(mask, future),
        None => future,
    })
}

/// A score whose exponential is zero beside any other's. Not minus infinity, which shading languages need not know.
const LOWEST: f64 = -1e30;

fn probabilities<B: Backend>(inputs: &Inputs<B>) -> FloatTensor<B> {
    let turned = B::float_swap_dims(inputs.key.clone(), 2, 3);
    let scores = B::float_matmul(inputs.query.clone(), turned);
    let scores = B::float_mul_scalar(scores, Scalar::Float(inputs.scale));
    match blocked::<B>(inputs) {
        None => composed::<B>(scores),
        Some(blocked) => {
            let scores = B::float_mask_fill(scores, blocked.clone(), Scalar::Float(LOWEST));
            // Where no key is seen all are alike by now, and zero is what is wanted.
            B::float_mask_fill(composed::<B>(scores), blocked, Scalar::Float(0.0))
        }
    }
}

fn composed_attention<B: Backend>(inputs: &Inputs<B>) -> FloatTensor<B> {
    B::float_matmul(probabilities::<B>(inputs), inputs.value.clone())
}

fn composed_slopes<B: Backend>(
    gradient: FloatTensor<B>,
    inputs: &Inputs<B>,
) -> [FloatTensor<B>; 3] {
    let turned = |tensor| B::float_swap_dims(tensor, 2, 3);
    let likely = probabilities::<B>(inputs);
    let value = B::float_matmul(turned(likely.clone()), gradient.clone());
    let slopes = B::float_matmul(gradient, turned(inputs.value.clone()));
    let slopes = composed_slope::<B>(slopes, likely);
    let slopes = B::float_mul_scalar(slopes, Scalar::Float(inputs.scale));
    let query = B::float_matmul(slopes.clone(), inputs.key.clone());
    let key = B::float_matmul(turned(slopes), inputs.query.clone());
    [query, key, value]
}

#[derive(Debug)]
struct AttentionBackward;

impl<B: AttentionKernels> Backward<B, 3> for AttentionBackward {
    type State = (Inputs<B>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (inputs, rows) = ops.state;
        let slopes = B::attention_slopes(gradient, inputs, rows);
        for (parent, slope) in ops.parents.into_iter().zip(slopes) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, slope);
            }
        }
    }
}

fn tracked<B: AttentionKernels, C: CheckpointStrategy>(
    inputs: Inputs<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let (query, query_node) = inputs.query.into_parts();
    let (key, key_node) = inputs.key.into_parts();
    let (value, value_node) = inputs.value.into_parts();
    let inputs = AttentionInputs::new(
        [query, key, value],
        inputs.mask,
        inputs.scale,
        inputs.causal,
    );
    let (output, rows) = B::attention_value(inputs.clone());
    match AttentionBackward
        .prepare::<C>([query_node, key_node, value_node])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => prep.finish((inputs, rows), output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}

impl<B: AttentionKernels, C: CheckpointStrategy> AttentionOps for Autodiff<B, C> {
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        scale: f64,
        causal: bool,
    ) -> FloatTensor<Self> {
        tracked::<B, C>(AttentionInputs::new(
            [query, key, value],
            None,
            scale,
            causal,
        ))
    }

    fn attend_masked(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        scale: f64,
        causal: bool,
    ) -> FloatTensor<Self> {
        tracked::<B, C>(AttentionInputs::new(
            [query, key, value],
            Some(mask),
            scale,
            causal,
        ))
    }
}

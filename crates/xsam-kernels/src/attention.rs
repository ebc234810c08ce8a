//! Scaled dot-product attention.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{
    Autodiff, Backend, Dispatch, ExtensionType, Flex, Scalar, TensorMetadata, backend_extension,
    get_or_init_device_settings,
};
use burn::tensor::{Bool, DType, Shape, Tensor};

use crate::cpu::attention as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::half::{narrow, wide};
use crate::optional::Optional;
use crate::profile::Timer;
use crate::softmax::{composed, composed_gradient};
use crate::tape::record;

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
    if let Some(mask) = &mask {
        assert_eq!(
            mask.dims(),
            [batch, keys],
            "attention: the mask has another shape"
        );
    }
    let (output, _) = <Dispatch as AttentionOps>::attend(AttentionInputs {
        query: query.into_dispatch(),
        key: key.into_dispatch(),
        value: value.into_dispatch(),
        mask: match mask {
            None => KeyMask::None,
            Some(mask) => KeyMask::Some(mask.into_dispatch()),
        },
        scale,
        causal,
    });
    Tensor::from_dispatch(output)
}

/// The arguments of [`attention`], on one back end.
#[derive(Clone, Debug, ExtensionType)]
pub struct AttentionInputs<B: Backend> {
    /// `[batch, heads, queries, width]`.
    pub query: FloatTensor<B>,
    /// `[batch, heads, keys, width]`.
    pub key: FloatTensor<B>,
    /// `[batch, heads, keys, width]`.
    pub value: FloatTensor<B>,
    /// Which keys are padding.
    #[extension_type]
    pub mask: KeyMask<B>,
    /// The factor of the scores.
    pub scale: f64,
    /// Whether queries see only the keys up to their own place.
    pub causal: bool,
}

/// The mask of [`attention`], if there is one.
#[derive(Clone, Debug, ExtensionType)]
pub enum KeyMask<B: Backend> {
    /// No mask: every key is attended to.
    None,
    /// `[batch, keys]`, true where nothing may attend to the key.
    Some(BoolTensor<B>),
}

/// Attention, as Burn dispatches it to the back end of its inputs; the provided bodies are composed of Burn's
/// operations.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait AttentionOps: Backend {
    /// See [`attention`]. With the output comes what [`attend_backward`](Self::attend_backward) can use of the rows.
    fn attend(
        #[extension_type] inputs: AttentionInputs<Self>,
    ) -> (FloatTensor<Self>, Optional<Self>) {
        (composed_attention::<Self>(&inputs), Optional::None)
    }

    /// The gradients of query, key and value.
    fn attend_backward(
        gradient: FloatTensor<Self>,
        #[extension_type] inputs: AttentionInputs<Self>,
        #[extension_type] _rows: Optional<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed_gradients::<Self>(gradient, &inputs)
    }
}

/// True for each pair of query and key that must not meet, `[batch, heads, queries, keys]`.
fn blocked<B: Backend>(inputs: &AttentionInputs<B>) -> Option<BoolTensor<B>> {
    let [batch, heads, queries, _] = inputs.query.shape().dims();
    let keys = inputs.key.shape()[2];
    let pairs = |mask, shape: [usize; 4]| {
        let mask = B::bool_reshape(mask, Shape::new(shape));
        B::bool_expand(mask, Shape::new([batch, heads, queries, keys]))
    };
    let mask = match inputs.mask.clone() {
        KeyMask::None => None,
        KeyMask::Some(mask) => Some(pairs(mask, [batch, 1, 1, keys])),
    };
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

/// Of inputs in half precision in single.
fn probabilities<B: Backend>(inputs: &AttentionInputs<B>) -> FloatTensor<B> {
    let turned = B::float_swap_dims(inputs.key.clone(), 2, 3);
    let scores = B::float_matmul(inputs.query.clone(), turned);
    let scores = wide::<B>(B::float_mul_scalar(scores, Scalar::Float(inputs.scale)));
    match blocked::<B>(inputs) {
        None => composed::<B>(scores),
        Some(blocked) => {
            let scores = B::float_mask_fill(scores, blocked.clone(), Scalar::Float(LOWEST));
            // Where no key is seen all are alike by now, and zero is what is wanted.
            B::float_mask_fill(composed::<B>(scores), blocked, Scalar::Float(0.0))
        }
    }
}

fn composed_attention<B: Backend>(inputs: &AttentionInputs<B>) -> FloatTensor<B> {
    let likely = narrow::<B>(probabilities::<B>(inputs), inputs.value.dtype());
    B::float_matmul(likely, inputs.value.clone())
}

fn composed_gradients<B: Backend>(
    gradient: FloatTensor<B>,
    inputs: &AttentionInputs<B>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let turned = |tensor| B::float_swap_dims(tensor, 2, 3);
    let likely = probabilities::<B>(inputs);
    let format = inputs.value.dtype();
    let narrowed = narrow::<B>(likely.clone(), format);
    let value = B::float_matmul(turned(narrowed), gradient.clone());
    let scores = B::float_matmul(gradient, turned(inputs.value.clone()));
    let scores = composed_gradient::<B>(wide::<B>(scores), likely);
    let scores = B::float_mul_scalar(scores, Scalar::Float(inputs.scale));
    let scores = narrow::<B>(scores, format);
    let query = B::float_matmul(scores.clone(), inputs.key.clone());
    let key = B::float_matmul(turned(scores), inputs.query.clone());
    (query, key, value)
}

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
    inputs: &AttentionInputs<Flex>,
    run: impl FnOnce(&cpu::Shape<'_>, [cpu::Heads<'_>; 3]) -> R,
) -> Option<R> {
    let all = [&inputs.query, &inputs.key, &inputs.value];
    let mask = match &inputs.mask {
        KeyMask::None => None,
        KeyMask::Some(mask) => Some(mask.to_contiguous()),
    };
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

impl AttentionOps for Flex {
    fn attend(inputs: AttentionInputs<Self>) -> (Flat, Optional<Self>) {
        let _timer = Timer::start("attention, forward");
        let result = with_slices(&inputs, cpu::forward);
        let Some(result) = result else {
            return (composed_attention::<Self>(&inputs), Optional::None);
        };
        let rows = Shape::new([result.rows.len() / 2, 2]);
        (
            side_by_side(result.output, &inputs.query.shape()),
            Optional::Some(tensor(result.rows, rows)),
        )
    }

    fn attend_backward(
        gradient: Flat,
        inputs: AttentionInputs<Self>,
        rows: Optional<Self>,
    ) -> (Flat, Flat, Flat) {
        let _timer = Timer::start("attention, backward");
        let rows = rows.get().filter(|_| takes([&gradient]));
        let gradients = rows.and_then(|rows| {
            let gradient = with_dense_rows(&gradient);
            with_slices(&inputs, |shape, all| {
                cpu::backward(shape, heads(&gradient), all, rows.storage())
            })
        });
        let Some([dquery, dkey, dvalue]) = gradients else {
            return composed_gradients::<Self>(gradient, &inputs);
        };
        (
            side_by_side(dquery, &inputs.query.shape()),
            side_by_side(dkey, &inputs.key.shape()),
            side_by_side(dvalue, &inputs.key.shape()),
        )
    }
}

impl<B: AttentionOps, C: CheckpointStrategy> AttentionOps for Autodiff<B, C> {
    fn attend(inputs: AttentionInputs<Self>) -> (FloatTensor<Self>, Optional<Self>) {
        let (query, query_node) = inputs.query.into_parts();
        let (key, key_node) = inputs.key.into_parts();
        let (value, value_node) = inputs.value.into_parts();
        let inputs = AttentionInputs::<B> {
            query,
            key,
            value,
            mask: match inputs.mask {
                KeyMask::None => KeyMask::None,
                KeyMask::Some(mask) => KeyMask::Some(mask),
            },
            scale: inputs.scale,
            causal: inputs.causal,
        };
        let (output, rows) = B::attend(inputs.clone());
        let (nodes, saved) = ([query_node, key_node, value_node], (inputs, rows));
        let output = record::<B, C, _, _>(nodes, saved, output, |gradient, (inputs, rows), _| {
            let (query, key, value) = B::attend_backward(gradient, inputs, rows);
            [query, key, value].map(Some)
        });
        (output, Optional::None)
    }
}

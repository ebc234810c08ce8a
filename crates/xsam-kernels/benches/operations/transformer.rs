//! The operations of a Transformer of width 512 with 8 heads, on 16 sentences of 128 tokens; linear layers on 800
//! rows, 32 sentences of 25 tokens.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Bool, Device, Int, Shape, Tensor, TensorData};
use xsam_kernels::operations::{
    AttentionInputs, AttentionOps, CrossEntropyOps, DropoutOps, EmbeddingOps, FeedForwardOps,
    KeyMask, LayerNormOps, LinearOps, SoftmaxOps,
};
use xsam_kernels::{
    Activation, attention, bias_gelu, bias_relu, cross_entropy, dropout, embedding, layer_norm,
    linear, softmax, tied_linear,
};

use super::{Operation, Passes};

const SENTENCES: usize = 16;
const TOKENS: usize = 128;
const ROWS: usize = SENTENCES * TOKENS;
const LINEAR_ROWS: usize = 32 * 25;
const WIDTH: usize = 512;
const HEADS: usize = 8;
const HIDDEN: usize = 2048;
const CLASSES: usize = 10_000;
const WORDS: usize = 8000;
const EPSILON: f64 = 1e-5;
const SMOOTHING: f64 = 0.1;
const DROPPED: f64 = 0.1;

pub(super) fn operations() -> Vec<Operation> {
    [
        operation("layer_norm", norm),
        operation("softmax", probabilities),
        operation("attention", || attend(false)),
        operation("attention_causal", || attend(true)),
        operation("cross_entropy", entropy),
        operation("embedding", look_up),
        operation("bias_gelu", || hidden(Activation::Gelu)),
        operation("bias_relu", || hidden(Activation::Relu)),
        operation("dropout", thin),
        operation("linear", weigh),
        operation("tied_linear", weigh_by_table),
    ]
    .into()
}

fn operation(name: &'static str, prepare: fn() -> Passes) -> Operation {
    Operation { name, prepare }
}

fn passes<F, B>(forward: impl Fn() -> F + 'static, backward: impl Fn() -> B + 'static) -> Passes {
    Passes {
        forward: Box::new(move || drop(forward())),
        backward: Box::new(move || drop(backward())),
    }
}

type Flat = FloatTensor<Flex>;

/// Numbers from -1 to 1 in no order.
fn numbers<const D: usize>(shape: [usize; D]) -> TensorData {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state) as f32 / (1u32 << 31) as f32 - 1.0
    };
    let values: Vec<f32> = std::iter::repeat_with(next)
        .take(shape.iter().product())
        .collect();
    TensorData::new(values, shape)
}

/// Numbers from 0 to `limit`, in no order.
fn choices<const D: usize>(shape: [usize; D], limit: usize) -> TensorData {
    let count = shape.iter().product();
    let values: Vec<i64> = (0..count)
        .map(|i: usize| (i * 7919 % limit) as i64)
        .collect();
    TensorData::new(values, shape)
}

/// Numbers for the operation itself.
fn tensor<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(numbers(shape), &Device::flex())
}

/// Numbers for the kernel of its backward pass.
fn flat<const D: usize>(shape: [usize; D]) -> Flat {
    Flat::from_data(numbers(shape))
}

fn norm() -> Passes {
    let (x, weight, bias) = (tensor([ROWS, WIDTH]), tensor([WIDTH]), tensor([WIDTH]));
    let (gradient, input) = (flat([ROWS, WIDTH]), flat([ROWS, WIDTH]));
    let (scale, shift) = (flat([WIDTH]), flat([WIDTH]));
    let (_, rows) = Flex::row_norm(input.clone(), scale.clone(), shift, EPSILON);
    passes(
        move || layer_norm(x.clone(), weight.clone(), bias.clone(), EPSILON),
        move || {
            let (gradient, input, scale) = (gradient.clone(), input.clone(), scale.clone());
            Flex::row_norm_backward(gradient, input, scale, rows.clone(), EPSILON)
        },
    )
}

fn probabilities() -> Passes {
    let shape = [SENTENCES, HEADS, TOKENS, TOKENS];
    let x = tensor(shape);
    let (gradient, output) = (flat(shape), Flex::row_softmax(flat(shape)));
    passes(
        move || softmax(x.clone()),
        move || Flex::row_softmax_backward(gradient.clone(), output.clone()),
    )
}

fn attend(causal: bool) -> Passes {
    let shape = [SENTENCES, HEADS, TOKENS, WIDTH / HEADS];
    let scale = (shape[3] as f64).sqrt().recip();
    let [query, key, value] = [(); 3].map(|()| tensor(shape));
    // The last tokens of every other sentence are padding.
    let padding = |i: usize| (i / TOKENS).is_multiple_of(2) && i % TOKENS >= TOKENS - 16;
    let padding: Vec<bool> = (0..ROWS).map(padding).collect();
    let padding = TensorData::new(padding, [SENTENCES, TOKENS]);
    let mask = Tensor::<2, Bool>::from_data(padding.clone(), &Device::flex());
    let inputs = AttentionInputs::<Flex> {
        query: flat(shape),
        key: flat(shape),
        value: flat(shape),
        mask: KeyMask::Some(Flat::from_data(padding)),
        scale,
        causal,
    };
    let gradient = flat(shape);
    let (_, rows) = Flex::attend(inputs.clone());
    passes(
        move || {
            let (query, key, value) = (query.clone(), key.clone(), value.clone());
            attention(query, key, value, Some(mask.clone()), scale, causal)
        },
        move || Flex::attend_backward(gradient.clone(), inputs.clone(), rows.clone()),
    )
}

fn entropy() -> Passes {
    let (logits, targets) = (tensor([ROWS, CLASSES]), choices([ROWS], CLASSES));
    let classes = Tensor::<1, Int>::from_data(targets.clone(), &Device::flex());
    let (input, targets) = (flat([ROWS, CLASSES]), Flat::from_data(targets));
    let gradient = Flat::from_data(TensorData::new(vec![1f32], Shape::new([1])));
    let (_, rows) = Flex::mean_cross_entropy(input.clone(), targets.clone(), SMOOTHING);
    passes(
        move || cross_entropy(logits.clone(), classes.clone(), SMOOTHING),
        move || {
            let (gradient, input, targets) = (gradient.clone(), input.clone(), targets.clone());
            Flex::mean_cross_entropy_backward(gradient, input, targets, rows.clone(), SMOOTHING)
        },
    )
}

fn look_up() -> Passes {
    let (table, words) = (tensor([WORDS, WIDTH]), choices([SENTENCES, TOKENS], WORDS));
    let ids = Tensor::<2, Int>::from_data(words.clone(), &Device::flex());
    let (weight, words) = (flat([WORDS, WIDTH]), Flat::from_data(words));
    let gradient = flat([SENTENCES, TOKENS, WIDTH]);
    passes(
        move || embedding(table.clone(), ids.clone(), Some(0)),
        move || Flex::look_up_backward(gradient.clone(), weight.clone(), words.clone(), Some(0)),
    )
}

fn hidden(activation: Activation) -> Passes {
    let (x, bias) = (tensor([ROWS, HIDDEN]), tensor([HIDDEN]));
    let (gradient, input, shift) = (flat([ROWS, HIDDEN]), flat([ROWS, HIDDEN]), flat([HIDDEN]));
    let kept = match activation {
        Activation::Gelu => input,
        Activation::Relu => Flex::activate(input, shift.clone(), activation),
    };
    passes(
        move || {
            let (x, bias) = (x.clone(), bias.clone());
            match activation {
                Activation::Gelu => bias_gelu(x, bias),
                Activation::Relu => bias_relu(x, bias),
            }
        },
        move || Flex::activate_backward(gradient.clone(), kept.clone(), shift.clone(), activation),
    )
}

fn thin() -> Passes {
    let (x, gradient) = (tensor([ROWS, WIDTH]), flat([ROWS, WIDTH]));
    passes(
        move || dropout(x.clone(), DROPPED, 1),
        move || Flex::drop_out(gradient.clone(), DROPPED, 1),
    )
}

fn weigh() -> Passes {
    let (x, weight) = (tensor([LINEAR_ROWS, WIDTH]), tensor([WIDTH, WIDTH]));
    let bias = tensor([WIDTH]);
    let (gradient, input) = (flat([LINEAR_ROWS, WIDTH]), flat([LINEAR_ROWS, WIDTH]));
    let matrix = flat([WIDTH, WIDTH]);
    passes(
        move || linear(x.clone(), weight.clone(), Some(bias.clone())),
        move || {
            Flex::input_gradient(gradient.clone(), matrix.clone(), false);
            Flex::weight_gradient(gradient.clone(), input.clone(), false);
            Flex::bias_gradient(gradient.clone())
        },
    )
}

fn weigh_by_table() -> Passes {
    let (x, table) = (tensor([LINEAR_ROWS, WIDTH]), tensor([WORDS, WIDTH]));
    let (gradient, input) = (flat([LINEAR_ROWS, WORDS]), flat([LINEAR_ROWS, WIDTH]));
    let matrix = flat([WORDS, WIDTH]);
    passes(
        move || tied_linear(x.clone(), table.clone()),
        move || {
            Flex::input_gradient(gradient.clone(), matrix.clone(), true);
            Flex::weight_gradient(gradient.clone(), input.clone(), true)
        },
    )
}

//! Attention against its formula in double precision.

use crate::common::{
    assert_all_close, assert_close, gradient, numbers, random, read, same_bits, tensor,
};
use burn::tensor::{Bool, DType, Device, Tensor, TensorData, activation};
use proptest::prelude::*;
use xsam_kernels::attention;

const TOLERANCE: f64 = 2e-6;

type Attend = fn(Tensor<4>, Tensor<4>, Tensor<4>, Option<Tensor<2, Bool>>, f64, bool) -> Tensor<4>;

fn composed(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    mask: Option<Tensor<2, Bool>>,
    scale: f64,
    causal: bool,
) -> Tensor<4> {
    let ([batch, heads, queries, _], keys) = (query.dims(), key.dims()[2]);
    let all = [batch, heads, queries, keys];
    let mut blocked = vec![0.0; queries * keys];
    for (i, blocked) in blocked.iter_mut().enumerate() {
        let (q, k) = (i / keys, i % keys);
        *blocked = f64::from(u8::from(causal && k + queries > q + keys));
    }
    let at = (&query.device(), query.dtype());
    let mut blocked: Tensor<4> = tensor(&blocked, [1, 1, queries, keys], at).expand(all);
    if let Some(mask) = mask {
        let mask = Tensor::<2>::from_data(mask.into_data().convert::<f64>(), at);
        blocked = blocked + mask.reshape([batch, 1, 1, keys]).expand(all);
    }
    let blocked = blocked.greater_elem(0.5);
    // So low that its exponential is zero, and still a number where all are.
    let scores = (query.matmul(key.swap_dims(2, 3)) * scale).mask_fill(blocked.clone(), -1e30);
    let likely = activation::softmax(scores, 3).mask_fill(blocked, 0.0);
    likely.matmul(value)
}

#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    width: usize,
    scale: f64,
    masked: bool,
    causal: bool,
    /// How the dimensions lie in memory.
    view: View,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
enum View {
    Dense,
    /// `[batch, rows, heads, width]`, as cut from a projection.
    SideBySide,
    /// `[batch, heads, width, rows]`.
    Turned,
}

fn cases() -> impl Strategy<Value = Case> {
    let rows = || prop_oneof![1usize..9, 1usize..70, 90usize..200];
    let sizes = (1usize..4, 1usize..4, rows(), rows(), 1usize..40);
    let view = prop_oneof![
        Just(View::Dense),
        Just(View::SideBySide),
        Just(View::Turned)
    ];
    let rest = (
        prop_oneof![Just(0.3), -1.0..8.0],
        any::<[bool; 2]>(),
        view,
        any::<u64>(),
    );
    (sizes, rest).prop_map(|(sizes, rest)| Case {
        batch: sizes.0,
        heads: sizes.1,
        queries: sizes.2,
        keys: sizes.3,
        width: sizes.4,
        scale: rest.0,
        masked: rest.1[0],
        causal: rest.1[1],
        view: rest.2,
        seed: rest.3,
    })
}

/// The output and the gradients of query, key and value.
fn run(case: &Case, dtype: DType, device: &Device, attend: Attend) -> [Vec<f64>; 4] {
    let rows_of = |rows: usize, seed: u64| {
        let shape = [case.batch, case.heads, rows, case.width];
        let x = numbers(shape, case.seed ^ seed, (device, dtype));
        let moved = |x: Tensor<4>, a, b| {
            let data = x.swap_dims(a, b).into_data();
            Tensor::<4>::from_data(data, (device, dtype)).swap_dims(a, b)
        };
        match case.view {
            View::Dense => x,
            View::SideBySide => moved(x, 1, 2),
            View::Turned => moved(x, 2, 3),
        }
    };
    let query = rows_of(case.queries, 1).require_grad();
    let key = rows_of(case.keys, 2).require_grad();
    let value = rows_of(case.keys, 3).require_grad();
    let mask = case.masked.then(|| {
        let values = random(case.batch * case.keys, case.seed ^ 4);
        let mut blocked: Vec<bool> = values.iter().map(|x| *x > 0.0).collect();
        // One sequence is nothing but padding.
        blocked[..case.keys].fill(true);
        let data = TensorData::new(blocked, [case.batch, case.keys]);
        Tensor::<2, Bool>::from_data(data, device)
    });
    let (q, k, v) = (query.clone(), key.clone(), value.clone());
    let y = attend(q, k, v, mask, case.scale, case.causal);
    assert_eq!(y.dims(), query.dims());
    let grads = (y.clone() * rows_of(case.queries, 5)).sum().backward();
    let [query, key, value] = [query, key, value].map(|x| gradient(&x, &grads));
    [read(y.inner()), query, key, value]
}

fn compare(case: &Case, actual: &[Vec<f64>; 4], expected: &[Vec<f64>; 4]) {
    // Scores are sums of products of numbers up to 1, and their rounding is what an exponent gets.
    let exponent = 1.0 + case.scale.abs() * (case.width as f64).sqrt();
    let (names, tolerance) = (["y", "dquery", "dkey", "dvalue"], TOLERANCE * exponent);
    assert_all_close(names, actual, expected, tolerance, exponent);
}

proptest! {
    #![proptest_config(crate::common::cases(300))]

    #[test]
    fn it_is_the_formula_with_its_gradients(case in cases()) {
        let device = Device::flex().autodiff();
        let exact = run(&case, DType::F64, &device, composed);
        compare(&case, &run(&case, DType::F32, &device, attention), &exact);
    }

    #[test]
    fn other_formats_have_the_same_formula(case in cases()) {
        let device = Device::flex().autodiff();
        let case = Case { queries: case.queries.min(40), keys: case.keys.min(40), ..case };
        let exact = run(&case, DType::F64, &device, composed);
        let ours = run(&case, DType::F64, &device, attention);
        for (ours, exact) in ours.iter().zip(&exact) {
            assert_close("double precision", ours, exact, 1e-12, 1.0);
        }
    }
}

fn some_case() -> Case {
    Case {
        batch: 3,
        heads: 8,
        queries: 130,
        keys: 150,
        width: 64,
        scale: 0.125,
        masked: true,
        causal: true,
        view: View::SideBySide,
        seed: 11,
    }
}

#[test]
fn long_rows_and_the_same_bits() {
    let device = Device::flex().autodiff();
    let long = Case {
        batch: 1,
        heads: 2,
        queries: 40,
        keys: 2048,
        ..some_case()
    };
    for case in [some_case(), long] {
        let fast = same_bits(|device| run(&case, DType::F32, device, attention));
        compare(&case, &fast, &run(&case, DType::F64, &device, composed));
    }
}

#[test]
fn a_query_without_a_key_has_no_output_and_gives_no_gradient() {
    let device = Device::flex().autodiff();
    // All of the first sequence is padding, and of the others the first queries come before all keys.
    let case = Case {
        keys: 100,
        ..some_case()
    };
    let [y, query, key, value] = run(&case, DType::F32, &device, attention);
    let all = [&y, &query, &key, &value];
    for values in all {
        assert!(values.iter().all(|x| x.is_finite()));
        let first = values.len() / case.batch;
        assert!(values[..first].iter().all(|x| *x == 0.0));
        assert!(values[first..].iter().any(|x| *x != 0.0));
    }
    for values in [y, query] {
        for head in values.chunks(case.queries * case.width) {
            assert!(head[..30 * case.width].iter().all(|x| *x == 0.0));
        }
    }
}

#[test]
fn no_keys_and_no_queries() {
    let device = Device::flex().autodiff();
    for (queries, keys) in [(3, 0), (0, 3)] {
        let ones = |rows| Tensor::<4>::ones([2, 2, rows, 5], &device).require_grad();
        let (query, key) = (ones(queries), ones(keys));
        let y = attention(query.clone(), key.clone(), key.clone(), None, 1.0, true);
        assert_eq!(read(y.clone()), vec![0.0; 4 * queries * 5]);
        let grads = y.sum().backward();
        assert_eq!(gradient(&query, &grads), vec![0.0; 4 * queries * 5]);
        assert_eq!(gradient(&key, &grads), vec![0.0; 4 * keys * 5]);
    }
}

#[test]
fn a_nan_is_not_hidden() {
    let device = Device::flex();
    let at = (&device, DType::F32);
    for (keys, place) in [(3, 1), (40, 37)] {
        let fine: Tensor<4> = tensor(&random(keys * 4, 1), [1, 1, keys, 4], at);
        let mut values = random(keys * 4, 2);
        values[place * 4] = f64::NAN;
        let spoiled: Tensor<4> = tensor(&values, [1, 1, keys, 4], at);
        let (key, value) = (fine.clone(), fine.clone());
        let y = read(attention(spoiled.clone(), key, value, None, 0.5, false));
        assert!(y[place * 4..place * 4 + 4].iter().all(|y| y.is_nan()));
        assert_eq!(y.iter().filter(|y| y.is_nan()).count(), 4);
        let y = attention(fine.clone(), spoiled, fine, None, 0.5, false);
        assert!(read(y).iter().all(|y| y.is_nan()));
    }
}

#[test]
#[should_panic(expected = "the mask has another shape")]
fn a_mask_of_another_shape() {
    let device = Device::flex();
    let x = Tensor::<4>::ones([2, 2, 3, 4], &device);
    let mask = Tensor::<2, Bool>::from_data(TensorData::new(vec![false; 4], [2, 2]), &device);
    attention(x.clone(), x.clone(), x, Some(mask), 1.0, false);
}

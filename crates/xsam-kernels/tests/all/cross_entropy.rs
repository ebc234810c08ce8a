//! Cross entropy against its formula in double precision.

use crate::common::{assert_close, gradient, random, read, same_bits, tensor, viewed};
use burn::tensor::{DType, Device, Int, Tensor, TensorData, activation};
use proptest::prelude::*;
use xsam_kernels::{cross_entropies, cross_entropy};

const TOLERANCE: f64 = 1e-5;

fn composed(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    let logs = activation::log_softmax(logits, 1);
    let picked = logs.clone().gather(1, targets.reshape([rows, 1])).sum();
    let loss = picked * (1.0 - smoothing) + logs.sum() * (smoothing / classes as f64);
    loss * (-1.0 / rows as f64)
}

struct Case {
    shape: [usize; 2],
    /// How large the logits get.
    size: f64,
    smoothing: f64,
    view: bool,
    seed: u64,
}

type Loss = fn(Tensor<2>, Tensor<1, Int>, f64) -> Tensor<1>;

fn run(case: &Case, dtype: DType, device: &Device, loss: Loss) -> [Vec<f64>; 2] {
    let [rows, classes] = case.shape;
    let values = random(rows * classes, case.seed);
    let values: Vec<f64> = values.iter().map(|x| x * case.size).collect();
    let logits = tensor(&values, case.shape, (device, dtype));
    let logits = viewed(logits, case.view).require_grad();
    let targets: Vec<i64> = random(rows, case.seed ^ 1)
        .iter()
        .map(|x| ((x + 1.0) * 1e6) as i64 % classes as i64)
        .collect();
    let targets = Tensor::from_data(TensorData::new(targets, [rows]), device);
    let loss = loss(logits.clone(), targets, case.smoothing);
    assert_eq!(loss.dims(), [1]);
    // Another factor than 1 has to reach the gradient.
    let grads = (loss.clone() * 3.0).backward();
    [read(loss.inner()), gradient(&logits, &grads)]
}

fn compare(case: &Case, [loss, dx]: &[Vec<f64>; 2], [exact_loss, exact_dx]: &[Vec<f64>; 2]) {
    // The gradient is a difference of shares: rounding is measured by what one row can get.
    let share = 3.0 / case.shape[0] as f64;
    assert_close("loss", loss, exact_loss, TOLERANCE, 0.1);
    assert_close("dx", dx, exact_dx, TOLERANCE, share);
}

#[test]
fn it_is_the_mean_of_those_of_the_rows() {
    let device = Device::flex().autodiff();
    for smoothing in [0.0, 0.1, 1.0] {
        let case = Case {
            shape: [7, 5],
            size: 30.0,
            smoothing,
            view: false,
            seed: 3,
        };
        let rows: Loss = |logits, targets, smoothing| {
            let losses = cross_entropies(logits, targets, smoothing);
            assert_eq!(losses.dims(), [7]);
            losses.mean()
        };
        let exact = run(&case, DType::F64, &device, composed);
        compare(&case, &run(&case, DType::F64, &device, rows), &exact);
        compare(&case, &run(&case, DType::F32, &device, rows), &exact);
    }
}

proptest! {
    #![proptest_config(crate::common::cases(300))]

    #[test]
    fn it_is_the_formula_with_its_gradient(
        rows in 1usize..40,
        classes in prop_oneof![1usize..40, 40usize..3000],
        size in prop_oneof![Just(1.0), Just(10.0), Just(200.0)],
        smoothing in prop_oneof![Just(0.0), 0.0..1.0],
        view: bool,
        seed: u64,
    ) {
        let device = Device::flex().autodiff();
        let case = Case { shape: [rows, classes], size, smoothing, view, seed };
        let exact = run(&case, DType::F64, &device, composed);
        compare(&case, &run(&case, DType::F32, &device, cross_entropy), &exact);
    }
}

#[test]
fn ten_thousand_classes_other_formats_and_the_same_bits() {
    let device = Device::flex().autodiff();
    let case = Case {
        shape: [64, 10_007],
        size: 8.0,
        smoothing: 0.1,
        view: false,
        seed: 3,
    };
    let exact = run(&case, DType::F64, &device, composed);
    let fallback = run(&case, DType::F64, &device, cross_entropy);
    compare(&case, &fallback, &exact);
    let fast = same_bits(|device| run(&case, DType::F32, device, cross_entropy));
    compare(&case, &fast, &exact);
}

fn one(values: &[f64], target: i64, smoothing: f64) -> f64 {
    let device = Device::flex().autodiff();
    let logits = tensor(values, [1, values.len()], (&device, DType::F32));
    let target = Tensor::from_data(TensorData::new(vec![target], [1]), &device);
    read(cross_entropy(logits, target, smoothing))[0]
}

#[test]
fn a_masked_class_is_no_class_and_nan_is_not_hidden() {
    let masked = one(&[0.0, f64::NEG_INFINITY, 0.0], 0, 0.0);
    assert!((masked - 2f64.ln()).abs() < 1e-6);
    for width in [3, 100] {
        for at in [0, width - 1] {
            let mut values = vec![1.0; width];
            values[at] = f64::NAN;
            assert!(one(&values, 1, 0.0).is_nan());
        }
    }
    assert!(one(&[f64::NEG_INFINITY; 40], 1, 0.0).is_nan());
}

#[test]
#[should_panic(expected = "out of bounds for 3")]
fn a_target_past_the_classes() {
    one(&[0.0; 3], 3, 0.0);
}

#[test]
#[should_panic(expected = "out of bounds for 3")]
fn a_negative_target() {
    one(&[0.0; 3], -1, 0.0);
}

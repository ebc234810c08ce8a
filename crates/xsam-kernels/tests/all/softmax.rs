//! Softmax against its formula in double precision.

use crate::common::{assert_close, gradient, random, read, same_bits, tensor, viewed};
use burn::tensor::{DType, Device, Tensor, activation};
use proptest::prelude::*;
use xsam_kernels::softmax;

const TOLERANCE: f64 = 2e-6;

type Softmax = fn(Tensor<4>) -> Tensor<4>;

fn composed(x: Tensor<4>) -> Tensor<4> {
    activation::softmax(x, 3)
}

struct Case {
    shape: [usize; 4],
    /// How large the logits get.
    size: f64,
    view: bool,
    seed: u64,
}

fn run(case: &Case, dtype: DType, device: &Device, softmax: Softmax) -> [Vec<f64>; 2] {
    let at = (device, dtype);
    let numbers = |seed, size: f64| {
        let values = random(case.shape.iter().product(), case.seed ^ seed);
        let values: Vec<f64> = values.iter().map(|x| x * size).collect();
        viewed(tensor(&values, case.shape, at), case.view)
    };
    let x = numbers(1, case.size).require_grad();
    let y = softmax(x.clone());
    assert_eq!(y.dims(), case.shape);
    let grads = (y.clone() * numbers(2, 1.0)).sum().backward();
    [read(y.inner()), gradient(&x, &grads)]
}

fn compare(actual: &[Vec<f64>; 2], expected: &[Vec<f64>; 2]) {
    assert_close("y", &actual[0], &expected[0], TOLERANCE, 0.0);
    assert_close("dx", &actual[1], &expected[1], TOLERANCE, 0.1);
}

proptest! {
    #![proptest_config(crate::common::cases(400))]

    #[test]
    fn it_is_the_formula_with_its_gradient(
        shape in (1usize..4, 1usize..4, 1usize..30, prop_oneof![1usize..70, 500usize..530]),
        size in prop_oneof![Just(1.0), Just(16.0), Just(256.0)],
        view: bool,
        seed: u64,
    ) {
        let device = Device::flex().autodiff();
        let case = Case { shape: shape.into(), size, view, seed };
        let exact = run(&case, DType::F64, &device, composed);
        compare(&run(&case, DType::F32, &device, softmax), &exact);
    }
}

#[test]
fn long_rows_other_formats_and_the_same_bits() {
    let device = Device::flex().autodiff();
    for shape in [[16, 8, 33, 128], [1, 1, 3, 30_011]] {
        let case = Case {
            shape,
            size: 4.0,
            view: false,
            seed: 5,
        };
        let exact = run(&case, DType::F64, &device, composed);
        compare(&run(&case, DType::F64, &device, softmax), &exact);
        let fast = same_bits(|device| run(&case, DType::F32, device, softmax));
        compare(&fast, &exact);
    }
}

fn of_row(values: &[f64]) -> Vec<f64> {
    let at = (&Device::flex(), DType::F32);
    let x: Tensor<1> = tensor(values, [values.len()], at);
    read(softmax(x))
}

#[test]
fn infinities_and_nan() {
    for width in [3, 8, 100] {
        let mut values = vec![0.0; width];
        values[width - 1] = f64::NEG_INFINITY;
        let y = of_row(&values);
        assert!((y[0] * (width - 1) as f64 - 1.0).abs() < 1e-6 && y[width - 1] == 0.0);
        for spoiled in [f64::NAN, f64::INFINITY] {
            values[width / 2] = spoiled;
            assert!(of_row(&values)[width / 2].is_nan());
        }
        let nothing = of_row(&vec![f64::NEG_INFINITY; width]);
        assert!(nothing.iter().all(|y| y.is_nan()));
    }
}

#[test]
fn nothing_at_all() {
    let device = Device::flex().autodiff();
    let x: Tensor<2> = Tensor::zeros([0, 5], &device).require_grad();
    let grads = softmax(x.clone()).sum().backward();
    assert_eq!(x.grad(&grads).unwrap().dims(), [0, 5]);
}

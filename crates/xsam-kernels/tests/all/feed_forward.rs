//! Bias with GELU or ReLU against their formulas in double precision.

use crate::common::{
    assert_all_close, assert_close, gradient, random, read, same_bits, tensor, viewed,
};
use burn::tensor::{DType, Device, Tensor, activation};
use proptest::prelude::*;
use xsam_kernels::{bias_gelu, bias_relu};

const TOLERANCE: f64 = 1e-6;

type Layer = fn(Tensor<3>, Tensor<1>) -> Tensor<3>;

fn composed_gelu(x: Tensor<3>, bias: Tensor<1>) -> Tensor<3> {
    let x = x + bias.unsqueeze();
    let erf = (x.clone() / std::f64::consts::SQRT_2).erf();
    x * (erf + 1.0) / 2.0
}

fn composed_relu(x: Tensor<3>, bias: Tensor<1>) -> Tensor<3> {
    activation::relu(x + bias.unsqueeze())
}

const LAYERS: [(Layer, Layer); 2] = [(bias_gelu, composed_gelu), (bias_relu, composed_relu)];

struct Case {
    shape: [usize; 3],
    /// How far from zero the numbers go.
    size: f64,
    view: bool,
    seed: u64,
}

/// The output and the gradients of `x` and bias.
fn run(case: &Case, dtype: DType, device: &Device, layer: Layer) -> [Vec<f64>; 3] {
    let at = (device, dtype);
    let count = case.shape.iter().product();
    let tensor_of = |values: &[f64]| viewed(tensor(values, case.shape, at), case.view);
    let scaled = |count, seed: u64| -> Vec<f64> {
        let values = random(count, case.seed ^ seed);
        values.iter().map(|x| x * case.size).collect()
    };
    let (x, width) = (scaled(count, 1), case.shape[2]);
    let bias = scaled(width, 2);
    // Rounding decides on which side of zero a ReLU stands.
    let mut weights = random(count, case.seed ^ 3);
    for (weight, (x, bias)) in weights.iter_mut().zip(x.iter().zip(bias.iter().cycle())) {
        if (x + bias).abs() < 1e-4 {
            *weight = 0.0;
        }
    }
    let x = tensor_of(&x).require_grad();
    let bias = tensor(&bias, [width], at).require_grad();
    let y = layer(x.clone(), bias.clone());
    assert_eq!(y.dims(), case.shape);
    let grads = (y.clone() * tensor_of(&weights)).sum().backward();
    [
        read(y.inner()),
        gradient(&x, &grads),
        gradient(&bias, &grads),
    ]
}

fn compare(actual: &[Vec<f64>; 3], expected: &[Vec<f64>; 3], tolerance: f64) {
    assert_all_close(["y", "dx", "dbias"], actual, expected, tolerance, 1.0);
}

proptest! {
    #![proptest_config(crate::common::cases(300))]

    #[test]
    fn they_are_their_formulas_with_their_gradients(
        shape in (1usize..6, 1usize..30, prop_oneof![1usize..70, 500usize..530]),
        size in prop_oneof![Just(1.0), Just(4.0), Just(32.0)],
        view: bool,
        seed: u64,
    ) {
        let device = Device::flex().autodiff();
        let case = Case { shape: shape.into(), size, view, seed };
        for (ours, composed) in LAYERS {
            let exact = run(&case, DType::F64, &device, composed);
            compare(&run(&case, DType::F32, &device, ours), &exact, TOLERANCE);
            // Burn's derivative of the error function has a factor in single precision.
            compare(&run(&case, DType::F64, &device, ours), &exact, 1e-7);
        }
    }
}

#[test]
fn the_same_bits() {
    let device = Device::flex().autodiff();
    let case = Case {
        shape: [16, 128, 516],
        size: 3.0,
        view: false,
        seed: 7,
    };
    for (ours, composed) in LAYERS {
        let fast = same_bits(|device| run(&case, DType::F32, device, ours));
        let exact = run(&case, DType::F64, &device, composed);
        compare(&fast, &exact, TOLERANCE);
    }
}

#[test]
fn a_nan_is_not_hidden_and_nothing_is_nothing() {
    let device = Device::flex().autodiff();
    for (layer, _) in LAYERS {
        for width in [3, 100] {
            let mut values = random(width, 4);
            values[width - 1] = f64::NAN;
            let x: Tensor<3> = tensor(&values, [1, 1, width], (&device, DType::F32));
            let bias = Tensor::<1>::zeros([width], &device).require_grad();
            let y = layer(x, bias.clone());
            let grads = y.clone().square().sum().backward();
            for values in [read(y.inner()), gradient(&bias, &grads)] {
                assert!(values[width - 1].is_nan());
                assert!(values[..width - 1].iter().all(|y| y.is_finite()));
            }
        }
        let nothing = Tensor::<3>::zeros([0, 2, 5], &device);
        let bias = Tensor::<1>::zeros([5], &device).require_grad();
        let grads = layer(nothing, bias.clone()).sum().backward();
        assert_eq!(gradient(&bias, &grads), [0.0; 5]);
    }
}

#[test]
#[should_panic(expected = "one number a column")]
fn a_bias_of_another_length() {
    let device = Device::flex();
    let (x, bias) = (
        Tensor::<2>::ones([2, 3], &device),
        Tensor::ones([2], &device),
    );
    bias_relu(x, bias);
}

#[test]
fn the_derivative_at_one() {
    let device = Device::flex().autodiff();
    // The normal distribution and density at 1.
    let expected = 0.841_344_746_068_542_9 + 0.241_970_724_519_143_37;
    for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F64, 1e-14)] {
        let at = (&device, dtype);
        let x: Tensor<1> = tensor(&[1.0], [1], at).require_grad();
        let grads = bias_gelu(x.clone(), tensor(&[0.0], [1], at)).backward();
        assert_close("dx", &gradient(&x, &grads), &[expected], tolerance, 0.0);
    }
}

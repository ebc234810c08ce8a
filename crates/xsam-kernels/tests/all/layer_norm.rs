//! Layer norm against its formula in double precision.

use crate::common::{assert_close, gradient, random, read, same_bits, tensor, viewed};
use burn::tensor::{DType, Device, Tensor};
use proptest::prelude::*;
use xsam_kernels::layer_norm;

const TOLERANCE: f64 = 1e-5;
const EPSILON: f64 = 1e-5;

type Norm = fn(Tensor<3>, Tensor<1>, Tensor<1>, f64) -> Tensor<3>;

fn composed(x: Tensor<3>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<3> {
    let centred = x.clone() - x.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    centred / (variance + epsilon).sqrt() * weight.unsqueeze() + bias.unsqueeze()
}

struct Case {
    shape: [usize; 3],
    /// How far the mean is from zero, in standard deviations or so.
    offset: f64,
    view: bool,
    seed: u64,
}

/// The output and the gradients of `x`, weight and bias.
fn run(case: &Case, dtype: DType, device: &Device, norm: Norm) -> [Vec<f64>; 4] {
    let at = (device, dtype);
    let numbers = |seed, offset| {
        let values = random(case.shape.iter().product(), case.seed ^ seed);
        let values: Vec<f64> = values.iter().map(|x| x + offset).collect();
        viewed(tensor(&values, case.shape, at), case.view)
    };
    let row = |seed| {
        let width = case.shape[2];
        tensor(&random(width, case.seed ^ seed), [width], at).require_grad()
    };
    let x = numbers(1, case.offset).require_grad();
    let (weight, bias) = (row(2), row(3));
    let y = norm(x.clone(), weight.clone(), bias.clone(), EPSILON);
    assert_eq!(y.dims(), case.shape);
    let grads = (y.clone() * numbers(4, 0.0)).sum().backward();
    [
        read(y.inner()),
        gradient(&x, &grads),
        gradient(&weight, &grads),
        gradient(&bias, &grads),
    ]
}

fn compare(case: &Case, actual: &[Vec<f64>; 4], expected: &[Vec<f64>; 4]) {
    // With next to no variance the rounding of the mean bounds what can be had, twice so for `x`.
    let gain = random(case.shape.iter().product(), case.seed ^ 1)
        .chunks(case.shape[2])
        .map(|row| {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            let squares = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
            1.0 / (squares / row.len() as f64 + EPSILON).sqrt()
        })
        .fold(1.0, f64::max);
    let floors = [gain, gain * gain, gain, 1.0];
    let names = ["y", "dx", "dweight", "dbias"];
    for (i, name) in names.iter().enumerate() {
        assert_close(name, &actual[i], &expected[i], TOLERANCE, floors[i]);
    }
}

proptest! {
    #![proptest_config(crate::common::cases(400))]

    #[test]
    fn it_is_the_formula_with_its_gradients(
        shape in (1usize..6, 0usize..40, prop_oneof![1usize..70, 500usize..530]),
        offset in prop_oneof![Just(0.0), Just(3.0)],
        view: bool,
        seed: u64,
    ) {
        let device = Device::flex().autodiff();
        let view = view && shape.1 > 0;
        let case = Case { shape: shape.into(), offset, view, seed };
        let exact = run(&case, DType::F64, &device, composed);
        let fast = run(&case, DType::F32, &device, layer_norm);
        compare(&case, &fast, &exact);
    }
}

#[test]
fn long_rows_other_formats_and_the_same_bits() {
    let device = Device::flex().autodiff();
    for shape in [[16, 128, 512], [3, 5, 10_007]] {
        let case = Case {
            shape,
            offset: 0.5,
            view: false,
            seed: 7,
        };
        let exact = run(&case, DType::F64, &device, composed);
        compare(&case, &run(&case, DType::F64, &device, layer_norm), &exact);
        let fast = same_bits(|device| run(&case, DType::F32, device, layer_norm));
        compare(&case, &fast, &exact);
    }
}

#[test]
fn any_rank_and_only_the_gradient_that_is_wanted() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    let values = random(24, 1);
    let one = tensor(&[1.0; 24], [24], at).require_grad();
    let flat: Tensor<1> = tensor(&values, [24], at);
    let y = layer_norm(flat, one.clone(), one.clone().detach(), EPSILON);
    let deep: Tensor<4> = tensor(&values, [1, 1, 1, 24], at);
    let deep = layer_norm(deep, one.clone(), one.clone(), EPSILON);
    assert_eq!(read(y.clone()), read(deep));
    let grads = y.clone().sum().backward();
    let expected: Vec<f64> = read(y.inner()).iter().map(|y| y - 1.0).collect();
    assert_close("weight", &gradient(&one, &grads), &expected, 1e-6, 1.0);
}

#[test]
fn a_nan_spoils_its_row_and_no_other() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    for width in [3, 100] {
        let mut values = random(2 * width, 4);
        values[width - 1] = f64::NAN;
        let one = tensor(&vec![1.0; width], [width], at);
        let x: Tensor<2> = tensor(&values, [2, width], at);
        let y = read(layer_norm(x, one.clone(), one, EPSILON));
        assert!(y[..width].iter().all(|y| y.is_nan()));
        assert!(y[width..].iter().all(|y| y.is_finite()));
    }
}

#[test]
#[should_panic(expected = "one number a column")]
fn a_weight_of_another_length() {
    let at = (&Device::flex(), DType::F32);
    let (three, four) = (tensor(&[1.0; 3], [3], at), tensor(&[1.0; 4], [4], at));
    let x: Tensor<2> = tensor(&[0.0; 8], [2, 4], at);
    layer_norm(x, three, four, EPSILON);
}

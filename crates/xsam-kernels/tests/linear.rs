//! Linear layers against their formula in double precision.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use burn::tensor::{DType, Device, Tensor};
use common::{assert_close, random, read, tensor, turned};
use proptest::prelude::*;
use xsam_kernels::{linear, tied_linear};

/// Of the largest result: a sum of a thousand terms of which each is rounded.
const TOLERANCE: f64 = 3e-6;

#[derive(Clone, Copy, Debug)]
enum Form {
    Plain,
    Shifted,
    Tied,
}

const FORMS: [Form; 3] = [Form::Plain, Form::Shifted, Form::Tied];

#[derive(Clone, Copy, Debug)]
struct Case {
    rows: usize,
    inputs: usize,
    outputs: usize,
    form: Form,
    /// Which of input, weight and gradient lie column by column.
    views: [bool; 3],
    seed: u64,
}

/// Output, and the gradients of input, weight and bias.
type Results = [Vec<f64>; 4];

fn run(case: &Case, dtype: DType, device: &Device) -> Results {
    let at = (device, dtype);
    let Case {
        rows,
        inputs,
        outputs,
        ..
    } = *case;
    let matrix = |which: usize, shape: [usize; 2]| {
        let values = random(shape[0] * shape[1], case.seed ^ which as u64);
        let matrix = tensor(&values, shape, at);
        match case.views[which] {
            true => turned(matrix),
            false => matrix,
        }
    };
    let x = matrix(0, [rows, inputs]).require_grad();
    let weight = match case.form {
        Form::Tied => matrix(1, [outputs, inputs]),
        _ => matrix(1, [inputs, outputs]),
    };
    let weight = weight.require_grad();
    let bias = tensor(&random(outputs, case.seed ^ 4), [outputs], at).require_grad();
    let y = match case.form {
        Form::Plain => linear(x.clone(), weight.clone(), None),
        Form::Shifted => linear(x.clone(), weight.clone(), Some(bias.clone())),
        Form::Tied => tied_linear(x.clone(), weight.clone()),
    };
    assert_eq!(y.dims(), [rows, outputs]);
    let grads = (y.clone() * matrix(2, [rows, outputs])).sum().backward();
    let bias_slope = bias.grad(&grads).map(read).unwrap_or_default();
    assert_eq!(bias_slope.is_empty(), !matches!(case.form, Form::Shifted));
    [
        read(y.inner()),
        read(x.grad(&grads).unwrap()),
        read(weight.grad(&grads).unwrap()),
        bias_slope,
    ]
}

/// The same from the definition.
fn expected(case: &Case) -> Results {
    let Case {
        rows,
        inputs,
        outputs,
        ..
    } = *case;
    let x = random(rows * inputs, case.seed);
    let weight = random(inputs * outputs, case.seed ^ 1);
    let slope = random(rows * outputs, case.seed ^ 2);
    let bias = random(outputs, case.seed ^ 4);
    let shifted = matches!(case.form, Form::Shifted);
    let at = |i: usize, o: usize| match case.form {
        Form::Tied => o * inputs + i,
        _ => i * outputs + o,
    };
    let mut y = vec![0.0; rows * outputs];
    let mut dx = vec![0.0; rows * inputs];
    let mut dw = vec![0.0; inputs * outputs];
    let mut db = vec![0.0; if shifted { outputs } else { 0 }];
    for r in 0..rows {
        for o in 0..outputs {
            let g = slope[r * outputs + o];
            if shifted {
                y[r * outputs + o] = bias[o];
                db[o] += g;
            }
            for i in 0..inputs {
                y[r * outputs + o] += x[r * inputs + i] * weight[at(i, o)];
                dx[r * inputs + i] += g * weight[at(i, o)];
                dw[at(i, o)] += x[r * inputs + i] * g;
            }
        }
    }
    [y, dx, dw, db]
}

fn compare(actual: &Results, expected: &Results, tolerance: f64) {
    for (i, name) in ["y", "dx", "dweight", "dbias"].iter().enumerate() {
        assert_close(name, &actual[i], &expected[i], tolerance, 1.0);
    }
}

/// Sizes on both sides of every border: of few rows, of a panel, of the blocks of the common dimension.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![1usize..40, 125usize..150, 250usize..262, 515usize..530]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn they_are_their_formula_with_its_gradients(
        rows in size(),
        inputs in size(),
        outputs in size(),
        form in 0usize..3,
        views: [bool; 3],
        seed: u64,
    ) {
        let device = Device::flex().autodiff();
        let case = Case { rows, inputs, outputs, form: FORMS[form], views, seed };
        let exact = expected(&case);
        compare(&run(&case, DType::F32, &device), &exact, TOLERANCE);
        compare(&run(&case, DType::F64, &device), &exact, 1e-13);
    }
}

#[test]
fn large_ones_that_are_computed_in_parts() {
    let device = Device::flex().autodiff();
    for (rows, inputs, outputs, form) in [
        (137, 40, 30_011, Form::Shifted),
        (131, 4_500, 300, Form::Plain),
        (128, 33, 17_000, Form::Tied),
    ] {
        let case = Case {
            rows,
            inputs,
            outputs,
            form,
            views: [false; 3],
            seed: 5,
        };
        compare(
            &run(&case, DType::F32, &device),
            &expected(&case),
            2.0 * TOLERANCE,
        );
    }
}

#[test]
fn the_same_bits_whatever_the_device_and_again() {
    let device = Device::flex().autodiff();
    let checkpointing = device.clone().gradient_checkpointing();
    for form in FORMS {
        let case = Case {
            rows: 300,
            inputs: 517,
            outputs: 260,
            form,
            views: [false; 3],
            seed: 3,
        };
        let first = run(&case, DType::F32, &device);
        for device in [&device, &checkpointing] {
            assert_eq!(run(&case, DType::F32, device), first);
        }
    }
}

#[test]
fn only_what_is_tracked_has_a_gradient() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    let matrix = |seed, shape: [usize; 2]| tensor(&random(shape[0] * shape[1], seed), shape, at);
    let (x, weight) = (matrix(1, [20, 7]), matrix(2, [7, 5]));
    let bias = Tensor::<1>::zeros([5], &device);
    for tracked in 0..3 {
        let require = |t: Tensor<2>, which| {
            if tracked == which {
                t.require_grad()
            } else {
                t
            }
        };
        let (x, weight) = (require(x.clone(), 0), require(weight.clone(), 1));
        let bias = match tracked {
            2 => bias.clone().require_grad(),
            _ => bias.clone(),
        };
        let y = linear(x.clone(), weight.clone(), Some(bias.clone()));
        let grads = y.sum().backward();
        assert_eq!(x.grad(&grads).is_some(), tracked == 0);
        assert_eq!(weight.grad(&grads).is_some(), tracked == 1);
        assert_eq!(bias.grad(&grads).is_some(), tracked == 2);
    }
}

#[test]
fn a_nan_is_not_hidden_and_nothing_is_nothing() {
    let device = Device::flex();
    let at = (&device, DType::F32);
    let mut values = random(130 * 19, 4);
    values[19 * 2 + 18] = f64::NAN;
    let y = linear(
        tensor(&values, [130, 19], at),
        tensor(&random(19 * 21, 5), [19, 21], at),
        None,
    );
    for (i, row) in read(y).chunks(21).enumerate() {
        assert!(row.iter().all(|y| y.is_nan() == (i == 2)));
    }

    let device = device.autodiff();
    let bias = Tensor::<1>::ones([5], &device).require_grad();
    let weight = Tensor::<2>::ones([3, 5], &device).require_grad();
    let x = Tensor::<2>::zeros([0, 3], &device);
    let grads = linear(x, weight.clone(), Some(bias.clone()))
        .sum()
        .backward();
    assert_eq!(read(bias.grad(&grads).unwrap()), [0.0; 5]);
    assert_eq!(read(weight.grad(&grads).unwrap()), [0.0; 15]);
}

#[test]
fn without_inputs_the_bias_is_left() {
    let device = Device::flex();
    let y = linear(
        Tensor::<2>::ones([200, 0], &device),
        Tensor::<2>::ones([0, 3], &device),
        Some(Tensor::ones([3], &device)),
    );
    assert_eq!(read(y), [1.0; 600]);
}

#[test]
#[should_panic(expected = "a row for each column of the input")]
fn a_weight_that_does_not_fit() {
    let device = Device::flex();
    linear(
        Tensor::ones([2, 3], &device),
        Tensor::ones([4, 3], &device),
        None,
    );
}

#[test]
#[should_panic(expected = "one number an output")]
fn a_bias_of_another_length() {
    let device = Device::flex();
    linear(
        Tensor::ones([2, 3], &device),
        Tensor::ones([3, 4], &device),
        Some(Tensor::ones([3], &device)),
    );
}

#[test]
#[should_panic(expected = "a column for each column of the input")]
fn a_table_that_does_not_fit() {
    let device = Device::flex();
    tied_linear(Tensor::ones([2, 3], &device), Tensor::ones([3, 4], &device));
}

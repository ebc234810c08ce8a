//! Linear layers against their formula in double precision.

use crate::common::{
    assert_all_close, gradient, numbers, random, read, same_bits, same_bits_on_threads, tensor,
    viewed,
};
use burn::tensor::{DType, Device, Tensor};
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
        let matrix = numbers(shape, case.seed ^ which as u64, at);
        viewed(matrix, case.views[which])
    };
    let x = matrix(0, [rows, inputs]).require_grad();
    let weight = match case.form {
        Form::Tied => matrix(1, [outputs, inputs]),
        _ => matrix(1, [inputs, outputs]),
    };
    let weight = weight.require_grad();
    let bias = numbers([outputs], case.seed ^ 4, at).require_grad();
    let y = match case.form {
        Form::Plain => linear(x.clone(), weight.clone(), None),
        Form::Shifted => linear(x.clone(), weight.clone(), Some(bias.clone())),
        Form::Tied => tied_linear(x.clone(), weight.clone()),
    };
    assert_eq!(y.dims(), [rows, outputs]);
    let grads = (y.clone() * matrix(2, [rows, outputs])).sum().backward();
    let dbias = bias.grad(&grads).map(read).unwrap_or_default();
    assert_eq!(dbias.is_empty(), !matches!(case.form, Form::Shifted));
    let [dx, dweight] = [x, weight].map(|x| gradient(&x, &grads));
    [read(y.inner()), dx, dweight, dbias]
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
    let gradient = random(rows * outputs, case.seed ^ 2);
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
            let g = gradient[r * outputs + o];
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
    let names = ["y", "dx", "dweight", "dbias"];
    assert_all_close(names, actual, expected, tolerance, 1.0);
}

/// Sizes on both sides of every border: of few rows, of a panel, of the blocks of the common dimension.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![1usize..40, 125usize..150, 250usize..262, 515usize..530]
}

proptest! {
    #![proptest_config(crate::common::cases(150))]

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
        let fast = run(&case, DType::F32, &device);
        compare(&fast, &expected(&case), 2.0 * TOLERANCE);
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    for form in FORMS {
        let case = Case {
            rows: 300,
            inputs: 517,
            outputs: 260,
            form,
            views: [false; 3],
            seed: 3,
        };
        same_bits_on_threads(|| {
            let [y, dx, dweight, _] = same_bits(|device| run(&case, DType::F32, device));
            // A sum over rows, the gradient of a bias, is cut by the threads.
            [y, dx, dweight]
        });
    }
}

#[test]
fn only_what_is_tracked_has_a_gradient() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    for tracked in 0..3 {
        let x = numbers([20, 7], 1, at).set_require_grad(tracked == 0);
        let weight = numbers([7, 5], 2, at).set_require_grad(tracked == 1);
        let bias = Tensor::<1>::zeros([5], &device).set_require_grad(tracked == 2);
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
    let (x, weight) = (tensor(&values, [130, 19], at), numbers([19, 21], 5, at));
    let y = linear(x, weight, None);
    for (i, row) in read(y).chunks(21).enumerate() {
        assert!(row.iter().all(|y| y.is_nan() == (i == 2)));
    }

    let device = device.autodiff();
    let bias = Tensor::<1>::ones([5], &device).require_grad();
    let weight = Tensor::<2>::ones([3, 5], &device).require_grad();
    let x = Tensor::<2>::zeros([0, 3], &device);
    let y = linear(x, weight.clone(), Some(bias.clone()));
    let grads = y.sum().backward();
    assert_eq!(gradient(&bias, &grads), [0.0; 5]);
    assert_eq!(gradient(&weight, &grads), [0.0; 15]);
}

#[test]
fn without_inputs_the_bias_is_left() {
    let device = Device::flex();
    let ones = |shape: [usize; 2]| Tensor::<2>::ones(shape, &device);
    let bias = Tensor::ones([3], &device);
    let y = linear(ones([200, 0]), ones([0, 3]), Some(bias));
    assert_eq!(read(y), [1.0; 600]);
}

#[test]
#[should_panic(expected = "a row for each column of the input")]
fn a_weight_that_does_not_fit() {
    let device = Device::flex();
    let (x, weight) = (Tensor::ones([2, 3], &device), Tensor::ones([4, 3], &device));
    linear(x, weight, None);
}

#[test]
#[should_panic(expected = "one number an output")]
fn a_bias_of_another_length() {
    let device = Device::flex();
    let (x, weight) = (Tensor::ones([2, 3], &device), Tensor::ones([3, 4], &device));
    linear(x, weight, Some(Tensor::ones([3], &device)));
}

#[test]
#[should_panic(expected = "a column for each column of the input")]
fn a_table_that_does_not_fit() {
    let device = Device::flex();
    tied_linear(Tensor::ones([2, 3], &device), Tensor::ones([3, 4], &device));
}

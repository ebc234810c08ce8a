//! Batch norm against the same formula composed of Burn's operations in double precision.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use burn::tensor::{DType, Device, Tensor, activation};
use common::{assert_close, random, read, tensor, turned};
use proptest::prelude::*;
use xsam_kernels::{
    BatchNormParams, BatchNormStatistics, BatchNormTail, batch_norm_inference, batch_norm_train,
};

const TOLERANCE: f64 = 1e-5;
const EPSILON: f64 = 1e-5;

#[derive(Clone, Debug)]
struct Case {
    shape: [usize; 4],
    residual: bool,
    relu: bool,
    /// How far the mean is from zero, in standard deviations or so.
    offset: f64,
    view: bool,
    /// Which of x, weight, bias and the residual want a gradient.
    wanted: [bool; 4],
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (1usize..9, 1usize..37, 1usize..40, 1usize..40);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let wanted = any::<[bool; 4]>();
    (shape, flags, wanted, any::<u64>()).prop_map(|((n, c, h, w), flags, wanted, seed)| Case {
        shape: [n, c, h, w],
        residual: flags.0,
        relu: flags.1,
        offset: if flags.2 { 3.0 } else { 0.0 },
        view: flags.3,
        wanted,
        seed,
    })
}

struct Numbers {
    x: Vec<f64>,
    residual: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    slope: Vec<f64>,
}

impl Case {
    fn numbers(&self) -> Numbers {
        let (count, channels) = (self.shape.iter().product(), self.shape[1]);
        let x = random(count, self.seed);
        Numbers {
            x: x.into_iter().map(|x| x + self.offset).collect(),
            residual: random(count, self.seed ^ 1),
            weight: random(channels, self.seed ^ 2),
            bias: random(channels, self.seed ^ 3),
            slope: random(count, self.seed ^ 4),
        }
    }
}

/// Output, mean, variance and the wanted gradients.
struct Results {
    values: [Vec<f64>; 3],
    gradients: [Option<Vec<f64>>; 4],
}

type Normalise = fn(
    Tensor<4>,
    Tensor<1>,
    Tensor<1>,
    Option<Tensor<4>>,
    bool,
) -> (Tensor<4>, Tensor<1>, Tensor<1>);

fn params(weight: Tensor<1>, bias: Tensor<1>) -> BatchNormParams {
    BatchNormParams {
        weight,
        bias,
        epsilon: EPSILON,
    }
}

fn ours(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
    relu: bool,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let tail = BatchNormTail { residual, relu };
    let (y, statistics) = batch_norm_train(x, params(weight, bias), tail);
    (y, statistics.mean, statistics.variance)
}

fn composed(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    residual: Option<Tensor<4>>,
    relu: bool,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let channels = x.dims()[1];
    let along = |t: Tensor<1>| t.reshape([1, channels, 1, 1]);
    let mean = x.clone().mean_dim(0).mean_dim(2).mean_dim(3);
    let centred = x - mean.clone();
    let variance = centred.clone().square().mean_dim(0).mean_dim(2).mean_dim(3);
    let normal = centred / (variance.clone() + EPSILON).sqrt();
    let mut y = normal * along(weight) + along(bias);
    if let Some(residual) = residual {
        y = y + residual;
    }
    if relu {
        y = activation::relu(y);
    }
    (y, mean.reshape([channels]), variance.reshape([channels]))
}

fn run(case: &Case, numbers: &Numbers, dtype: DType, device: &Device, f: Normalise) -> Results {
    let (shape, channels, at) = (case.shape, case.shape[1], (device, dtype));
    let view = |t: Tensor<4>| if case.view { turned(t) } else { t };
    let x = view(tensor(&numbers.x, shape, at)).set_require_grad(case.wanted[0]);
    let weight = tensor(&numbers.weight, [channels], at).set_require_grad(case.wanted[1]);
    let bias = tensor(&numbers.bias, [channels], at).set_require_grad(case.wanted[2]);
    let residual = view(tensor(&numbers.residual, shape, at)).set_require_grad(case.wanted[3]);
    let added = case.residual.then(|| residual.clone());
    let (y, mean, variance) = f(x.clone(), weight.clone(), bias.clone(), added, case.relu);
    let slope = view(tensor(&numbers.slope, shape, at));
    let loss = (y.clone() * slope).sum();
    let mut gradients: [Option<Vec<f64>>; 4] = [None, None, None, None];
    let tracked = case.wanted[..3].contains(&true) || case.residual && case.wanted[3];
    if tracked {
        let grads = loss.backward();
        gradients = [
            x.grad(&grads).map(read),
            weight.grad(&grads).map(read),
            bias.grad(&grads).map(read),
            residual.grad(&grads).map(read),
        ];
    }
    Results {
        values: [read(y.inner()), read(mean.inner()), read(variance.inner())],
        gradients,
    }
}

/// Takes the slope away where rounding decides on which side of zero the ReLU stands.
fn avoid_the_kink(case: &Case, numbers: &mut Numbers, device: &Device) {
    let before = Case {
        relu: false,
        ..case.clone()
    };
    let y = &run(&before, numbers, DType::F64, device, composed).values[0];
    for (slope, y) in numbers.slope.iter_mut().zip(y) {
        if y.abs() < 1e-3 {
            *slope = 0.0;
        }
    }
}

fn assert_same(actual: &Results, expected: &Results, numbers: &Numbers) {
    // With next to no variance single precision of x itself bounds what can be had.
    let gain = expected.values[2]
        .iter()
        .zip(&numbers.weight)
        .map(|(v, g)| g.abs() / (v + EPSILON).sqrt())
        .fold(1.0, f64::max);
    for (i, name) in ["y", "mean", "variance"].iter().enumerate() {
        assert_close(
            name,
            &actual.values[i],
            &expected.values[i],
            TOLERANCE,
            gain,
        );
    }
    let floors = [gain, 1.0, 1.0, 1.0];
    for (i, name) in ["dx", "dweight", "dbias", "dresidual"].iter().enumerate() {
        match (&actual.gradients[i], &expected.gradients[i]) {
            (Some(a), Some(e)) => assert_close(name, a, e, TOLERANCE, floors[i]),
            (None, None) => {}
            _ => panic!("{name}: only one of the two has a gradient"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn training_is_the_composition_with_its_gradients(case in cases()) {
        let device = Device::flex().autodiff();
        let mut numbers = case.numbers();
        avoid_the_kink(&case, &mut numbers, &device);
        let exact = run(&case, &numbers, DType::F64, &device, composed);
        let fast = run(&case, &numbers, DType::F32, &device, ours);
        assert_same(&fast, &exact, &numbers);
    }

    #[test]
    fn inference_is_the_composition_with_its_gradients(case in cases()) {
        let device = Device::flex().autodiff();
        let mut numbers = case.numbers();
        let given: Normalise = |x, weight, bias, residual, relu| {
            let at = (&x.device(), x.dtype());
            let [mean, variance] = [5, 6].map(|seed| tensor(&random(weight.dims()[0], seed), weight.dims(), at));
            let variance = variance + 1.5;
            let statistics = BatchNormStatistics { mean: mean.clone(), variance: variance.clone() };
            let tail = BatchNormTail { residual, relu };
            let y = batch_norm_inference(x, params(weight, bias), statistics, tail);
            (y, mean, variance)
        };
        let before = Case { relu: false, ..case.clone() };
        let y = run(&before, &numbers, DType::F64, &device, given).values[0].clone();
        for (slope, y) in numbers.slope.iter_mut().zip(y) {
            *slope *= f64::from(u8::from(y.abs() > 1e-3));
        }
        let exact = run(&case, &numbers, DType::F64, &device, given);
        let tracked = run(&case, &numbers, DType::F32, &device, given);
        assert_same(&tracked, &exact, &numbers);
        // Without a graph another path is taken.
        let untracked = Case { wanted: [false; 4], ..case };
        let fast = run(&untracked, &numbers, DType::F32, &device, given);
        assert_close("y", &fast.values[0], &exact.values[0], TOLERANCE, 1.0);
    }
}

/// The gradients of input, weight, bias, mean and variance, by the operation or by its formula.
fn with_tracked_statistics(dtype: DType, by_formula: bool, residual: bool) -> [Vec<f64>; 5] {
    const SHAPE: [usize; 4] = [5, 6, 7, 9];
    let at = (&Device::flex().autodiff(), dtype);
    let count = SHAPE.iter().product();
    let x = tensor(&random(count, 21), SHAPE, at).require_grad();
    let [weight, bias, mean] =
        [22, 23, 24].map(|seed| tensor(&random(6, seed), [6], at).require_grad());
    let variance: Vec<f64> = random(6, 25).iter().map(|v| v + 1.5).collect();
    let variance = tensor(&variance, [6], at).require_grad();
    let slope = tensor(&random(count, 26), SHAPE, at);
    let added = residual.then(|| tensor(&random(count, 27), SHAPE, at));
    let y = if by_formula {
        let along = |t: &Tensor<1>| t.clone().reshape([1, 6, 1, 1]);
        let normal = (x.clone() - along(&mean)) / (along(&variance) + EPSILON).sqrt();
        let y = normal * along(&weight) + along(&bias);
        activation::relu(match added {
            Some(added) => y + added,
            None => y,
        })
    } else {
        let statistics = BatchNormStatistics {
            mean: mean.clone(),
            variance: variance.clone(),
        };
        let tail = BatchNormTail {
            residual: added,
            relu: true,
        };
        let params = params(weight.clone(), bias.clone());
        batch_norm_inference(x.clone(), params, statistics, tail)
    };
    let grads = (y * slope).sum().backward();
    let of = |t: &Tensor<1>| read(t.grad(&grads).unwrap());
    let [weight, bias, mean, variance] = [&weight, &bias, &mean, &variance].map(of);
    [read(x.grad(&grads).unwrap()), weight, bias, mean, variance]
}

#[test]
fn gradients_reach_given_statistics() {
    for residual in [false, true] {
        let exact = with_tracked_statistics(DType::F64, true, residual);
        for (dtype, tolerance) in [(DType::F32, TOLERANCE), (DType::F64, 1e-12)] {
            let found = with_tracked_statistics(dtype, false, residual);
            let names = ["dx", "dweight", "dbias", "dmean", "dvariance"];
            for (name, (found, exact)) in names.iter().zip(found.iter().zip(&exact)) {
                assert_close(name, found, exact, tolerance, 1.0);
            }
        }
    }
}

fn some_case() -> Case {
    Case {
        shape: [7, 33, 13, 9],
        residual: true,
        relu: true,
        offset: 0.5,
        view: false,
        wanted: [true; 4],
        seed: 11,
    }
}

#[test]
fn the_same_input_gives_the_same_bits() {
    let device = Device::flex().autodiff();
    let checkpointing = device.clone().gradient_checkpointing();
    for shape in [[7, 33, 13, 9], [16, 64, 32, 32], [8, 70, 2, 2]] {
        let case = Case {
            shape,
            ..some_case()
        };
        let numbers = case.numbers();
        let first = run(&case, &numbers, DType::F32, &device, ours);
        for device in [&device, &device, &checkpointing] {
            let again = run(&case, &numbers, DType::F32, device, ours);
            assert_eq!(again.values, first.values);
            assert_eq!(again.gradients, first.gradients);
        }
    }
}

#[test]
fn double_precision_is_the_composition() {
    let device = Device::flex().autodiff();
    for (residual, relu) in [(false, false), (false, true), (true, false), (true, true)] {
        let case = Case {
            residual,
            relu,
            ..some_case()
        };
        let numbers = case.numbers();
        let exact = run(&case, &numbers, DType::F64, &device, composed);
        let fallback = run(&case, &numbers, DType::F64, &device, ours);
        assert_same(&fallback, &exact, &numbers);
    }
}

#[test]
fn any_rank_from_two_and_one_value_a_channel() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    let (weight, bias) = (tensor(&[2.0; 3], [3], at), tensor(&[0.5; 3], [3], at));
    let x = tensor(&random(3, 1), [1, 3], at).require_grad();
    let params = params(weight, bias);
    let relu = BatchNormTail {
        relu: true,
        ..BatchNormTail::default()
    };
    let (y, statistics) = batch_norm_train(x.clone(), params.clone(), relu);
    assert_eq!(read(y.clone()), [0.5; 3]);
    assert_eq!(read(statistics.variance), [0.0; 3]);
    let grads = y.sum().backward();
    assert!(read(x.grad(&grads).unwrap()).iter().all(|g| g.abs() < 1e-3));

    let values = random(4 * 3 * 8, 2);
    let five = tensor(&values, [4, 3, 2, 2, 2], at);
    let three = tensor(&values, [4, 3, 8], at);
    let (five, _) = batch_norm_train(five, params.clone(), BatchNormTail::default());
    let (three, _) = batch_norm_train(three, params, BatchNormTail::default());
    assert_eq!(read(five), read(three));
}

#[test]
fn a_mean_far_from_zero_does_not_spoil_the_variance() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    let values: Vec<f64> = random(16 * 2 * 900, 3)
        .iter()
        .map(|x| x / 16.0 + 1000.0)
        .collect();
    let x = tensor(&values, [16, 2, 30, 30], at);
    let exact = read(x.clone());
    let one = tensor(&[1.0; 2], [2], at);
    let (_, statistics) = batch_norm_train(x, params(one.clone(), one), BatchNormTail::default());
    for (channel, variance) in read(statistics.variance).into_iter().enumerate() {
        let of_channel: Vec<f64> = exact
            .chunks(900)
            .skip(channel)
            .step_by(2)
            .flatten()
            .copied()
            .collect();
        let mean = of_channel.iter().sum::<f64>() / of_channel.len() as f64;
        let squares = of_channel.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        let expected = squares / of_channel.len() as f64;
        assert!(
            (variance / expected - 1.0).abs() < 1e-4,
            "{variance} {expected}"
        );
    }
}

#[test]
fn a_nan_is_not_hidden_by_the_relu() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    let mut values = random(2 * 2 * 36, 4);
    values[5] = f64::NAN;
    let x = tensor(&values, [2, 2, 6, 6], at);
    let one = tensor(&[1.0; 2], [2], at);
    let relu = BatchNormTail {
        relu: true,
        ..BatchNormTail::default()
    };
    let y = read(batch_norm_train(x, params(one.clone(), one), relu).0);
    assert!(y[..36].iter().all(|y| y.is_nan()));
    assert!(y[36..72].iter().all(|y| y.is_finite()));
}

/// The root mean square of the differences, in relation to that of what is expected.
fn rms_error(actual: &[f64], expected: &[f64]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
    let error = squares(&mut actual.iter().zip(expected).map(|(a, e)| a - e));
    (error / squares(&mut expected.iter().copied())).sqrt()
}

#[test]
fn rounding_is_that_of_a_few_operations() {
    // Half a unit in the last place is 6e-8 at most and 2.5e-8 or so in the root mean square.
    const OUTPUT: f64 = 6e-8;
    const INPUT_GRADIENT: f64 = 9e-8;
    let device = Device::flex().autodiff();
    for (shape, offset) in [
        ([32, 16, 32, 32], 0.0),
        ([32, 16, 32, 32], 1.0),
        ([32, 64, 4, 4], 0.3),
    ] {
        for relu in [false, true] {
            let case = Case {
                shape,
                offset,
                residual: false,
                relu,
                ..some_case()
            };
            let mut numbers = case.numbers();
            avoid_the_kink(&case, &mut numbers, &device);
            let exact = run(&case, &numbers, DType::F64, &device, composed);
            let fast = run(&case, &numbers, DType::F32, &device, ours);
            let output = rms_error(&fast.values[0], &exact.values[0]);
            let gradient = match (&fast.gradients[0], &exact.gradients[0]) {
                (Some(fast), Some(exact)) => rms_error(fast, exact),
                _ => f64::NAN,
            };
            assert!(
                output < OUTPUT && gradient < INPUT_GRADIENT,
                "{case:?}: {output} {gradient}"
            );
        }
    }
}

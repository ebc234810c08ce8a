//! Batch norm against the same formula composed of Burn's operations in double precision.

use crate::common::{
    assert_all_close, assert_close, gradient, numbers, random, read, same_bits,
    same_bits_on_threads, tensor, viewed,
};
use burn::tensor::{DType, Device, Tensor, activation};
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
    /// What the loss weighs the output by.
    weights: Vec<f64>,
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
            weights: random(count, self.seed ^ 4),
        }
    }
}

/// Output, mean, variance and the wanted gradients.
#[derive(Debug, PartialEq)]
struct Results {
    values: [Vec<f64>; 3],
    gradients: [Option<Vec<f64>>; 4],
}

/// Output, mean and variance.
type Normalise =
    fn(Tensor<4>, BatchNormParams, BatchNormTail<4>) -> (Tensor<4>, BatchNormStatistics);

fn params(weight: Tensor<1>, bias: Tensor<1>) -> BatchNormParams {
    BatchNormParams {
        weight,
        bias,
        epsilon: EPSILON,
    }
}

/// A ReLU and nothing else.
fn relu<const D: usize>() -> BatchNormTail<D> {
    BatchNormTail {
        residual: None,
        relu: true,
    }
}

fn composed(
    x: Tensor<4>,
    params: BatchNormParams,
    tail: BatchNormTail<4>,
) -> (Tensor<4>, BatchNormStatistics) {
    let channels = x.dims()[1];
    let along = |t: Tensor<1>| t.reshape([1, channels, 1, 1]);
    let mean = x.clone().mean_dim(0).mean_dim(2).mean_dim(3);
    let centred = x - mean.clone();
    let variance = centred.clone().square().mean_dim(0).mean_dim(2).mean_dim(3);
    let normal = centred / (variance.clone() + EPSILON).sqrt();
    let mut y = normal * along(params.weight) + along(params.bias);
    if let Some(residual) = tail.residual {
        y = y + residual;
    }
    if tail.relu {
        y = activation::relu(y);
    }
    let [mean, variance] = [mean, variance].map(|t| t.reshape([channels]));
    (y, BatchNormStatistics { mean, variance })
}

fn by_kernel(
    x: Tensor<4>,
    params: BatchNormParams,
    tail: BatchNormTail<4>,
) -> (Tensor<4>, BatchNormStatistics) {
    let (y, statistics) = batch_norm_train(x, params, tail);
    (y, statistics.into())
}

fn run(case: &Case, numbers: &Numbers, dtype: DType, device: &Device, f: Normalise) -> Results {
    let (shape, channels, at) = (case.shape, case.shape[1], (device, dtype));
    let view = |t: Tensor<4>| viewed(t, case.view);
    let x = view(tensor(&numbers.x, shape, at)).set_require_grad(case.wanted[0]);
    let weight = tensor(&numbers.weight, [channels], at).set_require_grad(case.wanted[1]);
    let bias = tensor(&numbers.bias, [channels], at).set_require_grad(case.wanted[2]);
    let residual = view(tensor(&numbers.residual, shape, at)).set_require_grad(case.wanted[3]);
    let tail = BatchNormTail {
        residual: case.residual.then(|| residual.clone()),
        relu: case.relu,
    };
    let (y, statistics) = f(x.clone(), params(weight.clone(), bias.clone()), tail);
    let loss = (y.clone() * view(tensor(&numbers.weights, shape, at))).sum();
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
        values: [
            read(y.inner()),
            read(statistics.mean.inner()),
            read(statistics.variance.inner()),
        ],
        gradients,
    }
}

/// Takes the weight away where rounding decides on which side of zero the ReLU stands.
fn avoid_the_kink(case: &Case, numbers: &mut Numbers, device: &Device, f: Normalise) {
    let before = Case {
        relu: false,
        ..case.clone()
    };
    let y = &run(&before, numbers, DType::F64, device, f).values[0];
    for (weight, y) in numbers.weights.iter_mut().zip(y) {
        if y.abs() < 1e-3 {
            *weight = 0.0;
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
    let (names, values) = (["y", "mean", "variance"], &actual.values);
    assert_all_close(names, values, &expected.values, TOLERANCE, gain);
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
    #![proptest_config(crate::common::cases(400))]

    #[test]
    fn training_is_the_composition_with_its_gradients(case in cases()) {
        let device = Device::flex().autodiff();
        let mut numbers = case.numbers();
        avoid_the_kink(&case, &mut numbers, &device, composed);
        let exact = run(&case, &numbers, DType::F64, &device, composed);
        let fast = run(&case, &numbers, DType::F32, &device, by_kernel);
        assert_same(&fast, &exact, &numbers);
    }

    #[test]
    fn inference_is_the_composition_with_its_gradients(case in cases()) {
        let device = Device::flex().autodiff();
        let mut drawn = case.numbers();
        let given: Normalise = |x, params, tail| {
            let (at, shape) = ((&x.device(), x.dtype()), params.weight.dims());
            let statistics = BatchNormStatistics {
                mean: numbers(shape, 5, at),
                variance: numbers(shape, 6, at) + 1.5,
            };
            let y = batch_norm_inference(x.clone(), params, statistics.clone(), tail);
            (y, statistics)
        };
        avoid_the_kink(&case, &mut drawn, &device, given);
        let exact = run(&case, &drawn, DType::F64, &device, given);
        let tracked = run(&case, &drawn, DType::F32, &device, given);
        assert_same(&tracked, &exact, &drawn);
        // Without a graph another path is taken.
        let untracked = Case { wanted: [false; 4], ..case };
        let fast = run(&untracked, &drawn, DType::F32, &device, given);
        assert_close("y", &fast.values[0], &exact.values[0], TOLERANCE, 1.0);
    }
}

/// The gradients of input, weight, bias, mean and variance, by the operation or by its formula.
fn with_tracked_statistics(dtype: DType, by_formula: bool, residual: bool) -> [Vec<f64>; 5] {
    const SHAPE: [usize; 4] = [5, 6, 7, 9];
    let at = (&Device::flex().autodiff(), dtype);
    let x = numbers(SHAPE, 21, at).require_grad();
    let [weight, bias, mean] = [22, 23, 24].map(|seed| numbers([6], seed, at).require_grad());
    let variance: Vec<f64> = random(6, 25).iter().map(|v| v + 1.5).collect();
    let variance = tensor(&variance, [6], at).require_grad();
    let weights = numbers(SHAPE, 26, at);
    let added = residual.then(|| numbers(SHAPE, 27, at));
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
    let grads = (y * weights).sum().backward();
    let of = |t| gradient::<1>(t, &grads);
    let [weight, bias, mean, variance] = [&weight, &bias, &mean, &variance].map(of);
    [gradient(&x, &grads), weight, bias, mean, variance]
}

#[test]
fn gradients_reach_given_statistics() {
    for residual in [false, true] {
        let exact = with_tracked_statistics(DType::F64, true, residual);
        for (dtype, tolerance) in [(DType::F32, TOLERANCE), (DType::F64, 1e-12)] {
            let found = with_tracked_statistics(dtype, false, residual);
            let names = ["dx", "dweight", "dbias", "dmean", "dvariance"];
            assert_all_close(names, &found, &exact, tolerance, 1.0);
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
fn the_same_bits_for_any_number_of_threads() {
    for shape in [[7, 33, 13, 9], [16, 64, 32, 32], [8, 70, 2, 2]] {
        let case = Case {
            shape,
            ..some_case()
        };
        let numbers = case.numbers();
        let run = |device: &Device| run(&case, &numbers, DType::F32, device, by_kernel);
        same_bits_on_threads(|| same_bits(run));
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
        let fallback = run(&case, &numbers, DType::F64, &device, by_kernel);
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
    let (y, statistics) = batch_norm_train(x.clone(), params.clone(), relu());
    assert_eq!(read(y.clone()), [0.5; 3]);
    assert_eq!(read(statistics.variance), [0.0; 3]);
    let grads = y.sum().backward();
    assert!(gradient(&x, &grads).iter().all(|g| g.abs() < 1e-3));

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
    let values = random(16 * 2 * 900, 3).into_iter();
    let values: Vec<f64> = values.map(|x| x / 16.0 + 1000.0).collect();
    let x = tensor(&values, [16, 2, 30, 30], at);
    let exact = read(x.clone());
    let one = tensor(&[1.0; 2], [2], at);
    let (_, statistics) = batch_norm_train(x, params(one.clone(), one), BatchNormTail::default());
    for (channel, variance) in read(statistics.variance).into_iter().enumerate() {
        let planes = exact.chunks(900).skip(channel).step_by(2);
        let of_channel: Vec<f64> = planes.flatten().copied().collect();
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
    let y = read(batch_norm_train(x, params(one.clone(), one), relu()).0);
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
            avoid_the_kink(&case, &mut numbers, &device, composed);
            let exact = run(&case, &numbers, DType::F64, &device, composed);
            let fast = run(&case, &numbers, DType::F32, &device, by_kernel);
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

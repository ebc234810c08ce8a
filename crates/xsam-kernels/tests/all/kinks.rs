//! Kinks that are noted in one forward pass and held in another.

use crate::common::{self, assert_all_close, assert_close, gradient, read, tensor};
use burn::tensor::{DType, Device, Tensor};
use xsam_kernels::kinks::{Kinks, record, relu};
use xsam_kernels::{
    BatchNormParams, BatchNormStatistics, BatchNormTail, FeatureStack, batch_norm_inference,
    batch_norm_train, bias_relu, max_pool2d,
};

const SHAPE: [usize; 4] = [2, 3, 4, 6];

fn numbers(seed: u64, at: (&Device, DType)) -> Tensor<4> {
    common::numbers(SHAPE, seed, at)
}

fn channels(values: [f64; 3], at: (&Device, DType)) -> Tensor<1> {
    tensor(&values, [3], at)
}

fn params(at: (&Device, DType)) -> BatchNormParams {
    BatchNormParams {
        weight: channels([1.0, 0.5, 2.0], at),
        bias: channels([0.1, -0.2, 0.0], at),
        epsilon: 1e-5,
    }
}

fn statistics(at: (&Device, DType)) -> BatchNormStatistics {
    BatchNormStatistics {
        mean: channels([0.1, 0.0, -0.1], at),
        variance: channels([0.3, 0.5, 0.2], at),
    }
}

type Operation = fn(Tensor<4>, (&Device, DType)) -> Tensor<4>;

/// Each operation of this crate with a rectifier, and what it is without one.
const RECTIFIERS: [(&str, Operation, Operation); 6] = [
    ("relu", |x, _| relu(x), |x, _| x),
    (
        "bias",
        |x, at| bias_relu(x, common::numbers([6], 9, at)),
        |x, at| x + common::numbers::<1>([6], 9, at).unsqueeze(),
    ),
    (
        "batch norm",
        |x, at| batch_norm_train(x.clone(), params(at), tail(Some(x))).0,
        |x, at| batch_norm_train(x.clone(), params(at), BatchNormTail::default()).0 + x,
    ),
    (
        "batch norm in evaluation",
        |x, at| batch_norm_inference(x, params(at), statistics(at), tail(None)),
        |x, at| batch_norm_inference(x, params(at), statistics(at), BatchNormTail::default()),
    ),
    (
        "stack",
        |x, at| stack(x).batch_norm_train(params(at), true).0,
        |x, at| stack(x).batch_norm_train(params(at), false).0,
    ),
    (
        "stack in evaluation",
        |x, at| stack(x).batch_norm_inference(params(at), statistics(at), true),
        |x, at| stack(x).batch_norm_inference(params(at), statistics(at), false),
    ),
];

fn tail(residual: Option<Tensor<4>>) -> BatchNormTail<4> {
    BatchNormTail {
        residual,
        relu: true,
    }
}

fn stack(x: Tensor<4>) -> FeatureStack<4> {
    let mut stack = FeatureStack::new(x.clone().narrow(1, 0, 2));
    stack.push(x.narrow(1, 2, 1));
    stack
}

/// The output at `x` and the gradient of its product with a fixed tensor.
fn passed(operation: Operation, x: &Tensor<4>, at: (&Device, DType)) -> [Vec<f64>; 2] {
    let x = x.clone().detach().require_grad();
    let y = operation(x.clone(), at);
    let weights = common::numbers(y.dims(), 5, at);
    let grads = (y.clone() * weights).sum().backward();
    [read(y.inner()), gradient(&x, &grads)]
}

#[test]
fn to_note_changes_nothing_and_to_hold_at_the_same_place_neither() {
    let device = Device::flex().autodiff();
    for dtype in [DType::F32, DType::F64] {
        let at = (&device, dtype);
        let x = numbers(1, at);
        for (name, operation, _) in RECTIFIERS {
            let plain = passed(operation, &x, at);
            let (noted, kinks) = record(|| passed(operation, &x, at));
            assert_eq!(kinks.len(), 1, "{name}");
            let held = kinks.hold(|| passed(operation, &x, at)).unwrap();
            for other in [noted, held] {
                assert_all_close([name, "its gradient"], &other, &plain, 1e-5, 1.0);
            }
        }
    }
}

#[test]
fn what_was_above_zero_stays_and_the_rest_stays_away() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    let (x, elsewhere) = (numbers(1, at), numbers(2, at));
    for (name, operation, linear) in RECTIFIERS {
        // Noted without a graph, as second derivatives do.
        let (start, kinks) = record(|| read(operation(x.clone(), at)));
        let [held, _] = kinks.hold(|| passed(operation, &elsewhere, at)).unwrap();
        let straight = read(linear(elsewhere.clone(), at));
        let sides = straight.iter().zip(&start);
        let expected = sides.map(|(y, start)| if *start > 0.0 { *y } else { 0.0 });
        let expected: Vec<f64> = expected.collect();
        assert_close(name, &held, &expected, 1e-5, 1.0);
        // Some have changed sides, or this shows nothing.
        assert_ne!(held, read(operation(elsewhere.clone(), at)), "{name}");
    }
}

#[test]
fn pools_keep_the_places_of_their_maxima() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    let (x, elsewhere) = (numbers(1, at), numbers(2, at));
    let pools: [Operation; 2] = [
        |x, _| max_pool2d(x, [2, 2], [2, 2], [0, 0]),
        |x, _| max_pool2d(x, [3, 3], [2, 2], [1, 1]),
    ];
    for pool in pools {
        let plain = passed(pool, &x, at);
        let (noted, kinks) = record(|| passed(pool, &x, at));
        assert_eq!(noted, plain);
        assert_eq!(kinks.hold(|| passed(pool, &x, at)).unwrap(), plain);
        // The gradient says where each maximum was; elsewhere too it goes there.
        let [values, dx] = kinks.hold(|| passed(pool, &elsewhere, at)).unwrap();
        assert_close("dx", &dx, &plain[1], 1e-6, 1.0);
        let free = passed(pool, &elsewhere, at);
        assert_ne!(dx, free[1]);
        assert!(values.iter().zip(&free[0]).all(|(held, free)| held <= free));
    }
}

#[test]
fn a_pass_of_other_operations_is_told() {
    let device = Device::flex();
    let at = (&device, DType::F32);
    let x = numbers(1, at);
    let (_, kinks) = record(|| relu(relu(x.clone())));
    assert_eq!((kinks.len(), kinks.is_empty()), (2, false));
    assert!(kinks.hold(|| relu(x.clone())).is_none());
    assert!(kinks.hold(|| relu(relu(relu(x.clone())))).is_none());
    let pooled = |x: &Tensor<4>| max_pool2d(x.clone(), [2, 2], [2, 2], [0, 0]);
    assert!(kinks.hold(|| relu(pooled(&x))).is_none());
    let half = x.clone().narrow(0, 0, 1);
    assert!(kinks.hold(|| relu(relu(half))).is_none());
    let (_, pool) = record(|| pooled(&x));
    assert!(pool.hold(|| pooled(&x.clone().narrow(3, 0, 4))).is_none());
    assert!(pool.hold(|| pooled(&x)).is_some());
    assert!(Kinks::default().hold(|| x.clone() * 2.0).is_some());
}

#[test]
fn nothing_is_left_behind_by_a_pass_that_panics() {
    let x = numbers(1, (&Device::flex(), DType::F32));
    let expected = read(relu(x.clone()));
    assert!(std::panic::catch_unwind(|| record(|| panic!("on purpose"))).is_err());
    let (_, kinks) = record(|| relu(-x.clone()));
    let panics = std::panic::AssertUnwindSafe(|| kinks.hold(|| panic!("on purpose")));
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(read(relu(x)), expected);
}

#[test]
fn one_record_may_be_within_another_pass() {
    let x = numbers(1, (&Device::flex(), DType::F32));
    let ((), outer) = record(|| {
        relu(x.clone());
        let (_, inner) = record(|| relu(relu(x.clone())));
        assert_eq!(inner.len(), 2);
        relu(x.clone());
    });
    assert_eq!(outer.len(), 2);
}

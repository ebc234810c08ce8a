//! Pooling against Burn's own in double precision.

use crate::common::{assert_all_close, gradient, numbers, read, same_bits, tensor, viewed};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{DType, Device, Tensor, module};
use proptest::prelude::*;
use xsam_kernels::{avg_pool2d, global_avg_pool, max_pool2d};

const TOLERANCE: f64 = 1e-6;

fn run<const D: usize>(
    shape: [usize; 4],
    seed: u64,
    view: bool,
    at: (&Device, DType),
    f: impl Fn(Tensor<4>) -> Tensor<D>,
) -> [Vec<f64>; 2] {
    let x = viewed(numbers(shape, seed, at), view).require_grad();
    let y = f(x.clone());
    let weights = numbers(y.dims(), seed ^ 1, at);
    let grads = (y.clone() * weights).sum().backward();
    [read(y.inner()), gradient(&x, &grads)]
}

fn compare(actual: &[Vec<f64>; 2], expected: &[Vec<f64>; 2]) {
    assert_all_close(["y", "dx"], actual, expected, TOLERANCE, 1e-3);
}

fn shapes() -> impl Strategy<Value = [usize; 4]> {
    (1usize..9, 1usize..37, 1usize..40, 1usize..40).prop_map(|(n, c, h, w)| [n, c, h, w])
}

proptest! {
    #![proptest_config(crate::common::cases(300))]

    #[test]
    fn the_two_by_two_maximum(shape in shapes(), seed: u64, view: bool) {
        prop_assume!(shape[2] >= 2 && shape[3] >= 2);
        let device = Device::flex().autodiff();
        let burns = |x| module::max_pool2d(x, MaxPoolOptions::new([2, 2]));
        let exact = run(shape, seed, view, (&device, DType::F64), burns);
        let own = |x| max_pool2d(x, [2, 2], [2, 2], [0, 0]);
        compare(&run(shape, seed, view, (&device, DType::F32), own), &exact);
    }

    #[test]
    fn the_two_by_two_average(shape in shapes(), seed: u64, view: bool) {
        prop_assume!(shape[2] >= 2 && shape[3] >= 2);
        let device = Device::flex().autodiff();
        let burns = |x| module::avg_pool2d(x, AvgPoolOptions::new([2, 2]).with_stride([2, 2]));
        let exact = run(shape, seed, view, (&device, DType::F64), burns);
        let own = |x| avg_pool2d(x, [2, 2], [2, 2], [0, 0], false);
        compare(&run(shape, seed, view, (&device, DType::F32), own), &exact);
        compare(&run(shape, seed, view, (&device, DType::F64), own), &exact);
    }

    #[test]
    fn the_mean_of_planes(shape in shapes(), seed: u64, view: bool) {
        let device = Device::flex().autodiff();
        let [n, c, ..] = shape;
        let composed = |x: Tensor<4>| x.mean_dim(3).mean_dim(2).reshape([n, c]);
        let exact = run(shape, seed, view, (&device, DType::F64), composed);
        let fast = run(shape, seed, view, (&device, DType::F32), global_avg_pool);
        compare(&fast, &exact);
    }
}

#[test]
fn other_windows_and_formats_are_burns_own() {
    let device = Device::flex().autodiff();
    let shape = [3, 5, 11, 14];
    for (kernel, stride, padding) in [([3, 3], [2, 2], [1, 1]), ([2, 2], [2, 2], [0, 0])] {
        let options = MaxPoolOptions::new(kernel)
            .with_stride(stride)
            .with_padding(padding);
        let burns = |x| module::max_pool2d(x, options.clone());
        let own = |x| max_pool2d(x, kernel, stride, padding);
        let exact = run(shape, 5, false, (&device, DType::F64), burns);
        compare(&run(shape, 5, false, (&device, DType::F32), own), &exact);
        compare(&run(shape, 5, false, (&device, DType::F64), own), &exact);
    }
    for count_include_pad in [false, true] {
        let options = AvgPoolOptions::new([3, 3])
            .with_stride([2, 2])
            .with_padding([1, 1])
            .with_count_include_pad(count_include_pad);
        let burns = |x| module::avg_pool2d(x, options.clone());
        let own = |x| avg_pool2d(x, [3, 3], [2, 2], [1, 1], count_include_pad);
        let exact = run(shape, 5, false, (&device, DType::F64), burns);
        compare(&run(shape, 5, false, (&device, DType::F32), own), &exact);
    }
    let composed = |x: Tensor<4>| x.mean_dim(3).mean_dim(2).reshape([3, 5]);
    let exact = run(shape, 5, false, (&device, DType::F64), composed);
    let own = run(shape, 5, false, (&device, DType::F64), global_avg_pool);
    compare(&own, &exact);
}

#[test]
fn the_same_input_gives_the_same_bits() {
    let shape = [9, 33, 17, 18];
    let maximum = |x| max_pool2d(x, [2, 2], [2, 2], [0, 0]);
    let average = |x| avg_pool2d(x, [2, 2], [2, 2], [0, 0], true);
    same_bits(|device| run(shape, 6, false, (device, DType::F32), maximum));
    same_bits(|device| run(shape, 6, false, (device, DType::F32), average));
    same_bits(|device| run(shape, 6, false, (device, DType::F32), global_avg_pool));
}

#[test]
fn the_first_of_equals_wins_and_nan_over_all() {
    let device = Device::flex().autodiff();
    let at = (&device, DType::F32);
    let values = [1.0, 1.0, 2.0, f64::NAN, 1.0, 1.0, 2.0, 3.0];
    let x = tensor(&values, [1, 1, 2, 4], at).require_grad();
    let y = max_pool2d(x.clone(), [2, 2], [2, 2], [0, 0]);
    let values = read(y.clone());
    assert_eq!(values[0], 1.0);
    assert!(values[1].is_nan());
    let grads = y.sum().backward();
    assert_eq!(
        gradient(&x, &grads),
        [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    );
}

//! Sums and linear combinations against the composed form in double precision.

use crate::common::{
    assert_close, numbers, place, random, read, same_bits_on_threads, tensor, viewed,
};
use burn::tensor::{DType, Device, Tensor};
use proptest::prelude::*;
use xsam_kernels::{combine, dot, scaled_ascent, squared_chords};

const TOLERANCE: f64 = 1e-6;

/// Of the sum of the magnitudes: what is summed may cancel.
const SUM_TOLERANCE: f64 = 1e-6;

fn shapes() -> impl Strategy<Value = [usize; 2]> {
    prop_oneof![
        (0usize..5, 0usize..70).prop_map(|(a, b)| [a, b]),
        // More than one span, and more than one piece.
        (1usize..9, 1usize..40_000).prop_map(|(a, b)| [a, b]),
    ]
}

/// `count` tensors of random numbers; every other one a view if `view`.
fn inputs(shape: [usize; 2], count: usize, seed: u64, view: bool, dtype: DType) -> Vec<Tensor<2>> {
    let device = Device::flex();
    (0..count)
        .map(|i| {
            let x = numbers(shape, seed.wrapping_add(i as u64), (&device, dtype));
            viewed(x, view && i % 2 == 0)
        })
        .collect()
}

fn total(parts: Tensor<1>) -> f64 {
    read(parts).iter().sum()
}

fn products(x: &[f64], y: &[f64]) -> (f64, f64) {
    let products = x.iter().zip(y).map(|(x, y)| x * y);
    products.fold((0.0, 0.0), |(sum, size): (f64, f64), p| {
        (sum + p, size + p.abs())
    })
}

proptest! {
    #![proptest_config(crate::common::cases(200))]

    #[test]
    fn dot_products(shape in shapes(), seed: u64, view: bool, wide: bool) {
        let dtype = if wide { DType::F64 } else { DType::F32 };
        let [x, y] = <[_; 2]>::try_from(inputs(shape, 2, seed, view, dtype)).unwrap();
        let (expected, size) = products(&read(x.clone()), &read(y.clone()));
        let found = total(dot(x, y));
        prop_assert!((found - expected).abs() <= SUM_TOLERANCE * size, "{found} is not {expected}");
    }

    #[test]
    fn chords(shape in shapes(), seed: u64, view: bool, wide: bool, a in -2.0..2.0, b in -2.0..2.0) {
        let dtype = if wide { DType::F64 } else { DType::F32 };
        let [x, y] = <[_; 2]>::try_from(inputs(shape, 2, seed, view, dtype)).unwrap();
        let (vx, vy) = (read(x.clone()), read(y.clone()));
        let found = squared_chords((a, x), (b, y)).map(total);
        for (sign, found) in [-1.0, 1.0].into_iter().zip(found) {
            let sum: Vec<f64> = vx.iter().zip(&vy).map(|(x, y)| a * x + sign * b * y).collect();
            let (expected, _) = products(&sum, &sum);
            prop_assert!((found - expected).abs() <= 1e-5 * expected, "{found} is not {expected}");
        }
    }

    #[test]
    fn combinations(shape in shapes(), seed: u64, view: bool, count in 1usize..5, one: bool, shared: bool) {
        let factors = random(count, seed ^ 1);
        let sum = |dtype| {
            let mut terms: Vec<_> = factors.iter().copied().zip(inputs(shape, count, seed, view, dtype)).collect();
            let (factor, first) = terms.remove(0);
            let kept = shared.then(|| first.clone());
            let before = kept.clone().map(read);
            let sum = read(combine((if one { 1.0 } else { factor }, first), &terms));
            // A tensor that another one shares is not written to.
            assert_eq!(kept.map(read), before);
            sum
        };
        assert_close("sum", &sum(DType::F32), &sum(DType::F64), TOLERANCE, 1.0);
    }

    #[test]
    fn adaptive_directions(shape in shapes(), seed: u64, view: bool, offset in prop_oneof![Just(0.0), Just(0.01)]) {
        let run = |dtype| {
            let [g, w] = <[_; 2]>::try_from(inputs(shape, 2, seed, view, dtype)).unwrap();
            let (direction, square) = scaled_ascent(g, w, offset);
            (read(direction), total(square))
        };
        let ((fast, square), (exact, exact_square)) = (run(DType::F32), run(DType::F64));
        assert_close("direction", &fast, &exact, TOLERANCE, 1e-3);
        assert!((square - exact_square).abs() <= 1e-5 * exact_square);
    }
}

#[test]
fn what_is_not_a_number_stays_none() {
    let device = Device::flex();
    for (bad, at) in [(f64::NAN, 3), (f64::INFINITY, 70_001)] {
        let mut values = random(70_003, 1);
        values[at] = bad;
        let at_device = (&device, DType::F32);
        let x = || tensor::<1>(&values, [values.len()], at_device);
        let y = || numbers::<1>([values.len()], 2, at_device);
        assert!(!total(dot(x(), x())).is_finite());
        let chords = squared_chords((1.0, x()), (1.0, y())).map(total);
        assert!(chords.iter().all(|square| !square.is_finite()));
        assert!(!read(combine((1.0, y()), &[(2.0, x())]))[at].is_finite());
        assert!(!read(combine((2.0, x()), &[(1.0, y())]))[at].is_finite());
        let (direction, square) = scaled_ascent(x(), y(), 0.0);
        assert!(!read(direction)[at].is_finite() && !total(square).is_finite());
    }
}

#[test]
fn half_precision_is_widened_before_it_is_squared() {
    let device = Device::flex();
    for dtype in [DType::F16, DType::BF16] {
        let x = || tensor::<1>(&[1000.0; 300], [300], (&device, dtype));
        assert!((total(dot(x(), x())) / 3e8 - 1.0).abs() < 1e-2);
        let [difference, sum] = squared_chords((1.0, x()), (1.0, x())).map(total);
        assert_eq!(difference, 0.0);
        assert!((sum / 1.2e9 - 1.0).abs() < 1e-2);
    }
}

#[test]
fn sums_do_not_depend_on_the_number_of_threads() {
    let device = Device::flex();
    let [x, y] = [3, 4].map(|seed| numbers::<1>([1_000_003], seed, (&device, DType::F32)));
    same_bits_on_threads(|| {
        let [a, b] = squared_chords((0.3, x.clone()), (0.7, y.clone())).map(total);
        let (_, c) = scaled_ascent(x.clone(), y.clone(), 0.01);
        [total(dot(x.clone(), y.clone())), a, b, total(c)].map(f64::to_bits)
    });
}

#[test]
fn a_tensor_of_its_own_is_reused() {
    let x = numbers::<1>([100], 5, (&Device::flex(), DType::F32));
    let before = place(&x);
    let y = x.zeros_like();
    assert_eq!(place(&combine((0.5, x), &[(1.0, y)])), before);
}

#[test]
#[should_panic(expected = "different shapes")]
fn other_shapes_are_refused() {
    let device = Device::flex();
    let (three, one) = (
        Tensor::<1>::zeros([3], &device),
        Tensor::zeros([1], &device),
    );
    dot(three, one);
}

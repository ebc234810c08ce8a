//! Dropout: how many elements go, that nothing but seed and place decides which, and the gradient.

use crate::common::{
    assert_close, gradient, numbers, random, read, same_bits, same_bits_on_threads, viewed,
};
use burn::tensor::{DType, Device, Tensor};
use proptest::prelude::*;
use xsam_kernels::{dropout, dropout_add};

/// Which of `count` elements stay.
fn stays(count: usize, probability: f64, seed: u64) -> Vec<bool> {
    let ones = Tensor::<1>::ones([count], &Device::flex());
    let values = read(dropout(ones, probability, seed));
    values.into_iter().map(|x| x != 0.0).collect()
}

/// The share of true among some, and how far off chance may take it, at five standard deviations.
#[track_caller]
fn assert_share(of: impl Iterator<Item = bool>, expected: f64) {
    let all: Vec<bool> = of.collect();
    let share = all.iter().filter(|x| **x).count() as f64 / all.len() as f64;
    let deviation = (expected * (1.0 - expected) / all.len() as f64).sqrt();
    assert!(
        (share - expected).abs() <= 5.0 * deviation + 1e-9,
        "{share} is not {expected}"
    );
}

#[test]
fn the_right_share_goes_and_no_element_knows_of_another() {
    for probability in [0.01, 0.1, 0.5, 0.9] {
        for seed in [0, 1, u64::MAX] {
            let stays_here = stays(1_000_001, probability, seed);
            assert_share(stays_here.iter().copied(), 1.0 - probability);
            // Neighbours within and across the numbers of the generator, rows of 512, and halves.
            for distance in [1, 2, 3, 16, 32, 512, 500_000] {
                let pairs = stays_here.iter().zip(&stays_here[distance..]);
                let even = pairs.clone().step_by(2);
                assert_share(even.map(|(a, b)| !a && !b), probability * probability);
                let odd = pairs.skip(1).step_by(2);
                assert_share(odd.map(|(a, b)| !a && !b), probability * probability);
            }
            // Seeds next to each other, and a step of the generator apart.
            for other in [1, 0x9E37_79B9_7F4A_7C15] {
                let there = stays(1_000_001, probability, seed.wrapping_add(other));
                let pairs = stays_here.iter().zip(&there);
                assert_share(pairs.map(|(a, b)| !a && !b), probability * probability);
            }
        }
    }
}

fn run(shape: [usize; 3], view: bool, probability: f64, at: (&Device, DType)) -> [Vec<f64>; 2] {
    let x = viewed(numbers(shape, 1, at), view).require_grad();
    let y = dropout(x.clone(), probability, 7);
    let weights = viewed(numbers(shape, 2, at), view);
    let grads = (y.clone() * weights).sum().backward();
    [read(y.inner()), gradient(&x, &grads)]
}

proptest! {
    #![proptest_config(crate::common::cases(200))]

    #[test]
    fn what_stays_is_scaled_in_both_directions(
        shape in [1usize..5, 1usize..40, 1usize..40],
        probability in prop_oneof![Just(0.0), 0.0..0.999],
        view: bool,
    ) {
        let device = Device::flex().autodiff();
        let count = shape.iter().product();
        let kept = stays(count, probability, 7);
        let expected = |seed| -> Vec<f64> {
            let values = random(count, seed);
            let factor = |stays: &bool| f64::from(u8::from(*stays)) / (1.0 - probability);
            values.iter().zip(&kept).map(|(x, stays)| x * factor(stays)).collect()
        };
        for (dtype, tolerance) in [(DType::F32, 2e-7), (DType::F64, 1e-15)] {
            let [y, dx] = run(shape, view, probability, (&device, dtype));
            assert_close("y", &y, &expected(1), tolerance, 0.0);
            assert_close("dx", &dx, &expected(2), tolerance, 0.0);
        }
    }
}

proptest! {
    #![proptest_config(crate::common::cases(100))]

    #[test]
    fn the_end_of_a_branch_is_dropout_and_an_addition(
        shape in [1usize..5, 1usize..40, 1usize..40],
        probability in prop_oneof![Just(0.0), 0.0..0.999],
        views: [bool; 2],
    ) {
        let device = Device::flex().autodiff();
        for dtype in [DType::F32, DType::F64] {
            let at = (&device, dtype);
            let run = |joined: bool| {
                let x = viewed(numbers(shape, 1, at), views[0]).require_grad();
                let branch = viewed(numbers(shape, 2, at), views[1]).require_grad();
                let y = match joined {
                    true => dropout_add(x.clone(), branch.clone(), probability, 7),
                    false => x.clone() + dropout(branch.clone(), probability, 7),
                };
                let grads = (y.clone() * numbers(shape, 3, at)).sum().backward();
                [read(y.inner()), gradient(&x, &grads), gradient(&branch, &grads)]
            };
            assert_eq!(run(true), run(false));
        }
    }
}

#[test]
#[should_panic(expected = "another shape")]
fn a_branch_of_another_shape() {
    let device = Device::flex();
    let (x, branch) = (Tensor::<1>::ones([3], &device), Tensor::ones([1], &device));
    dropout_add(x, branch, 0.5, 1);
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let run = |device: &Device| run([16, 128, 129], false, 0.3, (device, DType::F32));
    same_bits_on_threads(|| same_bits(run));
}

#[test]
fn a_nan_is_not_dropped() {
    let x = Tensor::<1>::full([100], f32::NAN, &Device::flex());
    assert!(read(dropout(x, 0.5, 1)).iter().all(|x| x.is_nan()));
}

#[test]
fn nothing_at_all() {
    let x = Tensor::<2>::zeros([0, 3], &Device::flex());
    assert_eq!(dropout(x, 0.5, 1).dims(), [0, 3]);
}

#[test]
fn impossible_probabilities() {
    for probability in [-0.1, 1.0, f64::NAN] {
        let x = Tensor::<1>::ones([3], &Device::flex());
        let both = x.clone();
        assert!(std::panic::catch_unwind(|| dropout(x, probability, 1)).is_err());
        let added = || dropout_add(both.clone(), both, probability, 1);
        assert!(std::panic::catch_unwind(added).is_err());
    }
}

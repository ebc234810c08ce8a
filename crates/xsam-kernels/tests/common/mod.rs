//! Numbers and comparisons for the tests of single operations.
#![allow(missing_docs, dead_code, clippy::unwrap_used)]

use std::env;
use std::fmt::Debug;

use burn::backend::Flex;
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use proptest::test_runner::Config as ProptestConfig;

/// So many inputs of a property, or as few as the variable `PROPTEST_CASES` says: under valgrind each takes its time.
pub fn cases(usual: u32) -> ProptestConfig {
    let asked = env::var("PROPTEST_CASES").ok();
    let most = asked.and_then(|count| count.parse().ok());
    ProptestConfig::with_cases(usual.min(most.unwrap_or(usual)))
}

/// Numbers from -1 to 1 that are exact in single precision.
pub fn random(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from((state >> 44) as u32) / f64::from(1u32 << 19) - 1.0
    };
    for _ in 0..8 {
        next();
    }
    (0..count).map(|_| next()).collect()
}

pub fn tensor<const D: usize>(
    values: &[f64],
    shape: [usize; D],
    at: (&Device, DType),
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), at)
}

/// A tensor of [`random`] numbers.
pub fn numbers<const D: usize>(shape: [usize; D], seed: u64, at: (&Device, DType)) -> Tensor<D> {
    tensor(&random(shape.iter().product(), seed), shape, at)
}

/// The same tensor, if so said [`turned`].
pub fn viewed<const D: usize>(x: Tensor<D>, view: bool) -> Tensor<D> {
    if view { turned(x) } else { x }
}

/// The same tensor, with its last two dimensions in the other order in memory.
pub fn turned<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let flipped = x.swap_dims(D - 2, D - 1);
    let data = flipped.to_data();
    let device = flipped.device();
    let dtype = flipped.dtype();
    Tensor::<D>::from_data(data, (&device, dtype)).swap_dims(D - 2, D - 1)
}

/// Where the elements of a tensor on Flex begin.
pub fn place<const D: usize>(x: &Tensor<D>) -> *const u8 {
    let x = x.clone().try_into_primitive::<Flex>().unwrap();
    x.bytes().as_ptr()
}

pub fn read<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

/// The gradient of `x`, which has one.
#[track_caller]
pub fn gradient<const D: usize>(x: &Tensor<D>, all: &Gradients) -> Vec<f64> {
    read(x.grad(all).unwrap())
}

/// What `run` gives on a device with a graph, and again with the same bits, with gradient checkpointing too.
#[track_caller]
pub fn same_bits<R: PartialEq + Debug>(run: impl Fn(&Device) -> R) -> R {
    let device = Device::flex().autodiff();
    let checkpointing = device.clone().gradient_checkpointing();
    let first = run(&device);
    for device in [&device, &checkpointing] {
        assert_eq!(run(device), first, "on {device:?}");
    }
    first
}

/// What `run` gives, with the same bits on any number of threads.
#[track_caller]
pub fn same_bits_on_threads<R: PartialEq + Debug + Send>(run: impl Fn() -> R + Sync) -> R {
    let first = run();
    for threads in 1..5 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        assert!(
            pool.build().unwrap().install(&run) == first,
            "{threads} threads"
        );
    }
    first
}

/// [`assert_close`] of several results.
#[track_caller]
pub fn assert_all_close<const N: usize>(
    names: [&str; N],
    actual: &[Vec<f64>; N],
    expected: &[Vec<f64>; N],
    tolerance: f64,
    floor: f64,
) {
    for (name, (actual, expected)) in names.iter().zip(actual.iter().zip(expected)) {
        assert_close(name, actual, expected, tolerance, floor);
    }
}

/// Whether `actual` is `expected` within `tolerance` of the largest element, or of `floor` if that is larger.
#[track_caller]
pub fn assert_close(name: &str, actual: &[f64], expected: &[f64], tolerance: f64, floor: f64) {
    assert_eq!(actual.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(floor, |m: f64, x| m.max(x.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (a - e).abs() <= tolerance * largest,
            "{name}[{i}]: {a} is not {e}"
        );
    }
}

//! Numbers and comparisons for the tests of single operations.
#![allow(missing_docs, dead_code, clippy::unwrap_used)]

use burn::tensor::{DType, Device, Tensor, TensorData};

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

/// The same tensor, with its last two dimensions in the other order in memory.
pub fn turned<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let flipped = x.swap_dims(D - 2, D - 1);
    let data = flipped.to_data();
    let device = flipped.device();
    let dtype = flipped.dtype();
    Tensor::<D>::from_data(data, (&device, dtype)).swap_dims(D - 2, D - 1)
}

pub fn read<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
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

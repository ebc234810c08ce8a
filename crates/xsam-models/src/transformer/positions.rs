//! Where in a sentence a token stands, as numbers that are added to its embedding.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// Ratio of the longest wavelength to the shortest.
const RANGE: f64 = 10_000.0;

/// The vectors of `count` places from `first` on, `[count, dim]`.
///
/// As in fairseq the first half of a vector are sines and the second half cosines, with the same
/// geometric sequence of wavelengths; the paper interleaves them, which is the same up to the order of
/// the columns. The last column of an odd `dim` is zero.
pub(super) fn sinusoidal(
    first: usize,
    count: usize,
    dim: usize,
    device: &Device,
    dtype: DType,
) -> Tensor<2> {
    let half = dim / 2;
    let step = RANGE.ln() / (half.max(2) - 1) as f64;
    let frequencies: Vec<f64> = (0..half).map(|i| (-step * i as f64).exp()).collect();
    let mut values = Vec::with_capacity(count * dim);
    for place in first..first + count {
        let angles = || frequencies.iter().map(|f| f * place as f64);
        values.extend(angles().map(f64::sin));
        values.extend(angles().map(f64::cos));
        values.extend((2 * half..dim).map(|_| 0.0));
    }
    let data = TensorData::new(values, [count, dim]).convert_dtype(dtype);
    Tensor::from_data(data, (device, dtype))
}

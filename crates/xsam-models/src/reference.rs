//! The formula by which the project's reference cases fill parameters and inputs.
//!
//! A case stores what must come out and nothing that a formula can give: every value that goes in
//! is [`unit()`] of a stream and a position. With it an implementation in any language can be run on
//! the same numbers.

use burn::module::Module;

use xsam_weights::state::{self, Kind, StateError};

/// Streams per seed: parameter tensor `j` has stream `seed * 1000 + j`.
const STREAMS: u64 = 1000;
/// Stream of the images.
const IMAGES: u64 = 900;
/// Stream of the targets.
const TARGETS: u64 = 901;

/// Value `i` of `stream`, in `[0, 1)`: the splitmix64 hash of both, to 53 bits.
pub fn unit(stream: u64, i: u64) -> f64 {
    let mut z = (stream << 32)
        .wrapping_add(i)
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (((z ^ (z >> 31)) >> 11) as f64) * (-53_f64).exp2()
}

fn stream(seed: u64, number: u64) -> u64 {
    seed.wrapping_mul(STREAMS).wrapping_add(number)
}

/// The first `count` values of `stream`, uniform within `bound` of zero.
fn symmetric(stream: u64, count: usize, bound: f64) -> Vec<f64> {
    (0..count as u64)
        .map(|i| (2.0 * unit(stream, i) - 1.0) * bound)
        .collect()
}

/// The model with every float tensor filled, in PyTorch's order and memory order.
///
/// Running variances and scales of norms are `0.5 + u`, running means and biases within 0.1 of zero,
/// the rest within `sqrt(6 / fan_in)`, `fan_in` being the number of values by the first dimension.
///
/// # Errors
///
/// If a tensor of the model does not hold plain floating-point numbers.
pub fn fill<M: Module>(model: M, seed: u64) -> Result<M, StateError> {
    state::with_values(model, |j, entry| {
        let stream = stream(seed, j as u64);
        let count = entry.numel();
        match entry.kind {
            Kind::RunningVar | Kind::NormWeight => {
                (0..count as u64).map(|i| 0.5 + unit(stream, i)).collect()
            }
            Kind::RunningMean | Kind::Bias | Kind::NormBias => symmetric(stream, count, 0.1),
            Kind::Weight => {
                let fan_in = count as f64 / entry.shape[0] as f64;
                symmetric(stream, count, (6.0 / fan_in).sqrt())
            }
        }
    })
}

/// The first `count` values of the images: uniform, of variance 1.
pub fn images(seed: u64, count: usize) -> Vec<f64> {
    symmetric(stream(seed, IMAGES), count, 3_f64.sqrt())
}

/// The first `count` targets, uniform over the classes.
pub fn targets(seed: u64, count: usize, classes: usize) -> Vec<i64> {
    let stream = stream(seed, TARGETS);
    (0..count as u64)
        .map(|i| (unit(stream, i) * classes as f64).floor() as i64)
        .collect()
}

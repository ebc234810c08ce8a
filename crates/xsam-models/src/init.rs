//! Initial values from a seed alone, by default PyTorch's.
//!
//! Burn's own initializers draw from one generator per device, so their values depend on
//! everything that drew before. Here tensor `j` of seed `s` has a generator of its own, and equal
//! seeds give equal bits in any process, on any thread, in any order.

use burn::module::Module;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use xsam_weights::state::{Entry, Kind, StateError, with_values};

/// Keeps these streams apart from other uses of the same seed.
const DOMAIN: [u8; 16] = *b"xsam-models init";

/// Fills `model` with PyTorch's defaults: convolutions and linear layers uniform within
/// `1 / sqrt(fan_in)` of zero, their biases too, and normalization layers the identity.
///
/// Where `initial` gives values of its own, it is those.
pub(crate) fn seeded<M: Module>(
    model: M,
    seed: u64,
    initial: impl Fn(&Entry, &mut ChaCha8Rng) -> Option<Vec<f64>>,
) -> Result<M, StateError> {
    // A bias has no shape to tell the fan-in of its layer; its weight comes just before it.
    let mut fan_in: usize = 1;
    drawn(model, seed, |entry, rng| {
        if let Some(values) = initial(entry, rng) {
            return values;
        }
        let count = entry.numel();
        match entry.kind {
            Kind::NormWeight | Kind::RunningVar => vec![1.0; count],
            Kind::NormBias | Kind::RunningMean => vec![0.0; count],
            Kind::Weight | Kind::Bias => {
                if entry.kind == Kind::Weight {
                    fan_in = entry.shape.iter().skip(1).product();
                }
                uniform(rng, 1.0 / (fan_in as f64).sqrt(), count)
            }
        }
    })
}

/// Fills `model` with what `values` draws for each tensor from a generator of its own.
pub(crate) fn drawn<M: Module>(
    model: M,
    seed: u64,
    mut values: impl FnMut(&Entry, &mut ChaCha8Rng) -> Vec<f64>,
) -> Result<M, StateError> {
    with_values(model, |position, entry| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(position as u64).to_le_bytes());
        key[16..].copy_from_slice(&DOMAIN);
        values(entry, &mut ChaCha8Rng::from_seed(key))
    })
}

/// Values of a normal distribution around zero.
pub(crate) fn normal(rng: &mut ChaCha8Rng, deviation: f64, count: usize) -> Vec<f64> {
    let normal = StandardNormal.sample_iter(rng);
    normal.map(|z: f64| z * deviation).take(count).collect()
}

/// Values of a normal distribution around zero that is cut off at two of its deviations; `deviation` is that of the values.
pub(crate) fn truncated_normal(rng: &mut ChaCha8Rng, deviation: f64, count: usize) -> Vec<f64> {
    /// Deviation of a normal distribution of deviation 1 that is cut off at 2.
    const LEFT: f64 = 0.879_625_661_034_239_8;
    let kept = StandardNormal
        .sample_iter(rng)
        .filter(|z: &f64| z.abs() <= 2.0);
    kept.map(|z| z * deviation / LEFT).take(count).collect()
}

/// Values uniform within `bound` of zero.
pub(crate) fn uniform(rng: &mut ChaCha8Rng, bound: f64, count: usize) -> Vec<f64> {
    // The 53 high bits are the most that fit a double in [0, 1).
    let mut unit = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    (0..count).map(|_| (2.0 * unit() - 1.0) * bound).collect()
}

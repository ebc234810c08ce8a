//! The dropout masks of one pass.

use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Keeps these streams apart from other uses of the same seed.
const DOMAIN: [u8; 24] = *b"xsam-models dropout mask";

/// Gives every place of a pass that drops a mask of its own, all of them from one seed.
pub(super) struct Dropout {
    /// The probability to go and the source of the masks' seeds; nothing where nothing is dropped.
    draws: Option<(f64, ChaCha8Rng)>,
}

impl Dropout {
    /// Drops with `probability`, by masks that follow from `seed`; without one drops nothing.
    pub(super) fn new(probability: f64, seed: Option<u64>) -> Self {
        let draws = seed.filter(|_| probability > 0.0).map(|seed| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&seed.to_le_bytes());
            key[8..].copy_from_slice(&DOMAIN);
            (probability, ChaCha8Rng::from_seed(key))
        });
        Self { draws }
    }

    /// `x` with the next mask.
    pub(super) fn apply<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        match &mut self.draws {
            Some((probability, rng)) => xsam_kernels::dropout(x, *probability, rng.next_u64()),
            None => x,
        }
    }

    /// `x` plus the branch with the next mask.
    pub(super) fn add<const D: usize>(&mut self, x: Tensor<D>, branch: Tensor<D>) -> Tensor<D> {
        match &mut self.draws {
            Some((probability, rng)) => {
                xsam_kernels::dropout_add(x, branch, *probability, rng.next_u64())
            }
            None => x + branch,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use burn::tensor::Device;

    use super::*;

    const COUNT: usize = 10_000;

    fn masks(seed: Option<u64>) -> [Vec<f32>; 2] {
        let mut dropout = Dropout::new(0.3, seed);
        [(); 2].map(|()| {
            let ones = Tensor::<1>::ones([COUNT], &Device::flex());
            dropout.apply(ones).into_data().try_to_vec().unwrap()
        })
    }

    #[test]
    fn every_place_of_a_pass_has_a_mask_of_its_own() {
        // Masks of neighbouring seeds too: the second of one is not the first of the next.
        let all = [masks(Some(1)), masks(Some(2))].concat();
        let expected = 0.7 * 0.7 * COUNT as f64;
        let deviation = (expected * (1.0 - 0.49)).sqrt();
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                let both = a.iter().zip(b).filter(|(a, b)| **a > 0.0 && **b > 0.0);
                assert!((both.count() as f64 - expected).abs() < 5.0 * deviation);
            }
        }
        assert_eq!(masks(Some(1)), masks(Some(1)));
        assert_eq!(masks(None).concat(), vec![1.0; 2 * COUNT]);
    }
}

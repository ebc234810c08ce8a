//! Random streams that are named by what they are for.
//!
//! The draws are written out here rather than taken from a library, whose choice of algorithm may
//! change between versions: the same seed must give the same data for as long as runs are compared.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream is for. Different purposes never share numbers, whatever the seed.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Order,
    Noise,
    Split,
    Pairs,
    Augmentation,
}

impl Purpose {
    fn tag(self) -> [u8; 16] {
        match self {
            Self::Order => *b"xsam-data order\0",
            Self::Noise => *b"xsam-data noise\0",
            Self::Split => *b"xsam-data split\0",
            Self::Pairs => *b"xsam-data pairs\0",
            Self::Augmentation => *b"xsam-data image\0",
        }
    }
}

/// A stream of its own for every purpose, seed and position.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub(crate) fn new(purpose: Purpose, seed: u64, position: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&position.to_le_bytes());
        key[16..].copy_from_slice(&purpose.tag());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A stream of its own for every image in every epoch: `new` of the epoch, with the index as
    /// ChaCha's nonce.
    pub(crate) fn of_image(purpose: Purpose, seed: u64, epoch: u64, index: usize) -> Self {
        let mut stream = Self::new(purpose, seed, epoch);
        stream.0.set_stream(index as u64);
        stream
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `0..bound`, without bias; 0 if `bound` is 0.
    ///
    /// Lemire's method: the high half of a product is uniform once the few low halves that would
    /// favour some results are drawn again.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        if bound == 0 {
            return 0;
        }
        let reject_below = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            if product as u64 >= reject_below {
                return (product >> 64) as usize;
            }
        }
    }

    /// Fisher and Yates' shuffle, from the end.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_draws_are_uniform_and_in_bounds() {
        let mut stream = Stream::new(Purpose::Order, 1, 0);
        for bound in [1, 2, 3, 7, 10] {
            let mut counts = vec![0_usize; bound];
            let draws = 10_000 * bound;
            for _ in 0..draws {
                counts[stream.below(bound)] += 1;
            }
            // Five standard deviations of a count of mean 10,000.
            assert!(
                counts.iter().all(|&c| c.abs_diff(10_000) < 500),
                "{counts:?}"
            );
        }
        assert_eq!(stream.below(0), 0);
        assert!(stream.below(usize::MAX) < usize::MAX);
    }

    #[test]
    fn units_are_uniform() {
        let mut stream = Stream::new(Purpose::Noise, 1, 0);
        let draws: Vec<f64> = (0..10_000).map(|_| stream.unit()).collect();
        assert!(draws.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 5.0 * (1.0_f64 / 12.0 / 10_000.0).sqrt());
    }

    #[test]
    fn streams_differ_by_purpose_seed_and_position() {
        let first =
            |purpose, seed, position| Stream::new(purpose, seed, position).below(usize::MAX);
        let base = first(Purpose::Order, 1, 2);
        assert_eq!(base, first(Purpose::Order, 1, 2));
        assert_ne!(base, first(Purpose::Order, 2, 1));
        assert_ne!(base, first(Purpose::Order, 1, 3));
        assert_ne!(base, first(Purpose::Noise, 1, 2));
        assert_ne!(base, first(Purpose::Split, 1, 2));
        assert_ne!(base, first(Purpose::Pairs, 1, 2));
    }

    #[test]
    fn every_image_of_every_epoch_has_a_stream_of_its_own() {
        let mut firsts = std::collections::HashSet::new();
        for (seed, epoch) in [(1, 2), (2, 1), (1, 3)] {
            for index in 0..1000 {
                let first = || {
                    Stream::of_image(Purpose::Augmentation, seed, epoch, index).below(usize::MAX)
                };
                assert_eq!(first(), first());
                firsts.insert(first());
            }
        }
        assert_eq!(firsts.len(), 3000);
    }
}

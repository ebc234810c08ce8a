//! Which of the training images are held out for validation.

use crate::error::RequestError;
use crate::stratify::split;
use crate::{DataError, Images, Normalization, Splits};

/// Above the rounding error of a product of a share and a number of images, below any difference
/// that is meant: 0.29 of 100 images are 29.
const SLACK: f64 = 1e-6;

/// How the training images of a data set without a validation part are divided: a share of every
/// class, drawn by a seed, is held out. The test part is not touched.
///
/// ```
/// use xsam_data::Validation;
///
/// assert_eq!(Validation::default(), Validation::new(0.1, 10)?);
/// let error = Validation::new(1.0, 10).unwrap_err();
/// assert_eq!(error.to_string(), "validation: 1 must be above 0 and below 1");
/// # Ok::<(), xsam_data::RequestError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    share: f64,
    seed: u64,
}

impl Validation {
    /// Images held out by default: a tenth.
    pub const SHARE: f64 = 0.1;
    /// Decides by default which. Another number would change the numbers of every comparison.
    pub const SEED: u64 = 10;

    /// Holds out this share of the training images.
    ///
    /// # Errors
    ///
    /// A share that is not above 0 and below 1.
    pub fn new(share: f64, seed: u64) -> Result<Self, RequestError> {
        // Not written as `share <= 0 || share >= 1`, which NaN would pass.
        if share > 0.0 && share < 1.0 {
            Ok(Self { share, seed })
        } else {
            let message = format!("{share} must be above 0 and below 1");
            Err(RequestError::new("validation", message))
        }
    }

    /// How many of `n` images, at least two, are held out: rounded down, but at least one on each side.
    pub(crate) fn held(self, n: usize) -> usize {
        let held = (n as f64 * self.share + SLACK) as usize;
        held.clamp(1, n - 1)
    }

    /// The indices of the images to learn from and of those held out, in ascending order. Every class
    /// has its share.
    pub(crate) fn divide(
        self,
        labels: &[usize],
        classes: usize,
    ) -> Result<[Vec<usize>; 2], DataError> {
        let n = labels.len();
        let parts = (n >= 2).then(|| {
            let held = self.held(n);
            split(labels, classes, &[n - held, held], self.seed)
        });
        parts
            .and_then(|parts| parts.try_into().ok())
            .ok_or_else(|| {
                DataError::Unfit(format!(
                    "of {n} training images none can be held out for validation"
                ))
            })
    }

    /// A data set from the two parts it is published in.
    pub(crate) fn splits(self, train: &Images, test: Images) -> Result<Splits, DataError> {
        let [kept, held] = self.divide(train.labels(), train.classes())?;
        let validation = train.select(&held)?;
        let train = train.select(&kept)?;
        Ok(Splits {
            normalization: Normalization::measure(&train),
            train,
            validation,
            test,
        })
    }
}

impl Default for Validation {
    fn default() -> Self {
        Self {
            share: Self::SHARE,
            seed: Self::SEED,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::images::numbered;

    fn held(n: usize, share: f64) -> usize {
        let parts = Validation::new(share, 3).unwrap().divide(&vec![0; n], 1);
        parts.unwrap()[1].len()
    }

    #[test]
    fn the_default_is_a_tenth_rounded_down_and_at_least_one() {
        for n in (2..2000).chain([60_000, 99_999, 1_281_167]) {
            assert_eq!(held(n, Validation::SHARE), (n / 10).max(1), "{n}");
        }
    }

    #[test]
    fn a_share_of_hundredths_is_what_it_says() {
        for hundredths in 1..100 {
            assert_eq!(held(100, hundredths as f64 / 100.0), hundredths);
            assert_eq!(held(50_000, hundredths as f64 / 100.0), 500 * hundredths);
        }
    }

    #[test]
    fn both_sides_have_an_image_however_small_or_large_the_share() {
        for n in 2..20 {
            assert_eq!(held(n, f64::MIN_POSITIVE), 1);
            assert_eq!(held(n, 1.0 - f64::EPSILON), n - 1);
        }
        for n in [0, 1] {
            let error = Validation::default().divide(&vec![0; n], 1).unwrap_err();
            let message = format!("of {n} training images none can be held out for validation");
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn a_share_that_leaves_nothing_is_refused() {
        for share in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
            let error = Validation::new(share, 0).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("validation: {share} must be above 0 and below 1")
            );
        }
    }

    #[test]
    fn every_class_has_its_share_the_seed_decides_and_the_test_part_stays() {
        let labels: Vec<usize> = (0..200).map(|i| i % 4).collect();
        let (train, test) = (numbered(&labels, 4), numbered(&[3, 1], 4));
        let splits = |seed| {
            let validation = Validation::new(0.3, seed).unwrap();
            validation.splits(&train, test.clone()).unwrap()
        };
        let one = splits(1);
        assert_eq!(one.validation.class_counts(), [15; 4]);
        assert_eq!(one.train.class_counts(), [35; 4]);
        assert_eq!(one.test, test);
        assert_eq!(one.normalization, Normalization::measure(&one.train));
        let first =
            |images: &Images| -> Vec<u8> { images.pixels().iter().step_by(2).copied().collect() };
        let mut all = [first(&one.train), first(&one.validation)].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..200));
        assert_eq!(splits(1), one);
        assert_ne!(splits(2).validation, one.validation);
    }
}

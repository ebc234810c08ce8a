//! Symmetric label noise.

use crate::random::{Purpose, Stream};
use crate::{DataError, Images};

/// Replaces each label, with probability `fraction`, by one drawn uniformly from *all* classes.
///
/// The draw may return the true class, so a fraction `f` of `c` classes leaves about
/// `1 - f (c - 1) / c` of the labels right. What happens to an image depends on `seed` and its
/// index alone; a larger fraction under the same seed corrupts the same images and more.
///
/// Returns the images and how many labels differ from before.
///
/// # Errors
///
/// A fraction outside `0..=1` or NaN.
pub fn with_label_noise(
    images: &Images,
    fraction: f64,
    seed: u64,
) -> Result<(Images, usize), DataError> {
    if !(0.0..=1.0).contains(&fraction) {
        return Err(DataError::Range {
            field: "label_noise",
            value: fraction.to_string(),
            range: "0..=1".to_owned(),
        });
    }
    let classes = images.classes();
    let labels: Vec<usize> = images
        .labels()
        .iter()
        .zip(0_u64..)
        .map(|(&label, index)| {
            let mut stream = Stream::new(Purpose::Noise, seed, index);
            if stream.unit() < fraction {
                stream.below(classes)
            } else {
                label
            }
        })
        .collect();
    let changed = labels
        .iter()
        .zip(images.labels())
        .filter(|(new, old)| new != old)
        .count();
    Ok((images.with_labels(labels)?, changed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::images::numbered;

    fn cycling(n: usize) -> Images {
        numbered(&(0..n).map(|i| i % 10).collect::<Vec<_>>(), 10)
    }

    #[test]
    fn about_nine_tenths_of_the_fraction_change() {
        let images = cycling(10_000);
        for fraction in [0.0, 0.1, 0.4, 0.8, 1.0] {
            let (noisy, changed) = with_label_noise(&images, fraction, 5).unwrap();
            let differing = noisy.labels().iter().zip(images.labels());
            assert_eq!(changed, differing.filter(|(a, b)| a != b).count());
            let rate = changed as f64 / 10_000.0;
            // Five standard deviations of a rate of at most one half.
            assert!(
                (rate - 0.9 * fraction).abs() <= 5.0 * 0.005,
                "{fraction}: {rate}"
            );
            assert_eq!(noisy.pixels(), images.pixels());
        }
        assert_eq!(with_label_noise(&images, 0.0, 5).unwrap(), (images, 0));
    }

    #[test]
    fn all_classes_are_drawn_alike() {
        let (noisy, _) = with_label_noise(&numbered(&[0; 10_000], 10), 1.0, 3).unwrap();
        let counts = noisy.class_counts();
        assert!(counts.iter().all(|c| c.abs_diff(1000) < 150), "{counts:?}");
    }

    #[test]
    fn an_image_is_treated_alike_in_any_company_and_at_any_larger_fraction() {
        let (large, _) = with_label_noise(&cycling(1000), 0.3, 8).unwrap();
        let (small, _) = with_label_noise(&cycling(100), 0.3, 8).unwrap();
        assert_eq!(small.labels(), &large.labels()[..100]);
        let (more, _) = with_label_noise(&cycling(1000), 0.6, 8).unwrap();
        for (i, (&a, &b)) in large.labels().iter().zip(more.labels()).enumerate() {
            assert!(a == i % 10 || a == b);
        }
        let (other, _) = with_label_noise(&cycling(1000), 0.3, 9).unwrap();
        assert_ne!(other.labels(), large.labels());
    }

    #[test]
    fn only_probabilities_are_accepted() {
        for fraction in [-0.1, 1.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = with_label_noise(&cycling(3), fraction, 0).unwrap_err();
            assert!(error.to_string().starts_with("label_noise = "));
        }
    }
}

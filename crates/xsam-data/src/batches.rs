//! Which images make up the batches of an epoch.

use std::slice::Chunks;

use crate::augment::{View, push_view};
use crate::random::{Purpose, Stream};
use crate::{DataError, Images, Normalization};

/// The order of `n` images in an epoch: a uniform permutation of `0..n` that depends on `seed` and
/// `epoch` alone.
///
/// Any epoch can be had without those before it. The result is fixed across versions of this
/// crate: ChaCha8 keyed by seed and epoch, Lemire's bounded draws, Fisher-Yates from the end.
pub fn order(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    Stream::new(Purpose::Order, seed, epoch).shuffle(&mut order);
    order
}

/// Cuts an order into batches of `batch_size`.
///
/// The last batch is smaller if the size does not divide the number of images: every image counts
/// once in every epoch. `len` of the iterator is the number of batches.
///
/// # Errors
///
/// A batch size of zero.
pub fn batches(order: &[usize], batch_size: usize) -> Result<Chunks<'_, usize>, DataError> {
    if batch_size == 0 {
        return Err(DataError::Zero {
            field: "batch_size",
        });
    }
    Ok(order.chunks(batch_size))
}

/// The pixels and labels of a batch, in the order of `indices` and ready to become tensors of
/// shapes `[batch, channels, height, width]` and `[batch]`. Pixels are normalized, and nothing else
/// is done to them; [`Pipeline::gather`](crate::Pipeline::gather) augments.
///
/// # Errors
///
/// An index beyond the last image, or a normalization of another number of channels.
pub fn gather(
    images: &Images,
    normalization: &Normalization,
    indices: &[usize],
) -> Result<(Vec<f32>, Vec<i64>), DataError> {
    let tables = tables(images, normalization)?;
    gather_views(images, &tables, indices, |_| View::WHOLE)
}

/// A table per channel, if `normalization` is for images like these.
pub(crate) fn tables(
    images: &Images,
    normalization: &Normalization,
) -> Result<Vec<[f32; 256]>, DataError> {
    let tables: Vec<[f32; 256]> = normalization.tables().collect();
    if tables.len() != images.channels() {
        let (images, normalization) = (images.channels(), tables.len());
        return Err(DataError::Unfit(format!(
            "images of {images} channels cannot be normalized by the numbers of {normalization}"
        )));
    }
    Ok(tables)
}

/// What `view` says is to be seen of the images at `indices`, and their labels.
pub(crate) fn gather_views(
    images: &Images,
    tables: &[[f32; 256]],
    indices: &[usize],
    view: impl Fn(usize) -> View,
) -> Result<(Vec<f32>, Vec<i64>), DataError> {
    let size = [images.height(), images.width()];
    let mut pixels = Vec::with_capacity(indices.len() * images.pixels_per_image());
    let mut labels = Vec::with_capacity(indices.len());
    let mut spare = Vec::new();
    for &index in indices {
        let image = images.image(index)?;
        push_view(image, size, tables, &view(index), &mut spare, &mut pixels);
        labels.push(images.labels()[index] as i64);
    }
    Ok((pixels, labels))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::images::numbered;

    #[test]
    fn an_order_is_a_permutation_that_seed_and_epoch_decide() {
        for n in [0, 1, 2, 3, 17, 1000] {
            for (seed, epoch) in [(0, 0), (0, 1), (1, 0), (u64::MAX, u64::MAX)] {
                let order = order(n, seed, epoch);
                assert_eq!(order, super::order(n, seed, epoch));
                let mut sorted = order;
                sorted.sort_unstable();
                assert!(sorted.into_iter().eq(0..n));
            }
        }
        let base = order(1000, 1, 2);
        assert_ne!(base, order(1000, 2, 1));
        assert_ne!(base, order(1000, 1, 3));
    }

    #[test]
    fn every_permutation_is_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        for epoch in 0..24_000 {
            *counts.entry(order(4, 9, epoch)).or_insert(0_usize) += 1;
        }
        assert_eq!(counts.len(), 24);
        // Five standard deviations of a count of mean 1,000.
        assert!(
            counts.values().all(|c| c.abs_diff(1000) < 160),
            "{counts:?}"
        );
    }

    #[test]
    fn the_order_never_changes() {
        assert_eq!(order(10, 42, 0), [3, 9, 7, 6, 1, 4, 5, 0, 2, 8]);
        assert_eq!(order(10, 42, 1), [9, 2, 6, 3, 7, 8, 5, 4, 1, 0]);
        assert_eq!(order(1200, 7, 199)[..6], [441, 687, 869, 342, 727, 781]);
    }

    #[test]
    fn batches_cover_the_order_once_and_keep_the_rest() {
        for n in 0..40 {
            let order = order(n, 3, 0);
            for size in 1..45 {
                let batches = batches(&order, size).unwrap();
                assert_eq!(batches.len(), n.div_ceil(size));
                let full = n / size;
                assert!(batches.clone().take(full).all(|b| b.len() == size));
                assert_eq!(batches.collect::<Vec<_>>().concat(), order);
            }
        }
        let zero = batches(&[0, 1], 0);
        assert_eq!(
            zero.unwrap_err().to_string(),
            "batch_size must be at least 1"
        );
    }

    #[test]
    fn gather_follows_the_indices_and_normalizes_each_channel() {
        let images = numbered(&[2, 0, 1], 3);
        let neutral = Normalization {
            mean: vec![0.0],
            deviation: vec![1.0],
        };
        let (pixels, labels) = gather(&images, &neutral, &[2, 0]).unwrap();
        assert_eq!(pixels, [2.0, 253.0, 0.0, 255.0]);
        assert_eq!(labels, [1, 2]);
        assert_eq!(gather(&images, &neutral, &[]).unwrap(), (vec![], vec![]));
        let beyond = gather(&images, &neutral, &[1, 3]).unwrap_err();
        assert_eq!(beyond.to_string(), "image 3 does not exist, there are 3");

        let two = Normalization {
            mean: vec![1.0, 10.0],
            deviation: vec![2.0, 4.0],
        };
        let coloured = Images::new(vec![1, 5, 10, 2], vec![0], [2, 1, 2], vec!["a".into()]);
        let (pixels, _) = gather(&coloured.unwrap(), &two, &[0]).unwrap();
        assert_eq!(pixels, [0.0, 2.0, 0.0, -2.0]);
        let error = gather(&images, &two, &[0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "images of 1 channels cannot be normalized by the numbers of 2"
        );
    }
}

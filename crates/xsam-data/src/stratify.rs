//! Parts of a data set in which every class has its share.

use crate::random::{Purpose, Stream};
use crate::{DataError, Images};

/// The first `n` images such that every class has its share (largest-remainder rounding), in their
/// original order.
///
/// # Errors
///
/// `n` is zero or more than there are.
pub fn subset(images: &Images, n: usize) -> Result<Images, DataError> {
    let len = images.len();
    DataError::unless_subset(n, len)?;
    let shares = allocate(&images.class_counts(), &[n, len - n]);
    let mut left: Vec<usize> = shares.iter().map(|parts| parts[0]).collect();
    let chosen: Vec<usize> = images
        .labels()
        .iter()
        .enumerate()
        .filter(|&(_, &label)| {
            let wanted = left[label] > 0;
            left[label] -= usize::from(wanted);
            wanted
        })
        .map(|(index, _)| index)
        .collect();
    images.select(&chosen)
}

/// Divides `0..labels.len()` at random into parts of the given sizes, which must sum to the number
/// of labels. Each part has its share of every class and is in ascending order.
pub(crate) fn split(
    labels: &[usize],
    classes: usize,
    sizes: &[usize],
    seed: u64,
) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label].push(index);
    }
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let mut parts = vec![Vec::new(); sizes.len()];
    let shares = allocate(&counts, sizes);
    for ((class, mut indices), shares) in (0..).zip(members).zip(shares) {
        Stream::new(Purpose::Split, seed, class).shuffle(&mut indices);
        let mut indices = indices.into_iter();
        for (part, share) in parts.iter_mut().zip(shares) {
            part.extend(indices.by_ref().take(share));
        }
    }
    for part in &mut parts {
        part.sort_unstable();
    }
    parts
}

/// How many members of each class go to each part, `[class][part]`, if `counts` and `sizes` have
/// the same sum: classes and parts add up exactly and every number is within one of proportional.
///
/// All numbers are rounded down. What classes and parts then lack is a matrix of zeros and ones
/// with given sums, which is filled part by part, serving the class that lacks most first (Ryser's
/// construction, which never gets stuck) and of equals the one with the largest remainder. For two
/// parts this is the largest-remainder method.
fn allocate(counts: &[usize], sizes: &[usize]) -> Vec<Vec<usize>> {
    let total = counts.iter().sum::<usize>().max(1) as u128;
    let exact = |class: usize, part: usize| counts[class] as u128 * sizes[part] as u128;
    let mut shares: Vec<Vec<usize>> = (0..counts.len())
        .map(|class| {
            (0..sizes.len())
                .map(|part| (exact(class, part) / total) as usize)
                .collect()
        })
        .collect();
    let mut lacking: Vec<usize> = counts
        .iter()
        .zip(&shares)
        .map(|(count, shares)| count - shares.iter().sum::<usize>())
        .collect();
    for (part, &size) in sizes.iter().enumerate() {
        let given: usize = shares.iter().map(|shares| shares[part]).sum();
        let mut classes: Vec<usize> = (0..counts.len()).filter(|&c| lacking[c] > 0).collect();
        classes.sort_by_key(|&c| std::cmp::Reverse((lacking[c], exact(c, part) % total)));
        for class in classes.into_iter().take(size - given) {
            shares[class][part] += 1;
            lacking[class] -= 1;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::images::numbered;

    /// Checks exact sums and that everything is within one of proportional.
    fn check(counts: &[usize], sizes: &[usize]) {
        let shares = allocate(counts, sizes);
        let total: usize = counts.iter().sum();
        for (class, &count) in counts.iter().enumerate() {
            assert_eq!(
                shares[class].iter().sum::<usize>(),
                count,
                "{counts:?} {sizes:?}"
            );
            for (part, &size) in sizes.iter().enumerate() {
                let ideal = count as f64 * size as f64 / total.max(1) as f64;
                let error = (shares[class][part] as f64 - ideal).abs();
                assert!(error <= 1.0, "{counts:?} {sizes:?} {shares:?}");
            }
        }
        for (part, &size) in sizes.iter().enumerate() {
            let given: usize = shares.iter().map(|s| s[part]).sum();
            assert_eq!(given, size, "{counts:?} {sizes:?}");
        }
    }

    #[test]
    fn shares_add_up_and_are_proportional_for_random_sizes() {
        let mut stream = Stream::new(Purpose::Order, 0, 0);
        for _ in 0..5000 {
            let classes = 1 + stream.below(8);
            let counts: Vec<usize> = (0..classes).map(|_| stream.below(30)).collect();
            let mut left: usize = counts.iter().sum();
            let mut sizes = Vec::new();
            for _ in 0..stream.below(4) {
                let size = stream.below(left + 1);
                sizes.push(size);
                left -= size;
            }
            sizes.push(left);
            check(&counts, &sizes);
        }
        check(
            &[178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
            &[1200, 297, 300],
        );
        check(&[], &[0]);
    }

    #[test]
    fn two_parts_follow_the_largest_remainders() {
        // Ideal shares of the first part are 2.5, 1.75 and 0.75.
        let shares = allocate(&[10, 7, 3], &[5, 15]);
        let first: Vec<usize> = shares.iter().map(|s| s[0]).collect();
        assert_eq!(first, [2, 2, 1]);
    }

    #[test]
    fn a_subset_is_the_first_of_every_class_in_order() {
        let images = numbered(&[0, 0, 0, 1, 0, 1, 0, 1], 2);
        let some = subset(&images, 4).unwrap();
        // Ideal shares are 2.5 and 1.5; of equal remainders the first class wins.
        assert_eq!(some.labels(), [0, 0, 0, 1]);
        let firsts: Vec<u8> = some.pixels().iter().step_by(2).copied().collect();
        assert_eq!(firsts, [0, 1, 2, 3]);
        assert_eq!(subset(&images, 8).unwrap(), images);
        for n in 1..=8 {
            assert_eq!(subset(&images, n).unwrap().len(), n);
        }
        for n in [0, 9, usize::MAX] {
            let error = subset(&images, n).unwrap_err();
            let message = format!("subset = {n} is outside 1..=8");
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn a_split_is_a_partition_that_the_seed_decides() {
        let labels: Vec<usize> = (0..100).map(|i| (i * i) % 7).collect();
        let parts = split(&labels, 7, &[50, 30, 20], 4);
        assert_eq!(parts, split(&labels, 7, &[50, 30, 20], 4));
        assert_ne!(parts, split(&labels, 7, &[50, 30, 20], 5));
        let mut all = parts.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100));
        assert!(parts.iter().all(|part| part.is_sorted()));
    }
}

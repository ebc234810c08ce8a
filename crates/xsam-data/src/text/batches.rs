//! Which sentence pairs make up the batches of an epoch.

use crate::DataError;
use crate::random::{Purpose, Stream};

/// How large a batch may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// At most so many pairs.
    Sentences(usize),
    /// At most so many tokens: the number of pairs times the longest side of any of them, padding
    /// included. This is `--max-tokens` of fairseq; neither the sum of both sides nor the number of
    /// true tokens.
    Tokens(usize),
}

impl BatchSize {
    fn check(self) -> Result<(), DataError> {
        let field = match self {
            Self::Sentences(0) => "batch_size",
            Self::Tokens(0) => "batch_tokens",
            _ => return Ok(()),
        };
        Err(DataError::Zero { field })
    }

    /// Whether so many pairs of which the longest side is of this length are not too many.
    fn admits(self, pairs: usize, longest: usize) -> bool {
        match self {
            Self::Sentences(size) => pairs <= size,
            Self::Tokens(budget) => pairs.saturating_mul(longest) <= budget,
        }
    }
}

/// The batches of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairBatches {
    /// Indices of the pairs of each batch.
    pub batches: Vec<Vec<usize>>,
    /// Pairs that are longer than the maximum length and in no batch.
    pub left_out: usize,
}

/// The batches of an epoch of training, for pairs of these lengths of source and target
/// ([`EncodedPairs::lengths`](super::EncodedPairs::lengths)).
///
/// Pairs of the same length come together, so that little is padding: they are shuffled, sorted by
/// the length of the source and of equal ones by that of the target, and cut into batches, which
/// are then shuffled. All depends on `seed` and `epoch` alone and differs from epoch to epoch.
/// Every pair is in exactly one batch if no side is longer than `max_length`, and otherwise in none.
///
/// # Errors
///
/// A size or `max_length` of zero; a `max_length` that exceeds the tokens of a batch.
pub fn training_batches(
    lengths: &[(usize, usize)],
    size: BatchSize,
    max_length: usize,
    seed: u64,
    epoch: u64,
) -> Result<PairBatches, DataError> {
    size.check()?;
    if max_length == 0 {
        return Err(DataError::Zero {
            field: "max_length",
        });
    }
    if let BatchSize::Tokens(budget) = size
        && budget < max_length
    {
        return Err(DataError::Unfit(format!(
            "batch_tokens = {budget} cannot hold a pair of max_length = {max_length}"
        )));
    }
    let fits = |&i: &usize| lengths[i].0.max(lengths[i].1) <= max_length;
    let mut order: Vec<usize> = (0..lengths.len()).filter(fits).collect();
    let left_out = lengths.len() - order.len();
    let mut random = Stream::new(Purpose::Pairs, seed, epoch);
    random.shuffle(&mut order);
    let mut batches = cut(order, lengths, size);
    random.shuffle(&mut batches);
    Ok(PairBatches { batches, left_out })
}

/// Batches of all pairs for evaluation: by length, without chance.
///
/// Nothing is left out. A pair of more tokens than a batch may have is a batch of its own.
///
/// # Errors
///
/// A size of zero.
pub fn evaluation_batches(
    lengths: &[(usize, usize)],
    size: BatchSize,
) -> Result<Vec<Vec<usize>>, DataError> {
    size.check()?;
    Ok(cut((0..lengths.len()).collect(), lengths, size))
}

/// Sorts by length, keeping the order of equal ones, and cuts into the largest batches allowed.
fn cut(mut order: Vec<usize>, lengths: &[(usize, usize)], size: BatchSize) -> Vec<Vec<usize>> {
    order.sort_by_key(|&index| lengths[index]);
    let mut batches = Vec::new();
    let mut batch: Vec<usize> = Vec::new();
    let mut longest = 0;
    for index in order {
        let length = lengths[index].0.max(lengths[index].1);
        longest = longest.max(length);
        if !batch.is_empty() && !size.admits(batch.len() + 1, longest) {
            batches.push(std::mem::take(&mut batch));
            longest = length;
        }
        batch.push(index);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Lengths from 1 to 60, the target's near the source's.
    fn lengths(n: usize) -> Vec<(usize, usize)> {
        let mut random = Stream::new(Purpose::Order, 1, n as u64);
        let pair = |_| {
            let source = 1 + random.below(60);
            (source, (source + random.below(9)).clamp(5, 64) - 4)
        };
        (0..n).map(pair).collect()
    }

    fn longest(batch: &[usize], lengths: &[(usize, usize)]) -> usize {
        let sides = batch.iter().map(|&i| lengths[i].0.max(lengths[i].1));
        sides.max().unwrap()
    }

    #[test]
    fn batches_are_as_large_as_allowed_and_hold_little_padding() {
        let lengths = lengths(5000);
        let epoch = training_batches(&lengths, BatchSize::Tokens(1000), 64, 1, 0).unwrap();
        let tokens: usize = lengths.iter().map(|&(s, t)| s.max(t)).sum();
        let padded = epoch.batches.iter();
        let padded: usize = padded
            .map(|batch| batch.len() * longest(batch, &lengths))
            .sum();
        assert!(
            padded * 9 < tokens * 10,
            "{tokens} tokens take {padded} places"
        );
        assert!(
            epoch.batches.len() * 1000 * 8 < tokens * 10,
            "{}",
            epoch.batches.len()
        );
    }

    #[test]
    fn sentences_are_counted_if_asked() {
        let lengths = lengths(103);
        let epoch = training_batches(&lengths, BatchSize::Sentences(10), 64, 1, 0).unwrap();
        let mut sizes: Vec<usize> = epoch.batches.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [vec![3], vec![10; 10]].concat());
    }

    #[test]
    fn seed_and_epoch_decide_order_and_members() {
        let lengths = lengths(500);
        let epoch = |seed, epoch| {
            let size = BatchSize::Tokens(256);
            training_batches(&lengths, size, 64, seed, epoch)
                .unwrap()
                .batches
        };
        let members = |mut batches: Vec<Vec<usize>>| {
            batches.iter_mut().for_each(|batch| batch.sort_unstable());
            batches.sort_unstable();
            batches
        };
        let base = epoch(1, 2);
        assert_eq!(base, epoch(1, 2));
        for other in [epoch(2, 1), epoch(1, 3)] {
            assert_ne!(base, other);
            assert_ne!(members(base.clone()), members(other));
        }
        let by_length = base.is_sorted_by_key(|batch| longest(batch, &lengths));
        assert!(!by_length, "batches come in any order");
    }

    #[test]
    fn the_batches_never_change() {
        let lengths: Vec<_> = (0..12).map(|i| (1 + i % 3, 2)).collect();
        let epoch = training_batches(&lengths, BatchSize::Tokens(8), 8, 42, 1).unwrap();
        let expected: [&[usize]; 4] = [&[8, 2], &[5, 11], &[0, 3, 6, 9], &[7, 4, 10, 1]];
        assert_eq!(epoch.batches, expected);
    }

    #[test]
    fn evaluation_takes_every_pair_by_length() {
        let lengths = [(3, 9), (50, 2), (1, 1), (3, 2), (1, 1)];
        let size = BatchSize::Tokens(9);
        let batches = evaluation_batches(&lengths, size).unwrap();
        assert_eq!(batches, [vec![2, 4, 3], vec![0], vec![1]]);
        let batches = evaluation_batches(&lengths, BatchSize::Sentences(2)).unwrap();
        assert_eq!(batches, [vec![2, 4], vec![3, 0], vec![1]]);
        assert!(evaluation_batches(&[], size).unwrap().is_empty());
    }

    #[test]
    fn impossible_sizes_are_named() {
        let refused = |size, max_length| {
            let result = training_batches(&[(1, 1)], size, max_length, 0, 0);
            result.unwrap_err().to_string()
        };
        let (sentences, tokens) = (BatchSize::Sentences, BatchSize::Tokens);
        assert_eq!(refused(sentences(0), 9), "batch_size must be at least 1");
        assert_eq!(refused(tokens(0), 9), "batch_tokens must be at least 1");
        assert_eq!(refused(tokens(9), 0), "max_length must be at least 1");
        assert_eq!(
            refused(tokens(9), 10),
            "batch_tokens = 9 cannot hold a pair of max_length = 10"
        );
        assert!(evaluation_batches(&[], tokens(0)).is_err());
    }
}

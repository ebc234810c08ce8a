//! Sentence pairs as ids, and batches of them as matrices.

use super::special::{BOS, EOS, PAD};
use crate::DataError;

/// Sentence pairs as ids of a [`Tokenizer`](super::Tokenizer), without the ids that begin and end a
/// sentence. There are as many targets as sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedPairs {
    pub(super) source: Vec<Vec<u32>>,
    pub(super) target: Vec<Vec<u32>>,
}

/// A batch of sentence pairs as matrices, row by row and filled up with [`PAD`].
///
/// | matrix | row | shape |
/// |---|---|---|
/// | `source` | ids, [`EOS`] | `size` x `source_width` |
/// | `target_input` | [`BOS`], ids | `size` x `target_width` |
/// | `target_output` | ids, [`EOS`] | `size` x `target_width` |
///
/// What the model reads at a position of `target_input` is to be followed by what `target_output`
/// has there. A source ends by [`EOS`] too, as in fairseq, so that a row is never only padding, over
/// which no attention can be normalized.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaddedBatch {
    /// The sentences to translate.
    pub source: Vec<i64>,
    /// What the decoder reads.
    pub target_input: Vec<i64>,
    /// What it should say.
    pub target_output: Vec<i64>,
    /// The number of pairs.
    pub size: usize,
    /// Columns of `source`: its longest row.
    pub source_width: usize,
    /// Columns of the two others: their longest row.
    pub target_width: usize,
    /// Ids in each row of `source` before its padding, at least 1.
    pub source_lengths: Vec<usize>,
    /// Ids in each row of the two others before its padding, at least 1.
    pub target_lengths: Vec<usize>,
}

impl EncodedPairs {
    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// The ids of the sentences to translate.
    pub fn source(&self) -> &[Vec<u32>] {
        &self.source
    }

    /// The ids of their translations.
    pub fn target(&self) -> &[Vec<u32>] {
        &self.target
    }

    /// How many columns a pair takes in a batch, source and target: its ids and one for the
    /// sentence's end.
    pub fn lengths(&self) -> Vec<(usize, usize)> {
        let pairs = self.source.iter().zip(&self.target);
        pairs.map(|(s, t)| (s.len() + 1, t.len() + 1)).collect()
    }

    /// Cuts what is longer, so that no side takes more than `columns` in a batch, of which the last is for the
    /// sentence's end.
    pub fn cut(&mut self, columns: usize) {
        for ids in self.source.iter_mut().chain(&mut self.target) {
            ids.truncate(columns.saturating_sub(1));
        }
    }

    /// The pairs of these indices, in this order, as matrices.
    ///
    /// # Errors
    ///
    /// An index beyond the last pair.
    pub fn padded(&self, indices: &[usize]) -> Result<PaddedBatch, DataError> {
        let len = self.len();
        if let Some(&index) = indices.iter().find(|&&index| index >= len) {
            let what = "sentence pair";
            return Err(DataError::Index { what, index, len });
        }
        let (source, target) = (
            Side::of(&self.source, indices),
            Side::of(&self.target, indices),
        );
        Ok(PaddedBatch {
            source: source.matrix(None, Some(EOS)),
            target_input: target.matrix(Some(BOS), None),
            target_output: target.matrix(None, Some(EOS)),
            size: indices.len(),
            source_width: source.width,
            target_width: target.width,
            source_lengths: source.lengths(),
            target_lengths: target.lengths(),
        })
    }
}

/// One side of the pairs of a batch.
struct Side<'a> {
    rows: Vec<&'a [u32]>,
    /// The longest row with one id more.
    width: usize,
}

impl<'a> Side<'a> {
    fn of(sentences: &'a [Vec<u32>], indices: &[usize]) -> Self {
        let rows: Vec<_> = indices.iter().map(|&i| sentences[i].as_slice()).collect();
        let width = rows.iter().map(|row| row.len() + 1).max().unwrap_or(0);
        Self { rows, width }
    }

    fn lengths(&self) -> Vec<usize> {
        self.rows.iter().map(|row| row.len() + 1).collect()
    }

    fn matrix(&self, before: Option<u32>, after: Option<u32>) -> Vec<i64> {
        let mut matrix = Vec::with_capacity(self.rows.len() * self.width);
        for (row, ids) in (1..).zip(&self.rows) {
            let ids = before.iter().chain(*ids).chain(&after);
            matrix.extend(ids.map(|&id| i64::from(id)));
            matrix.resize(row * self.width, i64::from(PAD));
        }
        matrix
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn rows_are_filled_up_to_the_longest() {
        let pairs = EncodedPairs {
            source: vec![vec![4, 5, 6], vec![7], vec![]],
            target: vec![vec![8], vec![9, 10], vec![]],
        };
        assert_eq!(pairs.lengths(), [(4, 2), (2, 3), (1, 1)]);
        let batch = pairs.padded(&[1, 0, 2]).unwrap();
        assert_eq!(
            (batch.size, batch.source_width, batch.target_width),
            (3, 4, 3)
        );
        assert_eq!(batch.source, [7, 2, 0, 0, 4, 5, 6, 2, 2, 0, 0, 0]);
        assert_eq!(batch.target_input, [1, 9, 10, 1, 8, 0, 1, 0, 0]);
        assert_eq!(batch.target_output, [9, 10, 2, 8, 2, 0, 2, 0, 0]);
        assert_eq!(batch.source_lengths, [2, 4, 1]);
        assert_eq!(batch.target_lengths, [3, 2, 1]);

        let mut cut = pairs.clone();
        cut.cut(3);
        assert_eq!(cut.lengths(), [(3, 2), (2, 3), (1, 1)]);
        assert_eq!(cut.padded(&[0]).unwrap().source, [4, 5, 2]);
        cut.cut(0);
        assert_eq!(cut.lengths(), [(1, 1); 3]);

        assert_eq!(pairs.padded(&[]).unwrap(), PaddedBatch::default());
        assert_eq!(
            pairs.padded(&[0, 3]).unwrap_err(),
            DataError::Index {
                what: "sentence pair",
                index: 3,
                len: 3
            }
        );
    }
}

//! Sentences and their translations.

use std::path::PathBuf;

use super::Sentences;
use crate::DataError;

/// Sentences and their translations: source `i` says the same as target `i`.
///
/// Pairs are equal if their sentences are, whatever files they are from.
#[derive(Clone, Debug, Default)]
pub struct SentencePairs {
    pub(super) source: Sentences,
    pub(super) target: Sentences,
    pub(super) files: [PathBuf; 2],
}

impl PartialEq for SentencePairs {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.target == other.target
    }
}

impl Eq for SentencePairs {}

impl SentencePairs {
    #[cfg(test)]
    pub(crate) fn new(source: &[&str], target: &[&str]) -> Self {
        assert_eq!(source.len(), target.len());
        let mut pairs = Self::default();
        for (source, target) in source.iter().zip(target) {
            pairs.source.push(source);
            pairs.target.push(target);
        }
        pairs
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// The sentences to translate.
    pub fn source(&self) -> &Sentences {
        &self.source
    }

    /// The sentences of the target language, in the order of their sources.
    pub fn target(&self) -> &Sentences {
        &self.target
    }

    /// All sentences of both sides, which is what a joint tokenizer learns from.
    pub fn sentences(&self) -> impl Iterator<Item = &str> {
        self.source.iter().chain(self.target.iter())
    }

    /// The files that they are lines of, source and target. Of a part from which no line is left out pair `i` is
    /// line `i + 1`.
    pub fn files(&self) -> &[PathBuf; 2] {
        &self.files
    }

    /// The first `n` pairs.
    ///
    /// # Errors
    ///
    /// `n` is zero or more than there are.
    pub fn first(&self, n: usize) -> Result<Self, DataError> {
        DataError::unless_subset(n, self.len())?;
        Ok(Self {
            source: self.source.first(n),
            target: self.target.first(n),
            files: self.files.clone(),
        })
    }
}

/// The parts of a data set for translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParallelText {
    /// Pairs to learn from, without empty sentences.
    pub train: SentencePairs,
    /// Pairs to choose by, every line of the files.
    pub validation: SentencePairs,
    /// Pairs to report on, every line of the files.
    pub test: SentencePairs,
    /// Pairs left out of the training part because a side is empty.
    pub left_out: usize,
}

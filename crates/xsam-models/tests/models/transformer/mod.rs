//! The Transformer as a user sees it.

mod config;
mod initial;
mod masks;
mod pytorch;
mod search;
mod training;

use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use xsam_models::{TargetBatch, Transformer, TransformerConfig, cast, reference};

use crate::common::{gradients, values};

pub(super) const PADDING: usize = 0;
pub(super) const BEGIN: usize = 1;
pub(super) const END: usize = 2;
pub(super) const VOCABULARY: usize = 20;

/// Small, but with several of everything.
pub(super) fn small() -> TransformerConfig {
    TransformerConfig::new(VOCABULARY, PADDING)
        .with_sizes(16, 24, 4)
        .with_layers(2, 2)
}

/// [`small`] but for a change.
pub(super) fn but(change: impl FnOnce(&mut TransformerConfig)) -> TransformerConfig {
    let mut config = small();
    change(&mut config);
    config
}

/// A model with no weight near zero, so that everything has a say.
pub(super) fn filled(config: &TransformerConfig, seed: u64, dtype: FloatDType) -> Transformer {
    let model = config.init(0, &Device::flex().autodiff()).unwrap();
    reference::fill(cast(model, dtype), seed).unwrap()
}

/// Rows of ids, filled up with padding to `width` columns.
pub(super) fn matrix(rows: &[Vec<i64>], width: usize) -> Tensor<2, Int> {
    let mut values = Vec::new();
    for row in rows {
        values.extend(row);
        values.extend(std::iter::repeat_n(PADDING as i64, width - row.len()));
    }
    let data = TensorData::new(values, [rows.len(), width]);
    Tensor::from_data(data, &Device::flex().autodiff())
}

/// A sentence of `length` words, different for each `seed`.
pub(super) fn words(seed: u64, length: usize) -> Vec<i64> {
    let words = reference::targets(seed, length, VOCABULARY - 3);
    words.into_iter().map(|word| word + 3).collect()
}

/// Sentence pairs of the given lengths, source and target.
pub(super) struct Pairs {
    source: Vec<Vec<i64>>,
    target: Vec<Vec<i64>>,
}

impl Pairs {
    pub(super) fn new(seed: u64, lengths: &[(usize, usize)]) -> Self {
        let side = |side: u64, length: fn(&(usize, usize)) -> usize| {
            let lengths = lengths.iter().map(length).zip(0..);
            lengths
                .map(|(length, i)| words(seed * 1000 + side * 100 + i, length))
                .collect()
        };
        Self {
            source: side(0, |l| l.0),
            target: side(1, |l| l.1),
        }
    }

    /// The sources, with `more` columns of padding than needed.
    pub(super) fn source(&self, more: usize) -> Tensor<2, Int> {
        let end = END as i64;
        let rows = self.source.iter().map(|words| [words, &[end][..]].concat());
        let rows: Vec<_> = rows.collect();
        let width = rows.iter().map(Vec::len).max().unwrap();
        matrix(&rows, width + more)
    }

    /// The targets, with `more` columns of padding than needed.
    pub(super) fn target(&self, more: usize) -> TargetBatch {
        let (begin, end) = (&[BEGIN as i64][..], &[END as i64][..]);
        let rows = |join: &dyn Fn(&[i64]) -> Vec<i64>| {
            let rows: Vec<_> = self.target.iter().map(|words| join(words)).collect();
            let width = rows.iter().map(Vec::len).max().unwrap();
            matrix(&rows, width + more)
        };
        TargetBatch {
            input: rows(&|words| [begin, words].concat()),
            output: rows(&|words| [words, end].concat()),
        }
    }

    /// Tokens of each target, its end included.
    pub(super) fn target_lengths(&self) -> Vec<usize> {
        self.target.iter().map(|words| words.len() + 1).collect()
    }

    pub(super) fn only(&self, index: usize) -> Self {
        Self {
            source: vec![self.source[index].clone()],
            target: vec![self.target[index].clone()],
        }
    }
}

/// The largest difference between two lists of equal length.
pub(super) fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f64::max)
}

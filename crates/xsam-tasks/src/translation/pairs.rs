//! Pairs of sentences as batches: on a device, and by their size.

use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};
use xsam_data::DataError;
use xsam_data::text::{BatchSize, EncodedPairs, PAD, evaluation_batches};
use xsam_kernels::cross_entropies;
use xsam_models::{TargetBatch, Transformer, TransformerLoss};

use xsam_lab::{Error, Place, TaskError, split};

use crate::batch::indices;

/// Tokens in a batch when losses are evaluated. The result does not depend on it.
const EVALUATION_TOKENS: usize = 4096;

/// Pairs in a batch when they are translated, tokens of their sources with the padding, and hypotheses of all of them. The
/// result does not depend on it.
const SEARCHED_PAIRS: usize = 64;
const SEARCHED_TOKENS: usize = 1 << 15;
const SEARCHED_HYPOTHESES: usize = 1 << 12;

/// A batch of pairs on a device.
pub struct Pairs {
    pub(crate) source: Tensor<2, Int>,
    pub(crate) target: TargetBatch,
}

impl Pairs {
    /// Those of `pairs` with these indices.
    pub(crate) fn of(
        pairs: &EncodedPairs,
        indices: &[usize],
        place: &Place,
    ) -> Result<Self, DataError> {
        let batch = pairs.padded(indices)?;
        let matrix = |ids: Vec<i64>, width: usize| {
            let data = TensorData::new(ids, [batch.size, width]);
            Tensor::<2, Int>::from_data(data, &place.device)
        };
        Ok(Self {
            source: matrix(batch.source, batch.source_width),
            target: TargetBatch {
                input: matrix(batch.target_input, batch.target_width),
                output: matrix(batch.target_output, batch.target_width),
            },
        })
    }

    /// What the model finds of them, with what `masks` decide dropped out.
    pub(crate) fn loss(
        &self,
        model: &Transformer,
        smoothing: f64,
        masks: Option<u64>,
    ) -> TransformerLoss {
        let (source, target) = (self.source.clone(), self.target.clone());
        model.loss(source, target, smoothing, masks)
    }

    /// The logits of their tokens, with what `masks` decide dropped out.
    pub(crate) fn logits(&self, model: &Transformer, masks: Option<u64>) -> Tensor<2> {
        let (source, target) = (self.source.clone(), self.target.clone());
        model.logits(source, target, masks).0
    }

    /// What is found of them by these logits.
    pub(crate) fn loss_of(&self, logits: Tensor<2>, smoothing: f64) -> TransformerLoss {
        TransformerLoss::new(logits, self.target.tokens(PAD as usize), smoothing)
    }

    /// The loss of each pair, `[pairs]`: that of its tokens together, over the tokens of an average pair. The mean is the loss of
    /// the batch.
    pub(crate) fn losses(
        &self,
        model: &Transformer,
        smoothing: f64,
        masks: Option<u64>,
    ) -> (Tensor<1>, TransformerLoss) {
        let logits = self.logits(model, masks);
        let targets = self.target.tokens(PAD as usize);
        let of_tokens = cross_entropies(logits.clone(), targets.clone(), smoothing);
        let [pairs, width] = self.target.output.dims();
        let ids = self.target.output.to_data();
        let places = ids
            .iter::<i64>()
            .enumerate()
            .filter(|(_, id)| *id != i64::from(PAD));
        let pair: Vec<usize> = places.map(|(place, _)| place / width).collect();
        let device = of_tokens.device();
        let nothing = Tensor::zeros([pairs], (&device, of_tokens.dtype()));
        let numbers = indices(&pair, &device);
        let sums = nothing.scatter(0, numbers, of_tokens, IndexingUpdateOp::Add);
        let losses = sums.mul_scalar(pairs as f64 / pair.len() as f64);
        let found = TransformerLoss {
            loss: losses.clone().mean(),
            logits: logits.detach(),
            targets,
        };
        (losses, found)
    }

    /// The pairs with these numbers, as a batch.
    pub(crate) fn chosen(&self, numbers: &[usize]) -> Self {
        let numbers = indices(numbers, &self.source.device());
        let rows = |matrix: &Tensor<2, Int>| matrix.clone().select(0, numbers.clone());
        Self {
            source: rows(&self.source),
            target: TargetBatch {
                input: rows(&self.target.input),
                output: rows(&self.target.output),
            },
        }
    }

    /// In parts, and for each how many tokens it has, over those of an average part.
    pub(super) fn parts(&self, count: usize) -> Result<Vec<(Self, f64)>, TaskError> {
        let parts = split(self.source.dims()[0], count);
        // The loss is a mean over the tokens that are not padding.
        let tokens = self.target.output.clone().not_equal_elem(PAD);
        let tokens: Tensor<2, Int> = tokens.int().sum_dim(1);
        let tokens = tokens
            .try_into_data()
            .map_err(|error| Error::Device(error.to_string()))?;
        let tokens: Vec<f64> = tokens.iter::<i64>().map(|tokens| tokens as f64).collect();
        let average = tokens.iter().sum::<f64>() / parts.len() as f64;
        let part = |(begin, size): (usize, usize)| {
            let rows = |matrix: &Tensor<2, Int>| matrix.clone().narrow(0, begin, size);
            let part = Self {
                source: rows(&self.source),
                target: TargetBatch {
                    input: rows(&self.target.input),
                    output: rows(&self.target.output),
                },
            };
            let tokens: f64 = tokens[begin..begin + size].iter().sum();
            (part, tokens / average)
        };
        Ok(parts.into_iter().map(part).collect())
    }
}

/// The batches in which a part is scored.
pub(super) fn scored_batches(pairs: &EncodedPairs) -> Result<Vec<Vec<usize>>, TaskError> {
    let size = BatchSize::Tokens(EVALUATION_TOKENS);
    Ok(evaluation_batches(&pairs.lengths(), size)?)
}

/// The batches in which a part is translated, by a beam of so many.
pub(super) fn searched_batches(
    pairs: &EncodedPairs,
    beam: usize,
) -> Result<Vec<Vec<usize>>, TaskError> {
    let lengths = pairs.lengths();
    let size = (SEARCHED_HYPOTHESES / beam.max(1)).clamp(1, SEARCHED_PAIRS);
    let mut searched = Vec::new();
    for batch in evaluation_batches(&lengths, BatchSize::Sentences(size))? {
        let mut part = Vec::new();
        // The last has the longest source, as which all are encoded.
        for pair in batch {
            if !part.is_empty() && (part.len() + 1) * lengths[pair].0 > SEARCHED_TOKENS {
                searched.push(std::mem::take(&mut part));
            }
            part.push(pair);
        }
        searched.push(part);
    }
    Ok(searched)
}

/// Elements of the matrices of these batches, those of both sides.
pub(super) fn padded_size(batches: &[Vec<usize>], pairs: &EncodedPairs) -> usize {
    let lengths = pairs.lengths();
    let size = |batch: &Vec<usize>| {
        let longest = |side: fn(&(usize, usize)) -> usize| {
            batch.iter().map(|&pair| side(&lengths[pair])).max()
        };
        let widths = longest(|pair| pair.0).unwrap_or(0) + longest(|pair| pair.1).unwrap_or(0);
        batch.len() * widths
    };
    batches.iter().map(size).sum()
}

//! Steps of the Transformer.

use burn::tensor::{Int, Tensor, TensorData};
use xsam_data::text::PAD;
use xsam_models::{ModelError, TargetBatch, Transformer, TransformerConfig, reference};

use super::trainee::Timed;
use super::{LEARNING_RATE, SEED, check_values};
use xsam_lab::spec::{OptimizerName, OptimizerSpec, SpecError};
use xsam_lab::{Error, Place};

use crate::translation::Pairs;

const LABEL_SMOOTHING: f64 = 0.1;
/// Ids of no words, the padding among them.
const SPECIAL: usize = 3;

/// The Transformer of the default size, six layers in encoder and decoder, and the sentences it is given: each
/// source and each target has `tokens` tokens, none of them padding.
#[derive(Clone, Debug, PartialEq)]
pub struct TransformerBench {
    /// Tokens of each sentence.
    pub tokens: usize,
    /// Number of ids, of source and target alike.
    pub vocabulary: usize,
}

impl Default for TransformerBench {
    fn default() -> Self {
        Self {
            tokens: 25,
            vocabulary: 8000,
        }
    }
}

impl TransformerBench {
    fn config(&self) -> TransformerConfig {
        TransformerConfig::new(self.vocabulary, PAD as usize)
    }
}

impl Timed for TransformerBench {
    type Model = Transformer;
    type Batch = Pairs;

    fn check(&self, batch: usize) -> Result<(), SpecError> {
        self.config().check().map_err(refused)?;
        SpecError::within("tokens", self.tokens, 1..=usize::MAX)?;
        let logits = self.tokens.saturating_mul(self.vocabulary);
        check_values(batch, logits, "pairs of sentences")
    }

    fn optimizer(&self) -> OptimizerSpec {
        OptimizerSpec {
            name: OptimizerName::AdamW,
            lr: LEARNING_RATE,
            weight_decay: 1e-4,
            ..OptimizerSpec::default()
        }
    }

    fn start(&self, batch: usize, place: &Place) -> Result<(Transformer, Pairs), Error> {
        let model = self.config().init(SEED, &place.device).map_err(refused)?;
        let model = model.with_activations(place.activations);
        let ids = |seed| -> Tensor<2, Int> {
            let words = reference::targets(seed, batch * self.tokens, self.vocabulary - SPECIAL);
            let ids: Vec<i64> = words.iter().map(|word| word + SPECIAL as i64).collect();
            Tensor::from_data(TensorData::new(ids, [batch, self.tokens]), &place.device)
        };
        let source = ids(SEED);
        let target = TargetBatch {
            input: ids(SEED + 1),
            output: ids(SEED + 2),
        };
        Ok((model, Pairs { source, target }))
    }

    fn logits(model: &Transformer, batch: &Pairs, masks: u64) -> Tensor<2> {
        batch.logits(model, Some(masks))
    }

    fn loss(logits: Tensor<2>, batch: &Pairs) -> Tensor<1> {
        batch.loss_of(logits, LABEL_SMOOTHING).loss
    }

    fn losses(model: &Transformer, batch: &Pairs, masks: u64) -> Tensor<1> {
        batch.losses(model, LABEL_SMOOTHING, Some(masks)).0
    }

    fn chosen(batch: &Pairs, numbers: &[usize]) -> Pairs {
        batch.chosen(numbers)
    }
}

/// Of the sizes of the model the vocabulary is the one that can be chosen.
fn refused(error: ModelError) -> SpecError {
    SpecError::new("vocabulary", error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::{BenchModel, BenchSpec, bench};
    use super::*;

    fn tiny(sentences: TransformerBench) -> BenchSpec {
        BenchSpec {
            model: BenchModel::Transformer(sentences),
            method: xsam::SamConfig::new().into(),
            batch: 1,
            steps: 1,
            profile: true,
            ..BenchSpec::default()
        }
    }

    #[test]
    fn its_steps_are_timed_and_profiled() {
        let result = bench(&tiny(TransformerBench {
            tokens: 3,
            vocabulary: 10,
        }))
        .unwrap();
        assert_eq!(result.model, "transformer");
        assert_eq!((result.tokens, result.width), (Some(3), None));
        assert!(0.0 < result.min_s && result.min_s <= result.median_s);
        let rows = result.profile.unwrap();
        let calls = |operation| rows.iter().find(|row| row.operation == operation)?.calls;
        // Two passes over 6 and 12 attentions, with four linear layers each, 12 pairs of others and the logits.
        assert_eq!(calls("attention, backward"), Some(2 * 18));
        assert_eq!(calls("linear, forward"), Some(2 * (4 * 18 + 2 * 12 + 1)));
        assert_eq!(calls("linear, weight gradient"), calls("linear, forward"));
    }

    #[test]
    fn what_cannot_be_is_refused_before_anything_is_allocated() {
        let with = |tokens, vocabulary| {
            let sentences = TransformerBench { tokens, vocabulary };
            bench(&tiny(sentences)).unwrap_err().to_string()
        };
        assert!(with(0, 10).contains("`tokens`: 0 must be at least 1"));
        assert!(with(3, 2).contains("vocabulary = 2 is outside"));
        assert!(with(usize::MAX, 10).contains("1 pairs of sentences are more than"));
    }
}

//! Translating sentences.

mod bleu;
mod encoding;
mod lengths;
mod pairs;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Int, Tensor};
use xsam_data::text::{
    BatchSize, EncodedPairs, PAD, PairBatches, ParallelText, Tokenizer, training_batches,
};
use xsam_data::{DatasetPrint, batches, order};
use xsam_lab::spec::{SpecError, TrainSpec};
use xsam_lab::{
    Batches, Better, Error, Fingerprint, LossByLogits, LossBySamples, Measured, Part, Place,
    SampleSizes, Score, Scores, Setup, Shared, StopSignal, Tally, Task, TaskError, count, files,
    scalar,
};
use xsam_models::{Hypothesis, ModelError, Transformer, TransformerConfig, TransformerLoss};

use crate::data::{Loaded, changes, text};
use crate::spec::{DataSpec, OurSections, TranslationSpec};
pub use lengths::TrainingPairs;
pub use pairs::Pairs;
use pairs::{padded_size, scored_batches, searched_batches};

/// The tokenizer of a run, in its directory.
pub(crate) const TOKENIZER: &str = "tokenizer.json";

/// The names of the scores.
const ACCURACY: &str = "accuracy";
const BLEU: &str = "BLEU";

/// Sentences, and a model that is to translate them.
#[derive(Debug)]
pub struct Translation {
    place: Place,
    config: TransformerConfig,
    train_spec: TrainSpec,
    data_spec: DataSpec,
    spec: TranslationSpec,
    /// Pairs are sorted by their lengths before they are cut into batches, so that every epoch has as many.
    steps: usize,
    /// Those of the epoch that was asked for last.
    batches: Shared,
    tokenizer: Tokenizer,
    text: Arc<Loaded<ParallelText>>,
    train: EncodedPairs,
    validation: EncodedPairs,
    test: EncodedPairs,
    pairs: TrainingPairs,
    warnings: Vec<String>,
}

impl Translation {
    fn smoothing(&self) -> f64 {
        self.data_spec.label_smoothing.unwrap_or_default()
    }

    /// The most subwords that a side of a training pair may have, its end included.
    fn longest(&self) -> usize {
        self.spec.max_length.unwrap_or(usize::MAX)
    }

    /// The pairs of each batch of an epoch, and how many are in none.
    fn epoch(&self, epoch: usize) -> Result<Arc<PairBatches>, TaskError> {
        let size = match (self.train_spec.batch_size, self.data_spec.batch_tokens) {
            (Some(pairs), _) => BatchSize::Sentences(pairs),
            (None, tokens) => BatchSize::Tokens(tokens.unwrap_or_default()),
        };
        let (seed, longest) = (self.train_spec.seed, self.longest());
        let batches = self.batches.get_or(&epoch.to_string(), || {
            let lengths = self.train.lengths();
            training_batches(&lengths, size, longest, seed, epoch as u64)
        });
        Ok(batches?)
    }
}

impl Task for Translation {
    type Spec = OurSections;
    type Model = Transformer;
    type Batch = Pairs;
    type Output = TransformerLoss;

    fn scores() -> Vec<Score> {
        let accuracy = "Share of tokens that are the likeliest after the right ones before them";
        let bleu = "BLEU of the translations";
        vec![
            Score::percent(ACCURACY, accuracy),
            Score::new(BLEU, Better::Higher, bleu)
                .with_digits(2)
                .costly(),
        ]
    }

    fn new(setup: &Setup<'_, OurSections>) -> Result<Self, TaskError> {
        let kept = setup.run.map(|run| load_tokenizer(&run.join(TOKENIZER)));
        Self::with_tokenizer(setup, kept.transpose()?)
    }

    fn model(&self) -> Result<Transformer, TaskError> {
        let model = self.config.init(self.train_spec.seed, &self.place.device)?;
        Ok(model.with_activations(self.place.activations))
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn batch(&self, epoch: usize, step: usize) -> Result<Pairs, TaskError> {
        let epoch = self.epoch(epoch)?;
        let pairs = epoch.batches.get(step);
        let pairs = pairs.ok_or_else(|| TaskError::new("the epoch has no such step"))?;
        Ok(Pairs::of(&self.train, pairs, &self.place)?)
    }

    fn loss(
        &self,
        model: &Transformer,
        batch: &Pairs,
        noise: Option<u64>,
    ) -> (Tensor<1>, TransformerLoss) {
        let found = batch.loss(model, self.smoothing(), noise);
        (found.loss.clone(), found)
    }

    fn mixed_precision() -> bool {
        true
    }

    fn by_logits() -> Option<LossByLogits<Self>> {
        Some(LossByLogits {
            logits: |_, model, batch, noise| batch.logits(model, noise),
            loss: |task, logits, batch| {
                let found = batch.loss_of(logits, task.smoothing());
                (found.loss.clone(), found)
            },
        })
    }

    fn by_samples() -> Option<LossBySamples<Self>> {
        Some(LossBySamples {
            losses: |task, model, batch, noise| batch.losses(model, task.smoothing(), noise),
            chosen: |_, batch, numbers| batch.chosen(numbers),
        })
    }

    fn sample(&self, sizes: SampleSizes, seed: u64) -> Result<Vec<(Pairs, usize)>, TaskError> {
        let (lengths, longest) = (self.train.lengths(), self.longest());
        let mut chosen = order(self.train.len(), seed, 0);
        // The others are not learned from.
        chosen.retain(|&pair| lengths[pair].0.max(lengths[pair].1) <= longest);
        chosen.truncate(sizes.all);
        let batches = batches(&chosen, sizes.batch)?.map(|indices| {
            let batch = Pairs::of(&self.train, indices, &self.place)?;
            let padding = batch.target.output.clone().equal_elem(PAD).int().sum();
            let tokens = batch.target.output.shape().num_elements() as i64 - count(padding)?;
            Ok((batch, tokens.max(1) as usize))
        });
        batches.collect()
    }

    fn parts(&self, batch: Pairs, count: usize) -> Result<Vec<(Pairs, f64)>, TaskError> {
        batch.parts(count)
    }

    fn tally(&self, _batch: &Pairs, found: TransformerLoss) -> Result<Tally, TaskError> {
        let tally = Tally::new(found.tokens(), 0.0);
        Ok(tally.counted(ACCURACY, found.correct())?)
    }

    #[allow(clippy::disallowed_methods, reason = "they are counts")]
    fn facts(&self) -> BTreeMap<String, serde_json::Value> {
        let pairs = serde_json::json!(self.pairs);
        BTreeMap::from_iter([("pairs".to_owned(), pairs)])
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn keep(&self, directory: &Path, goes_on: bool) -> Result<(), TaskError> {
        let path = directory.join(TOKENIZER);
        if !goes_on || !path.exists() {
            return Ok(self.tokenizer.save(&path)?);
        }
        match load_tokenizer(&path)? == self.tokenizer {
            true => Ok(()),
            false => {
                let reason = "it is not the one that the run's training text makes";
                Err(Error::damaged(&path, reason).into())
            }
        }
    }

    fn held_out(&self, part: Part) -> Result<Batches<'_, Pairs>, TaskError> {
        let pairs = match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
        };
        let place = self.place.inner();
        let batches = scored_batches(pairs)?.into_iter();
        Ok(Box::new(
            batches.map(move |batch| Ok(Pairs::of(pairs, &batch, &place)?)),
        ))
    }

    fn evaluated(&self, model: &Transformer, batch: &Pairs) -> Result<Tally, TaskError> {
        let found = batch.loss(model, 0.0, None);
        let loss = found.loss.clone();
        Ok(self.tally(batch, found)?.with_mean_loss(scalar(loss)?))
    }

    fn evaluate(
        &self,
        model: &Transformer,
        epochs: usize,
        stop: &StopSignal,
    ) -> Result<Option<Scores>, TaskError> {
        let Some(validation) = self.score(model, Part::Validation, stop)? else {
            return Ok(None);
        };
        let Some(test) = self.score(model, Part::Test, stop)? else {
            return Ok(None);
        };
        let mut scores = Scores::new(validation, test);
        if !self.spec.bleu_is_due(&self.train_spec, epochs) {
            return Ok(Some(scores));
        }
        match self.translated(model, epochs, &mut scores, stop) {
            Ok(Some(())) => Ok(Some(scores)),
            Ok(None) => Ok(None),
            // The losses, which are not finite either, do not end a run.
            Err(error) => match error.downcast_ref() {
                Some(ModelError::NotFinite { .. }) => {
                    let warning = format!("epoch {epochs} has no BLEU: {error}");
                    scores.warnings.push(warning);
                    Ok(Some(scores))
                }
                _ => Err(error),
            },
        }
    }

    fn size(&self, batch: &Pairs) -> usize {
        let elements = |ids: &Tensor<2, Int>| ids.shape().num_elements();
        elements(&batch.source) + elements(&batch.target.output)
    }

    fn epoch_size(&self) -> Result<usize, TaskError> {
        Ok(padded_size(&self.epoch(0)?.batches, &self.train))
    }

    fn sampled_score(&self, model: &Transformer) -> Result<(Measured, f64), TaskError> {
        let batches = scored_batches(&self.test)?;
        // Of middling length.
        let sample = batches.get(batches.len() / 2);
        let tally = match sample {
            Some(sample) => {
                let batch = Pairs::of(&self.test, sample, &self.place.inner())?;
                self.evaluated(model, &batch)?
            }
            None => Tally::default(),
        };
        let all = padded_size(&batches, &self.test)
            + padded_size(&scored_batches(&self.validation)?, &self.validation);
        let share = padded_size(sample.map_or(&[], std::slice::from_ref), &self.test) as f64
            / all.max(1) as f64;
        Ok((tally.read()?.measured(&Self::scores()), share))
    }

    fn sampled_further(&self, model: &Transformer) -> Result<Option<f64>, TaskError> {
        let lengths = self.test.lengths();
        let batches = searched_batches(&self.test, self.spec.search_config().beam)?;
        let Some(sample) = batches.get(batches.len() / 2) else {
            return Ok(None);
        };
        let Pairs { source, .. } = Pairs::of(&self.test, sample, &self.place.inner())?;
        let targets = |pairs: &EncodedPairs| pairs.lengths().iter().map(|(_, t)| t).sum::<usize>();
        let (mut from, mut to) = (0, 0);
        for &pair in sample {
            from += lengths[pair].0;
            to += lengths[pair].1;
        }
        // A model that has hardly learned does not know where to end, and is stopped where the right
        // translations end on average. A trained one ends near there by itself.
        let ratio = to as f64 / from.max(1) as f64;
        let config = self.spec.search_config().with_max_length(ratio, 1);
        // Each source was followed to the end of the longest of its translations.
        let length = |found: Vec<Hypothesis>| {
            let tokens = found.iter().map(|found| found.tokens.len() + 1);
            tokens.max().unwrap_or(1)
        };
        let followed: usize = model.search(source, &config)?.into_iter().map(length).sum();
        let all = targets(&self.test) + targets(&self.validation);
        Ok(Some(followed as f64 / all.max(1) as f64))
    }

    fn fingerprint(setup: &Setup<'_, OurSections>) -> Result<Option<Fingerprint>, TaskError> {
        Ok(text(setup)?.print(DatasetPrint::of_text))
    }

    fn check(setup: &Setup<'_, OurSections>) -> Result<(), TaskError> {
        let train = text(setup)?.train.len();
        Ok(setup.spec.task.data.check_subset(train)?)
    }

    fn changes(was: &Fingerprint, now: &Fingerprint) -> (Vec<String>, bool) {
        changes(was, now)
    }

    fn model_of(
        setup: &Setup<'_, OurSections>,
        _data: Option<&Fingerprint>,
    ) -> Result<Transformer, TaskError> {
        let Some(run) = setup.run else {
            let message = "a file of weights has no tokenizer: give the run of the translator";
            return Err(SpecError::new("data.name", message).into());
        };
        let spec = setup.spec;
        let vocabulary = load_tokenizer(&run.join(TOKENIZER))?.len();
        let config = spec.task.model.transformer_config(vocabulary, PAD as usize);
        let model = config.init(spec.train.seed, &setup.place.device)?;
        Ok(model.with_activations(setup.place.activations))
    }
}

/// The tokenizer that a run has kept.
fn load_tokenizer(path: &Path) -> Result<Tokenizer, TaskError> {
    files::regular(path)?;
    Ok(Tokenizer::load(path)?)
}

//! Translating sentences.

mod bleu;
mod lengths;
mod pairs;

use std::iter::Skip;
use std::path::Path;
use std::time::{Duration, Instant};
use std::vec;

use burn::tensor::{Int, Tensor};
use xsam_data::text::{
    BatchSize, EncodedPairs, PAD, PairBatches, ParallelText, Tokenizer, training_batches,
};
use xsam_data::{batches, order};
use xsam_models::{
    Hypothesis, Transformer, TransformerConfig, TransformerError, TransformerLoss, cast,
};

use super::{Batches, Hits, SampleSizes, Scores, Task};
use crate::device::Place;
use crate::error::Error;
use crate::evaluation::{Score, Tally, count, evaluate, scalar};
use crate::event::StopSignal;
use crate::files;
use crate::loss::correct;
use crate::spec::{Spec, TrainSpec, TranslationSpec};
use crate::summary::TrainingPairs;
use crate::trained::TrainedModel;
use pairs::{Pairs, padded_size, scored_batches, searched_batches, tensors};

/// The tokenizer of a run, in its directory.
pub(crate) const TOKENIZER: &str = "tokenizer.json";

/// Sentences, and a model that is to translate them.
#[derive(Debug)]
pub(crate) struct Translation {
    place: Place,
    config: TransformerConfig,
    train_spec: TrainSpec,
    spec: TranslationSpec,
    /// Pairs are sorted by their lengths before they are cut into batches, so that every epoch has as many.
    steps: usize,
    tokenizer: Tokenizer,
    text: ParallelText,
    /// The language of the translations, where it is known what it is.
    language: String,
    train: EncodedPairs,
    validation: EncodedPairs,
    test: EncodedPairs,
    pairs: TrainingPairs,
    warnings: Vec<String>,
}

/// The tokens of a batch that are not padding: what was said of each, `[tokens, vocabulary]` without a
/// graph, and which one it is.
pub(crate) struct Tokens {
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
}

impl Translation {
    /// The task of a resolved spec, from all of its data, with the tokenizer that the training text makes.
    pub(crate) fn new(spec: &Spec, text: ParallelText, place: Place) -> Result<Self, Error> {
        Self::with_tokenizer(spec, text, place, None)
    }

    /// The same with another tokenizer, if one is given.
    pub(crate) fn with_tokenizer(
        spec: &Spec,
        mut text: ParallelText,
        place: Place,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Self, Error> {
        spec.data.check_subset(text.train.len())?;
        let lines = text.train.len() + text.left_out;
        if let Some(n) = spec.data.subset {
            text.train = text.train.first(n)?;
        }
        let merges = spec.translation.merges.unwrap_or_default();
        let tokenizer = match tokenizer {
            Some(tokenizer) => tokenizer,
            None => Tokenizer::train(text.train.sentences(), merges)?,
        };
        // What the first evaluation or the first BLEU would refuse.
        spec.translation
            .check_search(tokenizer.len(), PAD as usize)?;
        let config = spec.model.transformer_config(tokenizer.len(), PAD as usize);
        config.check()?;
        let mut task = Self {
            steps: 0,
            place,
            config,
            train_spec: spec.train.clone(),
            spec: spec.translation.clone(),
            train: tokenizer.encode_pairs(&text.train),
            validation: tokenizer.encode_pairs(&text.validation),
            test: tokenizer.encode_pairs(&text.test),
            language: spec.data.target.clone().unwrap_or_else(|| "en".to_owned()),
            pairs: TrainingPairs::default(),
            warnings: Vec::new(),
            tokenizer,
            text,
        };
        let longest = task.longest();
        let epoch = task.epoch(0)?;
        task.steps = epoch.batches.len();
        if task.steps == 0 {
            return Err(Error::AllTooLong { longest });
        }
        task.pairs = TrainingPairs {
            lines,
            empty: task.text.left_out,
            too_long: epoch.left_out,
            used: task.train.len() - epoch.left_out,
        };
        task.warnings
            .extend(lengths::left_out(&task.pairs, longest));
        for (pairs, text) in [
            (&mut task.validation, &task.text.validation),
            (&mut task.test, &task.text.test),
        ] {
            task.warnings.extend(lengths::cut(pairs, text, longest));
        }
        Ok(task)
    }

    /// The most subwords that a side of a training pair may have, its end included.
    fn longest(&self) -> usize {
        self.spec.max_length.unwrap_or(usize::MAX)
    }

    /// What the model finds of a batch, with what `masks` decide dropped out.
    fn found(&self, model: &Transformer, batch: &Pairs, masks: Option<u64>) -> TransformerLoss {
        let smoothing = self.train_spec.label_smoothing.unwrap_or_default();
        let (source, target) = (batch.source.clone(), batch.target.clone());
        model.loss(source, target, smoothing, masks)
    }

    /// The pairs of each batch of an epoch, and how many are in none.
    fn epoch(&self, epoch: usize) -> Result<PairBatches, Error> {
        let size = match (self.train_spec.batch_size, self.train_spec.batch_tokens) {
            (Some(pairs), _) => BatchSize::Sentences(pairs),
            (None, tokens) => BatchSize::Tokens(tokens.unwrap_or_default()),
        };
        let seed = self.train_spec.seed;
        let lengths = self.train.lengths();
        Ok(training_batches(
            &lengths,
            size,
            self.longest(),
            seed,
            epoch as u64,
        )?)
    }

    /// Loss and accuracy of every token of these pairs, at its place after the right ones before it.
    fn tally(
        &self,
        model: &Transformer,
        pairs: &EncodedPairs,
        batch: &[usize],
    ) -> Result<Tally, Error> {
        let Pairs { source, target } = tensors(pairs.padded(batch)?, &self.place.inner());
        let found = model.loss(source, target, 0.0, None);
        Ok(Tally {
            loss: scalar(found.loss.clone())? * found.tokens() as f64,
            right: count(found.correct())?,
            of: found.tokens(),
        })
    }
}

impl Task for Translation {
    type Model = Transformer;
    type Batch = Pairs;
    type Output = Tokens;

    fn unpack(trained: TrainedModel) -> Option<Transformer> {
        match trained {
            TrainedModel::Translator(model, _) => Some(model),
            TrainedModel::Classifier(_) => None,
        }
    }

    fn model(&self) -> Result<Transformer, Error> {
        let model = self.config.init(self.train_spec.seed, &self.place.device)?;
        Ok(cast(model, self.place.dtype))
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn batches(&self, epoch: usize, first: usize) -> Result<impl Batches<Pairs>, Error> {
        Ok(Gathering {
            task: self,
            order: self.epoch(epoch)?.batches.into_iter().skip(first),
            waited: Duration::ZERO,
        })
    }

    fn loss(&self, model: &Transformer, batch: &Pairs, seed: u64) -> (Tensor<1>, Tokens) {
        let TransformerLoss {
            loss,
            logits,
            targets,
        } = self.found(model, batch, Some(seed));
        (loss, Tokens { logits, targets })
    }

    fn sample(&self, sizes: SampleSizes, seed: u64) -> Result<Vec<(Pairs, usize)>, Error> {
        let (lengths, longest) = (self.train.lengths(), self.longest());
        let mut chosen = order(self.train.len(), seed, 0);
        // The others are not learned from.
        chosen.retain(|&pair| lengths[pair].0.max(lengths[pair].1) <= longest);
        chosen.truncate(sizes.all);
        let batches = batches(&chosen, sizes.batch)?.map(|indices| {
            let batch = tensors(self.train.padded(indices)?, &self.place);
            let padding = batch.target.output.clone().equal_elem(PAD).int().sum();
            let tokens = batch.target.output.shape().num_elements() as i64 - count(padding)?;
            Ok((batch, tokens.max(1) as usize))
        });
        batches.collect()
    }

    fn plain_loss(&self, model: &Transformer, batch: &Pairs, masks: Option<u64>) -> Tensor<1> {
        self.found(model, batch, masks).loss
    }

    fn parts(&self, batch: Pairs, count: usize) -> Result<Vec<(Pairs, f64)>, Error> {
        batch.parts(count)
    }

    fn hits(&self, _batch: &Pairs, tokens: Tokens) -> Result<Hits, Error> {
        Ok(Hits {
            of: tokens.targets.dims()[0],
            right: count(correct(tokens.logits, tokens.targets))?,
        })
    }

    fn pairs(&self) -> Option<TrainingPairs> {
        Some(self.pairs)
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn keep(&self, directory: &Path, goes_on: bool) -> Result<(), Error> {
        let path = directory.join(TOKENIZER);
        if !goes_on || !path.exists() {
            return Ok(self.tokenizer.save(&path)?);
        }
        files::regular(&path)?;
        match Tokenizer::load(&path)? == self.tokenizer {
            true => Ok(()),
            false => {
                let reason = "it is not the one that the run's training text makes";
                Err(Error::damaged(&path, reason))
            }
        }
    }

    fn scores(
        &self,
        model: &Transformer,
        epochs: usize,
        stop: &StopSignal,
    ) -> Result<Option<Scores>, Error> {
        let score = |pairs: &EncodedPairs| {
            let batches = scored_batches(pairs)?;
            evaluate(batches.iter(), stop, |batch| {
                self.tally(model, pairs, batch)
            })
        };
        let Some(validation) = score(&self.validation)? else {
            return Ok(None);
        };
        let Some(test) = score(&self.test)? else {
            return Ok(None);
        };
        let mut scores = Scores {
            validation,
            test,
            files: Vec::new(),
            warnings: Vec::new(),
        };
        if !self.spec.bleu_is_due(&self.train_spec, epochs) {
            return Ok(Some(scores));
        }
        match self.translated(model, epochs, &mut scores, stop) {
            Ok(Some(())) => Ok(Some(scores)),
            Ok(None) => Ok(None),
            // The losses, which are not finite either, do not end a run.
            Err(Error::Transformer(error @ TransformerError::NotFinite { .. })) => {
                let warning = format!("epoch {epochs} has no BLEU: {error}");
                scores.warnings.push(warning);
                Ok(Some(scores))
            }
            Err(error) => Err(error),
        }
    }

    fn size(&self, batch: &Pairs) -> usize {
        let elements = |ids: &Tensor<2, Int>| ids.shape().num_elements();
        elements(&batch.source) + elements(&batch.target.output)
    }

    fn epoch_size(&self) -> Result<usize, Error> {
        Ok(padded_size(&self.epoch(0)?.batches, &self.train))
    }

    fn sampled_score(&self, model: &Transformer) -> Result<(Score, f64), Error> {
        let batches = scored_batches(&self.test)?;
        // Of middling length.
        let sample = batches.get(batches.len() / 2);
        let tally = sample.map(|batch| self.tally(model, &self.test, batch));
        let score = tally.transpose()?.unwrap_or_default().score();
        let all = padded_size(&batches, &self.test)
            + padded_size(&scored_batches(&self.validation)?, &self.validation);
        let share = padded_size(sample.map_or(&[], std::slice::from_ref), &self.test) as f64
            / all.max(1) as f64;
        Ok((score, share))
    }

    fn sampled_translation(&self, model: &Transformer) -> Result<Option<f64>, Error> {
        let lengths = self.test.lengths();
        let batches = searched_batches(&self.test, self.spec.search_config().beam)?;
        let Some(sample) = batches.get(batches.len() / 2) else {
            return Ok(None);
        };
        let Pairs { source, .. } = tensors(self.test.padded(sample)?, &self.place.inner());
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
}

/// Batches that are put together when they are asked for: that takes a thousandth of a step.
struct Gathering<'a> {
    task: &'a Translation,
    order: Skip<vec::IntoIter<Vec<usize>>>,
    waited: Duration,
}

impl Iterator for Gathering<'_> {
    type Item = Result<Pairs, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = Instant::now();
        let batch = self.task.train.padded(&self.order.next()?);
        let batch = batch.map(|batch| tensors(batch, &self.task.place));
        self.waited += start.elapsed();
        Some(batch.map_err(Error::from))
    }
}

impl Batches<Pairs> for Gathering<'_> {
    fn waited(&self) -> Duration {
        self.waited
    }
}

//! Translating sentences.

mod pairs;

use std::iter::Skip;
use std::path::Path;
use std::time::{Duration, Instant};
use std::vec;

use burn::tensor::{Int, Tensor};
use serde::Serialize;
use xsam_data::text::{
    BatchSize, Bleu, EncodedPairs, PAD, ParallelText, SentencePairs, Tokenizer, bleu, detokenize,
    evaluation_batches, training_batches,
};
use xsam_data::{batches, order};
use xsam_models::{Hypothesis, Transformer, TransformerConfig, TransformerLoss, cast};

use super::{Batches, Hits, SampleSizes, Scores, Task};
use crate::device::Place;
use crate::error::Error;
use crate::evaluation::{Score, Tally, count, evaluate, scalar};
use crate::event::StopSignal;
use crate::json;
use crate::loss::correct;
use crate::spec::{Spec, TrainSpec, TranslationSpec};
use crate::trained::TrainedModel;
use pairs::{Pairs, padded_size, scored_batches, tensors};

/// The tokenizer of a run, in its directory.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// The translations of the test part, one a line.
const TRANSLATIONS: &str = "translations.txt";
/// Their score.
const BLEU: &str = "bleu.json";

/// Pairs in a batch when they are translated. The result does not depend on it.
const SEARCHED_PAIRS: usize = 64;

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
}

/// The tokens of a batch that are not padding: what was said of each, `[tokens, vocabulary]` without a
/// graph, and which one it is.
pub(crate) struct Tokens {
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
}

impl Translation {
    /// The task of a resolved spec, from all of its data.
    pub(crate) fn new(spec: &Spec, mut text: ParallelText, place: Place) -> Result<Self, Error> {
        spec.data.check_subset(text.train.len())?;
        if let Some(n) = spec.data.subset {
            text.train = text.train.first(n)?;
        }
        let merges = spec.translation.merges.unwrap_or_default();
        let tokenizer = Tokenizer::train(text.train.sentences(), merges)?;
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
            tokenizer,
            text,
        };
        task.steps = task.order(0)?.len();
        if task.steps == 0 {
            let longest = task.spec.max_length.unwrap_or_default();
            return Err(Error::AllTooLong { longest });
        }
        Ok(task)
    }

    /// What the model finds of a batch, with what `masks` decide dropped out.
    fn found(&self, model: &Transformer, batch: &Pairs, masks: Option<u64>) -> TransformerLoss {
        let smoothing = self.train_spec.label_smoothing.unwrap_or_default();
        let (source, target) = (batch.source.clone(), batch.target.clone());
        model.loss(source, target, smoothing, masks)
    }

    /// The pairs of each batch of an epoch.
    fn order(&self, epoch: usize) -> Result<Vec<Vec<usize>>, Error> {
        let size = match (self.train_spec.batch_size, self.train_spec.batch_tokens) {
            (Some(pairs), _) => BatchSize::Sentences(pairs),
            (None, tokens) => BatchSize::Tokens(tokens.unwrap_or_default()),
        };
        let longest = self.spec.max_length.unwrap_or(usize::MAX);
        let seed = self.train_spec.seed;
        let lengths = self.train.lengths();
        Ok(training_batches(&lengths, size, longest, seed, epoch as u64)?.batches)
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

    /// The translations of all sources of a part, as text; nothing if `stop` asks for an end before the last batch.
    fn translate(
        &self,
        model: &Transformer,
        pairs: &EncodedPairs,
        stop: &StopSignal,
    ) -> Result<Option<Vec<String>>, Error> {
        let place = self.place.inner();
        let config = self.spec.search_config();
        let mut translations = vec![String::new(); pairs.len()];
        let size = BatchSize::Sentences(SEARCHED_PAIRS);
        for batch in evaluation_batches(&pairs.lengths(), size)? {
            if stop.is_set() {
                return Ok(None);
            }
            let Pairs { source, .. } = tensors(pairs.padded(&batch)?, &place);
            for (&index, found) in batch.iter().zip(model.search(source, &config)?) {
                let best = found
                    .first()
                    .map(|best| self.tokenizer.decode(&best.tokens));
                translations[index] = best.unwrap_or_default();
            }
        }
        Ok(Some(translations))
    }

    /// The score of the translations of a part, and the translations as they are written; nothing if there is no time
    /// for them.
    fn bleu(
        &self,
        model: &Transformer,
        part: &SentencePairs,
        pairs: &EncodedPairs,
        stop: &StopSignal,
    ) -> Result<Option<(Bleu, Vec<String>)>, Error> {
        let config = self.spec.bleu_config();
        let Some(raw) = self.translate(model, pairs, stop)? else {
            return Ok(None);
        };
        if self.spec.detokenize != Some(true) {
            return Ok(Some((bleu(&raw, part.target(), &config)?, raw)));
        }
        let join = |lines: &[String]| -> Vec<String> {
            let joined = lines.iter().map(|line| detokenize(line, &self.language));
            joined.collect()
        };
        let joined = join(&raw);
        let score = match self.spec.scores_joined_text() {
            true => bleu(&joined, &join(part.target()), &config)?,
            false => bleu(&raw, part.target(), &config)?,
        };
        Ok(Some((score, joined)))
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
            order: self.order(epoch)?.into_iter().skip(first),
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
        let mut chosen = order(self.train.len(), seed, 0);
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

    fn keep(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(TOKENIZER);
        if !path.exists() {
            return Ok(self.tokenizer.save(&path)?);
        }
        match Tokenizer::load(&path)? == self.tokenizer {
            true => Ok(()),
            false => Err(Error::OtherData { path }),
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
        let Some(mut validation) = score(&self.validation)? else {
            return Ok(None);
        };
        let Some(mut test) = score(&self.test)? else {
            return Ok(None);
        };
        let mut files = Vec::new();
        if self.spec.bleu_is_due(&self.train_spec, epochs) {
            let translated = |part, pairs| self.bleu(model, part, pairs, stop);
            let Some((score, _)) = translated(&self.text.validation, &self.validation)? else {
                return Ok(None);
            };
            validation.bleu = Some(score.score);
            let Some((score, translations)) = translated(&self.text.test, &self.test)? else {
                return Ok(None);
            };
            test.bleu = Some(score.score);
            let told = Told {
                epoch: epochs,
                bleu: score.score,
                signature: score.config.signature(),
                line: score.to_string(),
            };
            let told =
                json::pretty(&told).map_err(|error| Error::damaged(Path::new(BLEU), error))?;
            files.push((TRANSLATIONS, translations.join("\n") + "\n"));
            files.push((BLEU, told + "\n"));
        }
        Ok(Some(Scores {
            validation,
            test,
            files,
        }))
    }

    fn size(&self, batch: &Pairs) -> usize {
        let elements = |ids: &Tensor<2, Int>| ids.shape().num_elements();
        elements(&batch.source) + elements(&batch.target.output)
    }

    fn epoch_size(&self) -> Result<usize, Error> {
        Ok(padded_size(&self.order(0)?, &self.train))
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
        let batches = evaluation_batches(&lengths, BatchSize::Sentences(SEARCHED_PAIRS))?;
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

/// What is written beside the translations.
#[derive(Serialize)]
struct Told {
    epoch: usize,
    bleu: f64,
    signature: String,
    line: String,
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

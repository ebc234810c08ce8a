//! From sentences to what is learned.

use xsam_data::text::{PAD, SentencePairs, Tokenizer};
use xsam_lab::{Setup, TaskError};

use super::Translation;
use super::lengths::{self, AllTooLong, TrainingPairs};
use crate::data::text;
use crate::spec::OurSections;

/// What is left of the sentences once they are encoded: how many pairs were left out, and what is translated.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) left_out: usize,
    pub(super) validation: SentencePairs,
    pub(super) test: SentencePairs,
}

impl Translation {
    /// With the tokenizer of a run, if it is given, or that which the training text makes.
    pub(super) fn with_tokenizer(
        setup: &Setup<'_, OurSections>,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Self, TaskError> {
        let (spec, all) = (&setup.spec.task, text(setup)?);
        spec.data.check_subset(all.train.len())?;
        let lines = all.train.len() + all.left_out;
        let train = match spec.data.subset {
            Some(n) => all.train.first(n)?,
            None => all.train.clone(),
        };
        let text = Text {
            left_out: all.left_out,
            validation: all.validation.clone(),
            test: all.test.clone(),
        };
        let merges = spec.translation.merges.unwrap_or_default();
        let tokenizer = match tokenizer {
            Some(tokenizer) => tokenizer,
            None => Tokenizer::train(train.sentences(), merges)?,
        };
        // What the first evaluation or the first BLEU would refuse.
        spec.translation
            .check_search(tokenizer.len(), PAD as usize)?;
        let config = spec.model.transformer_config(tokenizer.len(), PAD as usize);
        config.check()?;
        let mut task = Self {
            steps: 0,
            place: setup.place.clone(),
            config,
            train_spec: setup.spec.train.clone(),
            data_spec: spec.data.clone(),
            spec: spec.translation.clone(),
            train: tokenizer.encode_pairs(&train),
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
            return Err(AllTooLong { longest }.into());
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
}

//! From sentences to what is learned.

use xsam_data::text::{PAD, Tokenizer};
use xsam_lab::{Setup, Shared, TaskError};

use super::Translation;
use super::lengths::{self, TrainingPairs};
use crate::data::text;
use crate::spec::OurSections;

impl Translation {
    /// With the tokenizer of a run, if it is given, or that which the training text makes.
    pub(super) fn with_tokenizer(
        setup: &Setup<'_, OurSections>,
        tokenizer: Option<Tokenizer>,
    ) -> Result<Self, TaskError> {
        let (spec, text) = (&setup.spec.task, text(setup)?);
        spec.data.check_subset(text.train.len())?;
        let train = match spec.data.subset {
            Some(n) => text.train.first(n)?,
            None => text.train.clone(),
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
            batches: Shared::default(),
            place: setup.place.clone(),
            config,
            train_spec: setup.spec.train.clone(),
            data_spec: spec.data.clone(),
            spec: spec.translation.clone(),
            train: tokenizer.encode_pairs(&train),
            validation: tokenizer.encode_pairs(&text.validation),
            test: tokenizer.encode_pairs(&text.test),
            pairs: TrainingPairs::default(),
            warnings: Vec::new(),
            tokenizer,
            text,
        };
        let longest = task.longest();
        let epoch = task.epoch(0)?;
        task.steps = epoch.batches.len();
        if task.steps == 0 {
            let message = "every training pair has a side of more than translation.max_length";
            return Err(TaskError::new(format!("{message} = {longest} subwords")));
        }
        task.pairs = TrainingPairs {
            lines: task.text.train.len() + task.text.left_out,
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

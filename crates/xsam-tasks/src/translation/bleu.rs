//! Translations of validation and test data, and their score.

use std::path::Path;

use serde::Serialize;
use xsam_data::text::{Bleu, EncodedPairs, SentencePairs, bleu, detokenize};
use xsam_lab::{Error, Scores, StopSignal, TaskError, json};
use xsam_models::{ModelError, Transformer};

use super::pairs::{Pairs, searched_batches};
use super::{BLEU, Translation};

/// The translations of the test part, one a line.
const TRANSLATIONS: &str = "translations.txt";
const BLEU_FILE: &str = "bleu.json";

/// Translations with their numbers; nothing if there was no time for them, or where the model's numbers ended.
type Share = Result<Option<Vec<(usize, String)>>, usize>;

impl Translation {
    /// The translations of all sources of a part, as text; nothing if `stop` asks for an end before the last token. They
    /// are shared out over the ranks of a run.
    fn translate(
        &self,
        model: &Transformer,
        pairs: &EncodedPairs,
        stop: &StopSignal,
    ) -> Result<Option<Vec<String>>, TaskError> {
        let share: Share = match self.translate_share(model, pairs, stop) {
            Ok(found) => Ok(found),
            Err(error) => match error.downcast_ref() {
                // All ranks are to know of it, and go on.
                Some(ModelError::NotFinite { position }) => Err(*position),
                _ => return Err(error),
            },
        };
        let failed = |error| Error::damaged(Path::new(TRANSLATIONS), error);
        let share = json::pretty(&share).map_err(failed)?;
        let mut translations = vec![String::new(); pairs.len()];
        let mut stopped = false;
        for share in stop.ranks().gather(share.into_bytes())? {
            let share: Share = json::parse(&String::from_utf8_lossy(&share)).map_err(failed)?;
            match share.map_err(|position| ModelError::NotFinite { position })? {
                Some(found) => {
                    for (index, found) in found {
                        translations[index] = found;
                    }
                }
                None => stopped = true,
            }
        }
        Ok((!stopped).then_some(translations))
    }

    /// The translations of this rank's batches, with their numbers.
    fn translate_share(
        &self,
        model: &Transformer,
        pairs: &EncodedPairs,
        stop: &StopSignal,
    ) -> Result<Option<Vec<(usize, String)>>, TaskError> {
        let place = self.place.inner();
        let config = self.spec.search_config();
        let mut translations = Vec::new();
        let batches = searched_batches(pairs, config.beam)?.into_iter();
        for batch in stop.ranks().share(batches) {
            let Pairs { source, .. } = Pairs::of(pairs, &batch, &place)?;
            let Some(found) = model.search_while(source, &config, || !stop.is_set())? else {
                return Ok(None);
            };
            for (&index, found) in batch.iter().zip(found) {
                let best = found
                    .first()
                    .map(|best| self.tokenizer.decode(&best.tokens));
                translations.push((index, best.unwrap_or_default()));
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
    ) -> Result<Option<(Bleu, Vec<String>)>, TaskError> {
        let config = self.spec.bleu_config();
        let Some(raw) = self.translate(model, pairs, stop)? else {
            return Ok(None);
        };
        let references: Vec<&str> = part.target().iter().collect();
        if self.spec.detokenize != Some(true) {
            return Ok(Some((bleu(&raw, &references, &config)?, raw)));
        }
        let language = self.data_spec.target.as_deref().unwrap_or("en");
        let join = |line: &str| detokenize(line, language);
        let joined: Vec<String> = raw.iter().map(|line| join(line)).collect();
        let score = match self.spec.scores_joined_text() {
            true => {
                let references: Vec<String> = references.iter().map(|line| join(line)).collect();
                bleu(&joined, &references, &config)?
            }
            false => bleu(&raw, &references, &config)?,
        };
        Ok(Some((score, joined)))
    }

    /// Fills in BLEU and the files of the translations; nothing if there is no time for them.
    pub(super) fn translated(
        &self,
        model: &Transformer,
        epochs: usize,
        scores: &mut Scores,
        stop: &StopSignal,
    ) -> Result<Option<()>, TaskError> {
        let translated = |part, pairs| self.bleu(model, part, pairs, stop);
        let Some((validation, _)) = translated(&self.text.validation, &self.validation)? else {
            return Ok(None);
        };
        let Some((test, translations)) = translated(&self.text.test, &self.test)? else {
            return Ok(None);
        };
        for (part, found) in [
            (&mut scores.validation, &validation),
            (&mut scores.test, &test),
        ] {
            part.values.insert(BLEU.to_owned(), found.score);
        }
        let told = Told {
            epoch: epochs,
            bleu: test.score,
            signature: test.config.signature(),
            line: test.to_string(),
        };
        let told =
            json::pretty(&told).map_err(|error| Error::damaged(Path::new(BLEU_FILE), error))?;
        let lines = translations.join("\n") + "\n";
        scores.files = vec![(TRANSLATIONS, lines), (BLEU_FILE, told + "\n")];
        Ok(Some(()))
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

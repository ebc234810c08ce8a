//! `[translation]`: subwords, lengths, and how translations are found and scored.

use xsam_data::text::{BOS, BleuConfig, BleuTokenization, EOS};
use xsam_data::{DatasetName, Kind};
use xsam_models::{ModelError, SearchConfig};

use xsam_lab::sections;
use xsam_lab::spec::{SpecError, TrainSpec};
use xsam_names::named_enum;

named_enum! {
    /// What counts as a word for BLEU.
    pub enum BleuWords ("tokenization for BLEU") {
        /// As mteval-v13a cuts text into words, sacrebleu's default.
        V13a = "13a",
        /// Words are what blanks separate.
        None = "none",
    }
}

sections! {
    /// `[translation]`: for data of sentences. Left out of the resolved spec for images.
    pub struct TranslationSpec {
        /// Merges of the joint byte pair encoding; 10,000.
        pub merges: Option<usize>,
        /// Training pairs with a longer side, in subwords and with the end of the sentence, are left out; 256.
        pub max_length: Option<usize>,
        /// Translations that the search follows at a time, at most 1,000 and two fewer than there are subwords; 5. One is a
        /// greedy search.
        pub beam: Option<usize>,
        /// The power of the length that a translation's score is divided by; 1.
        pub length_penalty: Option<f64>,
        /// Epochs from one BLEU to the next; the last epoch has one in any case, and no other if this is not
        /// given.
        pub bleu_every: Option<usize>,
        /// What counts as a word for BLEU; 13a, for data of tokens none.
        pub bleu: Option<BleuWords>,
        /// Whether the text is tokenized and translations are to be written as people write: joined to
        /// punctuation. BLEU by 13a is then of the joined text. No; for data of tokens yes.
        pub detokenize: Option<bool>,
    }
}

impl TranslationSpec {
    /// Fills in what is not given, or refuses all of it for images.
    pub(super) fn resolve(&mut self, data: DatasetName) -> Result<(), SpecError> {
        let Kind::Text { is_tokenized, .. } = data.facts().kind else {
            return match *self == Self::default() {
                true => Ok(()),
                false => {
                    let message = format!("{data} is of images: leave the section out");
                    Err(SpecError::new("translation", message))
                }
            };
        };
        let merges = *self.merges.get_or_insert(10_000);
        let max_length = *self.max_length.get_or_insert(256);
        let beam = *self.beam.get_or_insert(5);
        let penalty = *self.length_penalty.get_or_insert(1.0);
        let words = if is_tokenized {
            BleuWords::None
        } else {
            BleuWords::V13a
        };
        self.bleu.get_or_insert(words);
        self.detokenize.get_or_insert(is_tokenized);
        let every = self.bleu_every.unwrap_or(1);
        SpecError::within("translation.max_length", max_length, 1..=usize::MAX)?;
        SpecError::within("translation.bleu_every", every, 1..=usize::MAX)?;
        // Logits and caches are in proportion to it.
        let ok = (1..=1000).contains(&beam);
        SpecError::unless(ok, "translation.beam", beam, "from 1 to 1000")?;
        let ok = (1..=1 << 20).contains(&merges);
        SpecError::unless(ok, "translation.merges", merges, "from 1 to 2^20")?;
        let ok = penalty.is_finite();
        SpecError::unless(ok, "translation.length_penalty", penalty, "finite")
    }

    /// Whether an evaluation after `epochs` epochs has a BLEU: unless it is said how often, at the end alone.
    pub(crate) fn bleu_is_due(&self, train: &TrainSpec, epochs: usize) -> bool {
        train.is_due(self.bleu_every.unwrap_or(train.epochs), epochs)
    }

    /// How translations are looked for.
    pub(crate) fn search_config(&self) -> SearchConfig {
        let config = SearchConfig::new(BOS as usize, EOS as usize);
        let (beam, penalty) = (config.beam, config.length_penalty);
        config
            .with_beam(self.beam.unwrap_or(beam))
            .with_length_penalty(self.length_penalty.unwrap_or(penalty))
    }

    /// Checks that translations can be looked for with a vocabulary of so many subwords, of which one is the padding.
    pub(crate) fn check_search(&self, vocabulary: usize, padding: usize) -> Result<(), SpecError> {
        let checked = self.search_config().check(vocabulary, padding);
        checked.map_err(|error| match error {
            ModelError::OutOfRange {
                field, value, max, ..
            } => {
                let message = format!(
                    "{value} must be at most {max}: the training text gives a vocabulary of {vocabulary} subwords, \
                     special ones included"
                );
                SpecError::new(format!("translation.{field}"), message)
            }
            error => SpecError::new("translation", error.to_string()),
        })
    }

    /// Whether the score is of text as people write it, though the files hold tokens.
    pub(crate) fn scores_joined_text(&self) -> bool {
        self.detokenize == Some(true) && self.bleu == Some(BleuWords::V13a)
    }

    /// How they are scored.
    pub(crate) fn bleu_config(&self) -> BleuConfig {
        BleuConfig {
            tokenization: match self.bleu {
                Some(BleuWords::None) => BleuTokenization::None,
                Some(BleuWords::V13a) | None => BleuTokenization::V13a,
            },
            ..BleuConfig::default()
        }
    }
}

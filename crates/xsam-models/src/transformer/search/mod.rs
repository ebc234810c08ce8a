//! Translations that the model finds likely.

mod beam;

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::Transformer;
use super::config::VOCABULARIES;
use crate::ModelError;
use crate::error::{unless, within};
use beam::Beams;

/// The longest translations that are tried.
const LONGEST: usize = 1 << 16;

/// How to look for translations.
///
/// | field | default | range |
/// |---|---|---|
/// | `begin` | | an id that is not the padding |
/// | `end` | | an id that is not the padding |
/// | `beam` | 5 | 1 to `vocabulary - 2` |
/// | `length_penalty` | 1 | finite |
/// | `max_length_a` | 1.2 | finite, >= 0 |
/// | `max_length_b` | 10 | 1 to 65536 |
#[derive(Clone, Debug, PartialEq)]
pub struct SearchConfig {
    /// The id that begins a sentence.
    pub begin: usize,
    /// The id that ends a sentence. It may be the one that begins it, as in fairseq.
    pub end: usize,
    /// How many translations are followed at a time. One is a greedy search.
    pub beam: usize,
    /// The power of the length that a score is divided by: above 1 favours long translations, below 1
    /// short ones.
    pub length_penalty: f64,
    /// Tokens that a translation may have for each token of its source.
    pub max_length_a: f64,
    /// Tokens that it may have besides.
    pub max_length_b: usize,
}

impl SearchConfig {
    /// A beam of 5, with the ids that begin and end a sentence.
    pub fn new(begin: usize, end: usize) -> Self {
        Self {
            begin,
            end,
            beam: 5,
            length_penalty: 1.0,
            max_length_a: 1.2,
            max_length_b: 10,
        }
    }

    /// The same with another beam.
    #[must_use]
    pub fn with_beam(mut self, beam: usize) -> Self {
        self.beam = beam;
        self
    }

    /// The same with another power of the length.
    #[must_use]
    pub fn with_length_penalty(mut self, length_penalty: f64) -> Self {
        self.length_penalty = length_penalty;
        self
    }

    /// The same with translations of at most `a` tokens for each of the source, and `b`.
    #[must_use]
    pub fn with_max_length(mut self, a: f64, b: usize) -> Self {
        (self.max_length_a, self.max_length_b) = (a, b);
        self
    }

    /// Checks every field, for a vocabulary of so many ids, of which one is the padding. Every search does, but who
    /// trains before wants to know before.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot be, its value and its range.
    pub fn check(&self, vocabulary: usize, padding: usize) -> Result<(), ModelError> {
        within("vocabulary", vocabulary, VOCABULARIES)?;
        for (field, id) in [("begin", self.begin), ("end", self.end)] {
            within(field, id, 0..=vocabulary - 1)?;
            unless(id != padding, field, || {
                format!("{field} and padding are both {id}; they need ids of their own")
            })?;
        }
        within("beam", self.beam, 1..=vocabulary - 2)?;
        within("max_length_b", self.max_length_b, 1..=LONGEST)?;
        let (penalty, a) = (self.length_penalty, self.max_length_a);
        unless(penalty.is_finite(), "length_penalty", || {
            format!("length_penalty = {penalty} is outside its range, finite numbers")
        })?;
        unless(a.is_finite() && a >= 0.0, "max_length_a", || {
            format!("max_length_a = {a} is outside its range, finite numbers that are at least 0")
        })
    }

    /// Tokens, without the one that ends it, that a translation of so many may have.
    fn longest(&self, source: usize) -> usize {
        // A float that is too large becomes the largest integer.
        let scaled = (self.max_length_a * source as f64) as usize;
        scaled.saturating_add(self.max_length_b).min(LONGEST)
    }

    /// The score of a hypothesis from the logarithm of its probability.
    fn by_length(&self, logarithm: f64, length: usize) -> f64 {
        logarithm / (length as f64).powf(self.length_penalty)
    }
}

/// A translation that beam search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its ids, without those that begin and end a sentence.
    pub tokens: Vec<u32>,
    /// The logarithm of its probability, end included, divided by its length, end included, to the
    /// power `length_penalty`.
    pub score: f64,
}

impl Transformer {
    /// The `beam` translations that a beam search finds for each row of `source`, `[batch, tokens]`, the
    /// best first.
    ///
    /// The search is that of fairseq. Of the continuations of the live hypotheses of a source by one
    /// token the `2 beam` likeliest are taken, in order: an end of sentence among the first `beam` of
    /// them finishes a hypothesis, and the first `beam` that do not end live on. The search of a source
    /// is over when it has `beam` finished hypotheses, even if a live one might still come to score
    /// better. A hypothesis as long as it may be can only end; the limit is `max_length_a * source +
    /// max_length_b`, where `source` counts the tokens of the row that are not padding. No token is
    /// padding.
    ///
    /// Each source is translated as if it were alone, up to rounding. Nothing is dropped and no graph is
    /// kept, whatever the device. Keys and values of earlier tokens are kept, those of a source once for
    /// all of its hypotheses, and a source whose search is over leaves the batch.
    ///
    /// # Errors
    ///
    /// A field of `config` outside its range, and logits that are not finite.
    ///
    /// # Panics
    ///
    /// If an id of `source` is not in the vocabulary, or its rows have no column.
    pub fn search(
        &self,
        source: Tensor<2, Int>,
        config: &SearchConfig,
    ) -> Result<Vec<Vec<Hypothesis>>, ModelError> {
        let found = self.search_while(source, config, || true)?;
        Ok(found.unwrap_or_default())
    }

    /// The [`search`](Self::search), or nothing if `go_on` says no before it is over; it is asked before each token.
    ///
    /// # Errors
    ///
    /// As for [`search`](Self::search).
    ///
    /// # Panics
    ///
    /// As for [`search`](Self::search).
    pub fn search_while(
        &self,
        source: Tensor<2, Int>,
        config: &SearchConfig,
        go_on: impl FnMut() -> bool,
    ) -> Result<Option<Vec<Vec<Hypothesis>>>, ModelError> {
        let [vocabulary, _] = self.decoder.embed_tokens.weight.dims();
        config.check(vocabulary, self.padding)?;
        if source.dims()[0] == 0 {
            return Ok(Some(Vec::new()));
        }
        let source = if source.is_autodiff() {
            source.inner()
        } else {
            source
        };
        Beams::new(&self.valid(), source, config).run(go_on)
    }
}

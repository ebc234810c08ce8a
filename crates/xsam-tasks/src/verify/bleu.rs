//! Scores of translations, as sacrebleu gives them.

use serde::Deserialize;
use xsam_data::text::{BleuConfig, BleuTokenization, Smoothing, bleu};
use xsam_lab::Place;

use super::Stop;
use super::deviation::{Deviations, Quantity};

/// A file of corpora and their scores. Fields of the file that say how it came about are not read.
#[derive(Debug, Deserialize)]
pub(super) struct BleuCase {
    cases: Vec<Corpus>,
}

#[derive(Debug, Deserialize)]
struct Corpus {
    name: String,
    hypotheses: Vec<String>,
    references: Vec<String>,
    bleu_13a: f64,
    bleu_none: f64,
    bleu_none_unsmoothed: f64,
}

pub(super) fn replay(case: &BleuCase, place: &Place) -> Result<Deviations, Stop> {
    let mut deviations = Deviations::new(place.dtype, 0.0);
    for corpus in &case.cases {
        for (tokenization, smoothing, expected) in [
            (BleuTokenization::V13a, Smoothing::Exp, corpus.bleu_13a),
            (BleuTokenization::None, Smoothing::Exp, corpus.bleu_none),
            (
                BleuTokenization::None,
                Smoothing::None,
                corpus.bleu_none_unsmoothed,
            ),
        ] {
            let config = BleuConfig {
                tokenization,
                smoothing,
                ..BleuConfig::default()
            };
            let score = bleu(&corpus.hypotheses, &corpus.references, &config)
                .map_err(|error| Stop::Fail(format!("{}: {error}", corpus.name)))?;
            let what = format_args!("{}, {}", corpus.name, config.signature());
            deviations.compare(Quantity::Score, what, score.score, expected);
        }
    }
    Ok(deviations)
}

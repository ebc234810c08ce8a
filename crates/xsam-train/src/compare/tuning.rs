//! Hyper-parameters that are chosen on the validation data before methods are compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::metrics::Metrics;
use crate::spec::CompareEntry;
use crate::statistics::Spread;
use crate::summary::Recorded;

/// How hyper-parameters were chosen, as in `compare.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningSummary {
    /// What the choice is by, always of the validation data and after the last epoch.
    pub measure: TuningMeasure,
    /// The seeds that it was made on.
    pub seeds: Vec<u64>,
    /// The methods that have a field that was tuned.
    pub methods: Vec<TunedMethod>,
}

/// What hyper-parameters are chosen by: the highest mean over the seeds, of equal ones the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TuningMeasure {
    /// Accuracy on the validation data.
    ValidationAccuracy,
    /// BLEU of the validation data, of translations.
    ValidationBleu,
}

/// The candidates of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedMethod {
    /// The method's label.
    pub label: String,
    /// Its candidates, in the order of the values.
    pub candidates: Vec<CandidateSummary>,
    /// Combinations of values that it cannot be run with, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<String>,
}

/// A choice of values, and how a method does with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateSummary {
    /// The values by `section.field`, without the section if that is `method`.
    pub values: BTreeMap<String, Value>,
    /// The same in words.
    pub words: String,
    /// Finished runs. A candidate that is the only one is chosen without any.
    pub runs: usize,
    /// What the choice is by.
    pub validation: Option<Spread>,
    /// Whether it was chosen.
    pub chosen: bool,
}

impl TuningMeasure {
    fn of(self, row: &Metrics) -> Option<f64> {
        match self {
            Self::ValidationAccuracy => row.validation_accuracy,
            Self::ValidationBleu => row.validation_bleu,
        }
    }
}

/// The runs that are finished of each candidate, by the numbers of method and candidate.
pub(super) type Tried = BTreeMap<(usize, usize), Vec<Recorded>>;

/// The candidates of each method and how they did. Chosen is the best one of those with a run from every seed,
/// if `complete`: before all runs were tried there is nothing to choose.
pub(super) fn summary(
    entries: &[CompareEntry],
    seeds: &[u64],
    measure: TuningMeasure,
    tried: &Tried,
    complete: bool,
) -> TuningSummary {
    let mut methods = Vec::new();
    for (m, entry) in entries.iter().enumerate() {
        let first = &entry.candidates[0];
        if entry.candidates.len() == 1 && first.values.is_empty() && entry.omitted.is_empty() {
            continue;
        }
        let mut best: Option<(usize, f64)> = None;
        let mut candidates = Vec::new();
        for (c, candidate) in entry.candidates.iter().enumerate() {
            let runs = tried.get(&(m, c)).map_or(&[][..], Vec::as_slice);
            let last = runs.iter().filter_map(|run| run.summary.last.as_ref());
            let values: Vec<f64> = last.filter_map(|row| measure.of(row)).collect();
            let all = values.len() == seeds.len();
            let validation = Spread::of(values);
            if let Some(Spread { mean, .. }) = validation.filter(|_| all)
                && best.is_none_or(|(_, highest)| mean > highest)
            {
                best = Some((c, mean));
            }
            candidates.push(CandidateSummary {
                values: candidate.values.iter().cloned().collect(),
                words: candidate.words(),
                runs: runs.len(),
                validation,
                chosen: false,
            });
        }
        let chosen = match candidates.len() {
            1 => Some(0),
            _ => best.filter(|_| complete).map(|(c, _)| c),
        };
        if let Some(c) = chosen {
            candidates[c].chosen = true;
        }
        methods.push(TunedMethod {
            label: entry.label.clone(),
            candidates,
            omitted: entry.omitted.clone(),
        });
    }
    TuningSummary {
        measure,
        seeds: seeds.to_vec(),
        methods,
    }
}

impl TuningSummary {
    /// The number of the candidate that was chosen for a method, the only one of a method that was not tuned.
    pub(super) fn choice(&self, label: &str) -> Option<usize> {
        match self.methods.iter().find(|method| method.label == label) {
            Some(method) => method.candidates.iter().position(|c| c.chosen),
            None => Some(0),
        }
    }
}

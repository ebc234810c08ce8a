//! Hyper-parameters that are chosen on the validation data before methods are compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::score::{Part, Score};
use crate::spec::{CompareEntry, TaskSpec};
use crate::statistics::Spread;
use crate::summary::Recorded;

/// How hyper-parameters were chosen, as in `compare.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningSummary {
    /// The score that the choice is by, of the validation data after the last epoch: the best mean over the seeds, of
    /// equal ones the first.
    pub score: Score,
    /// The seeds that it was made on.
    pub seeds: Vec<u64>,
    /// The methods that have a field that was tuned.
    pub methods: Vec<TunedMethod>,
}

/// The candidates of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedMethod {
    /// Label of the method whose field is tuned.
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
    /// After how many seeds it was left out, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out_after: Option<usize>,
    /// Whether it was chosen.
    pub chosen: bool,
}

/// The runs that are finished of each candidate, by the numbers of method and candidate.
pub(super) type Tried = BTreeMap<(usize, usize), Vec<Recorded>>;

/// After how many of so many seeds each candidate of a method was left out, if it was: after each seed the better half is left,
/// rounded up, by the mean of the score of the validation data over the seeds so far. One with a run that failed is the worst.
pub(super) fn left_out<'a, S>(
    entry: &CompareEntry<S>,
    seeds: &[u64],
    score: &Score,
    of: &dyn Fn(usize) -> &'a [Recorded],
) -> Vec<Option<usize>> {
    let column = score.column(Part::Validation);
    let mean = |c: usize, seeds: &[u64]| {
        let runs = of(c).iter().filter(|run| seeds.contains(&run.summary.seed));
        let last = runs.filter_map(|run| run.summary.last.as_ref());
        let values: Vec<f64> = last.filter_map(|row| row.get(&column)).collect();
        match values.len() == seeds.len() {
            true => values.iter().sum::<f64>() / values.len() as f64,
            false => f64::NAN,
        }
    };
    let mut out = vec![None; entry.candidates.len()];
    let mut left: Vec<usize> = (0..out.len()).collect();
    for made in 1..=seeds.len() {
        let means: BTreeMap<usize, f64> =
            left.iter().map(|&c| (c, mean(c, &seeds[..made]))).collect();
        // Of equal ones the first is ahead.
        left.sort_by(|&a, &b| score.better.order(means[&a], means[&b]).then(a.cmp(&b)));
        for c in left.split_off(left.len().div_ceil(2)) {
            out[c] = Some(made);
        }
    }
    out
}

/// The candidates of each method and how they did. Chosen is the best one of those with a run from every seed, if what is
/// tried of the method `is_complete`: before that there is nothing to choose.
pub(super) fn summary<S: TaskSpec>(
    entries: &[CompareEntry<S>],
    seeds: &[u64],
    score: Score,
    tried: &Tried,
    is_complete: &dyn Fn(usize) -> bool,
) -> TuningSummary {
    let column = score.column(Part::Validation);
    let mut methods = Vec::new();
    for (m, entry) in entries.iter().enumerate() {
        let first = &entry.candidates[0];
        if entry.candidates.len() == 1 && first.values.is_empty() && entry.omitted.is_empty() {
            continue;
        }
        let mut best = (None, f64::NAN);
        let mut candidates = Vec::new();
        for (c, candidate) in entry.candidates.iter().enumerate() {
            let runs = tried.get(&(m, c)).map_or(&[][..], Vec::as_slice);
            let last = runs.iter().filter_map(|run| run.summary.last.as_ref());
            let values: Vec<f64> = last.filter_map(|row| row.get(&column)).collect();
            let all = values.len() == seeds.len();
            let validation = Spread::of(values);
            if let Some(Spread { mean, .. }) = validation.filter(|_| all)
                && score.better.beats(mean, best.1)
            {
                best = (Some(c), mean);
            }
            candidates.push(CandidateSummary {
                values: candidate.values.iter().cloned().collect(),
                words: candidate.words(),
                runs: runs.len(),
                validation,
                left_out_after: None,
                chosen: false,
            });
        }
        let chosen = match candidates.len() {
            1 => Some(0),
            _ => best.0.filter(|_| is_complete(m)),
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
        score,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metrics::Metrics;
    use crate::score::Better;
    use crate::summary::RunSummary;
    use crate::toy::Spec;

    #[test]
    fn after_each_seed_the_better_half_is_left() {
        let settings = [
            "compare.methods=['sam']",
            "compare.tune.rho=[0.1, 0.2, 0.3, 0.4, 0.5]",
        ];
        let settings = settings.map(str::to_owned);
        let (spec, compare) = Spec::parse("[compare]", &settings).unwrap();
        let entries = compare.unwrap().entries(&spec).unwrap();
        let run = |seed: u64, value: f64| {
            let mut last = Metrics::new(1);
            last.set("validation_accuracy", value);
            Recorded {
                summary: RunSummary {
                    seed,
                    last: Some(last),
                    ..RunSummary::default()
                },
                differences: None,
            }
        };
        // From seeds 7, 8 and 9, as far as there are runs; one has failed, and two are equal at first.
        let values: [&[f64]; 5] = [&[0.5], &[0.8, 0.6], &[0.8, 0.9, 0.7], &[], &[0.7, 0.7, 0.8]];
        let runs: Vec<Vec<Recorded>> = values
            .iter()
            .map(|values| (7..).zip(*values).map(|(seed, v)| run(seed, *v)).collect())
            .collect();
        let score = Score::percent("accuracy", "");
        let out = |seeds: &[u64]| left_out(&entries[0], seeds, &score, &|c| &runs[c]);
        let left = |seeds: &[u64]| -> Vec<usize> {
            let out = out(seeds);
            (0..5).filter(|&c| out[c].is_none()).collect()
        };
        assert_eq!(left(&[]), [0, 1, 2, 3, 4]);
        assert_eq!(left(&[7]), [1, 2, 4]);
        assert_eq!(left(&[7, 8]), [1, 2]);
        assert_eq!(left(&[7, 8, 9]), [2]);
        let expected = [Some(1), Some(3), None, Some(1), Some(2)];
        assert_eq!(out(&[7, 8, 9]), expected);
    }

    #[test]
    fn the_best_candidate_is_chosen_in_the_direction_of_the_score() {
        let settings = [
            "compare.methods=['sam']",
            "compare.tune.rho=[0.1, 0.2, 0.3, 0.4]",
        ];
        let settings = settings.map(str::to_owned);
        let (spec, compare) = Spec::parse("[compare]", &settings).unwrap();
        let entries = compare.unwrap().entries(&spec).unwrap();
        let run = |value: f64| {
            let mut last = Metrics::new(1);
            last.set("validation_perplexity", value);
            Recorded {
                summary: RunSummary {
                    last: Some(last),
                    ..RunSummary::default()
                },
                differences: None,
            }
        };
        let means = [f64::NAN, 9.0, 7.0, 8.0];
        let tried: Tried = (0..)
            .zip(means)
            .map(|(c, mean)| ((0, c), vec![run(mean - 1.0), run(mean + 1.0)]))
            .collect();
        for (better, chosen) in [(Better::Lower, 2), (Better::Higher, 1)] {
            let score = Score::new("perplexity", better, "");
            let summary = summary(&entries, &[0, 1], score, &tried, &|_| true);
            assert_eq!(summary.choice("sam"), Some(chosen), "{better:?}");
            assert_eq!(
                summary.methods[0].candidates[1].validation.unwrap().mean,
                9.0
            );
        }
    }
}

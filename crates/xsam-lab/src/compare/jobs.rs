//! Which runs a comparison has, and where.

use std::ops::Range;

use super::{Comparison, Job, TuningSummary};
use crate::error::Error;
use crate::layout;
use crate::spec::CompareEntry;
use crate::tasks::Tasks;

impl<L: Tasks> Comparison<L> {
    /// How many runs there are, those that hyper-parameters are chosen by included.
    pub fn runs(&self) -> usize {
        let candidates = self.entries.iter().map(|entry| entry.candidates.len());
        let tuned: Vec<usize> = candidates.filter(|count| *count > 1).collect();
        let tried = tuned.iter().sum::<usize>() * self.seeds_to_tune.len();
        let reused = self.seeds.iter().filter(|s| self.seeds_to_tune.contains(s));
        tried + self.entries.len() * self.seeds.len() - reused.count() * tuned.len()
    }

    /// The runs from these seeds of the candidates that are `chosen` of each method.
    pub(super) fn jobs(
        &self,
        seeds: &[u64],
        chosen: impl Fn(&CompareEntry<L::Spec>) -> Range<usize>,
    ) -> Result<Vec<Job<L::Spec>>, Error> {
        let mut jobs = Vec::new();
        for &seed in seeds {
            for (m, entry) in self.entries.iter().enumerate() {
                for c in chosen(entry) {
                    jobs.push(self.job(m, c, seed)?);
                }
            }
        }
        Ok(jobs)
    }

    pub(super) fn job(&self, m: usize, c: usize, seed: u64) -> Result<Job<L::Spec>, Error> {
        let entry = &self.entries[m];
        let candidate = &entry.candidates[c];
        // A run that a choice was made by is not made again to be compared.
        let tuned = entry.candidates.len() > 1 && self.seeds_to_tune.contains(&seed);
        let own = &entry.label;
        let (label, folder, suffix) = match tuned {
            true => (
                format!("{own} with {}", candidate.words()),
                self.directory.join(layout::TUNE),
                candidate.suffix(),
            ),
            false => (own.clone(), self.directory.clone(), String::new()),
        };
        let experiment = candidate.run(seed);
        Ok(Job {
            directory: folder.join(format!("{own}{suffix}-seed{seed}")),
            label,
            // With the epochs that it is to have.
            experiment: match &self.budget {
                Some(budget) => budget.stretched(experiment)?,
                None => experiment,
            },
            entry: m,
            candidate: c,
        })
    }
}

/// The number of the candidate that a method is compared with.
pub(super) fn choice<S>(tuning: Option<&TuningSummary>, entry: &CompareEntry<S>) -> Option<usize> {
    tuning.map_or(Some(0), |tuning| tuning.choice(&entry.label))
}

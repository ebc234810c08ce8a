//! Which runs a comparison has, and where.

use super::{Comparison, Job, TuningSummary};
use crate::error::Error;
use crate::layout;
use crate::spec::{Candidate, CompareEntry, Spec};
use crate::tasks::Tasks;

impl<L: Tasks> Comparison<L> {
    /// How many runs there are, those that hyper-parameters are chosen by included.
    pub fn runs(&self) -> usize {
        let tuned = |entry: &&CompareEntry<L::Spec>| entry.candidates.len() > 1;
        let runs =
            |entry: &CompareEntry<L::Spec>| entry.candidates.len() * self.seeds_to_tune.len();
        let tried: usize = self.entries.iter().filter(tuned).map(runs).sum();
        let reused = self.seeds.iter().filter(|s| self.seeds_to_tune.contains(s));
        let reused = reused.count() * self.entries.iter().filter(tuned).count();
        tried + self.entries.len() * self.seeds.len() - reused
    }

    /// The runs of all candidates of the methods that have several.
    pub(super) fn candidates(&self) -> Result<Vec<Job<L::Spec>>, Error> {
        let mut jobs = Vec::new();
        for &seed in &self.seeds_to_tune {
            for (m, entry) in self.entries.iter().enumerate() {
                for c in 0..entry.candidates.len() {
                    if entry.candidates.len() > 1 {
                        jobs.push(self.job(m, c, seed)?);
                    }
                }
            }
        }
        Ok(jobs)
    }

    /// The runs that are compared, of the candidates that were chosen.
    pub(super) fn compared(
        &self,
        tuning: Option<&TuningSummary>,
    ) -> Result<Vec<Job<L::Spec>>, Error> {
        let mut jobs = Vec::new();
        for &seed in &self.seeds {
            for (m, entry) in self.entries.iter().enumerate() {
                if let Some(c) = choice(tuning, entry) {
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
        let (label, folder) = match tuned {
            true => (
                format!("{} with {}", entry.label, candidate.words()),
                self.directory.join(layout::TUNE),
            ),
            false => (entry.label.clone(), self.directory.clone()),
        };
        let suffix = if tuned {
            candidate.suffix()
        } else {
            String::new()
        };
        Ok(Job {
            label,
            spec: self.spec(candidate, seed)?,
            directory: folder.join(format!("{}{suffix}-seed{seed}", entry.label)),
            entry: m,
            candidate: c,
        })
    }

    /// The run of a candidate, as it is asked for, with the epochs that it is to have.
    pub(super) fn spec(
        &self,
        candidate: &Candidate<L::Spec>,
        seed: u64,
    ) -> Result<Spec<L::Spec>, Error> {
        let spec = candidate.run(seed);
        match &self.budget {
            Some(budget) => budget.stretched(spec),
            None => Ok(spec),
        }
    }
}

/// The number of the candidate that a method is compared with.
pub(super) fn choice<S>(tuning: Option<&TuningSummary>, entry: &CompareEntry<S>) -> Option<usize> {
    tuning.map_or(Some(0), |tuning| tuning.choice(&entry.label))
}

//! Which runs a comparison has, in which order, and where.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::budget::Budget;
use super::{Job, TuningSummary};
use crate::error::Error;
use crate::layout;
use crate::spec::{Compare, CompareEntry, Spec, SpecError, TaskSpec};

/// The runs of a comparison.
#[derive(Debug)]
pub(super) struct Runs<S> {
    pub(super) entries: Vec<CompareEntry<S>>,
    pub(super) seeds: Vec<u64>,
    pub(super) seeds_to_tune: Vec<u64>,
    /// Whether candidates are left out on the way.
    pub(super) halving: bool,
    pub(super) budget: Option<Budget>,
    pub(super) directory: PathBuf,
}

/// A run, of which the hyper-parameters may not be chosen yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Which of the methods.
    pub(super) entry: usize,
    /// Which of its candidates, if it is one that is chosen from; otherwise the one that is chosen.
    pub(super) candidate: Option<usize>,
    pub(super) seed: u64,
}

impl<S: TaskSpec> Runs<S> {
    /// Those of `compare` on the experiment `spec`, before the data are looked at.
    pub(super) fn new(
        spec: &Spec<S>,
        compare: &Compare,
        directory: &Path,
    ) -> Result<Self, SpecError> {
        Ok(Self {
            entries: compare.entries(spec)?,
            seeds: compare.seeds.clone(),
            seeds_to_tune: compare.seeds_to_tune().to_vec(),
            halving: compare.halving,
            budget: None,
            directory: directory.to_owned(),
        })
    }

    /// A spec of each candidate, with the epochs that it is asked for.
    pub(super) fn specs(&self) -> Vec<Spec<S>> {
        let candidates = self.entries.iter().flat_map(|entry| &entry.candidates);
        candidates.map(|candidate| candidate.run(0).spec).collect()
    }

    /// All runs in the order in which they are made: first those that hyper-parameters are chosen by.
    pub(super) fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        for &seed in &self.seeds_to_tune {
            for (entry, of) in self.entries.iter().enumerate() {
                let candidates = several(of).map(Some);
                turns.extend(candidates.map(|candidate| Turn {
                    entry,
                    candidate,
                    seed,
                }));
            }
        }
        for &seed in &self.seeds {
            let own = (0..self.entries.len()).filter(|&entry| !self.is_tuned_on(entry, seed));
            turns.extend(own.map(|entry| Turn {
                entry,
                candidate: None,
                seed,
            }));
        }
        turns
    }

    /// Whether the runs of a method from this seed are those of its candidates. A run that a choice was made by is not
    /// made again to be compared.
    fn is_tuned_on(&self, entry: usize, seed: u64) -> bool {
        !several(&self.entries[entry]).is_empty() && self.seeds_to_tune.contains(&seed)
    }

    /// The runs that hyper-parameters are chosen by: from these seeds, of the candidates that are `left` of a method.
    pub(super) fn trials(
        &self,
        seeds: &[u64],
        left: &dyn Fn(usize) -> Vec<usize>,
    ) -> Result<Vec<Job<S>>, Error> {
        self.jobs(seeds, |m, entry| match several(entry).is_empty() {
            true => Vec::new(),
            false => left(m),
        })
    }

    /// How many runs there are at most, those of candidates included; fewer if some fail.
    pub(super) fn count(&self) -> usize {
        let all = self.turns().len();
        if !self.halving {
            return all;
        }
        let trials = self.entries.iter().map(|entry| several(entry).len());
        let grid: usize = trials.clone().sum::<usize>() * self.seeds_to_tune.len();
        let halved = |count: usize| {
            let rungs = std::iter::successors(Some(count), |left| Some(left.div_ceil(2)));
            rungs.take(self.seeds_to_tune.len()).sum::<usize>()
        };
        all - grid + trials.map(halved).sum::<usize>()
    }

    /// The runs that are compared, of the methods for which it is known with which candidate.
    pub(super) fn compared(&self, tuning: Option<&TuningSummary>) -> Result<Vec<Job<S>>, Error> {
        self.jobs(&self.seeds, |_, entry| {
            choice(tuning, entry).into_iter().collect()
        })
    }

    /// The runs from these seeds of the candidates that are `chosen` of each method.
    fn jobs(
        &self,
        seeds: &[u64],
        chosen: impl Fn(usize, &CompareEntry<S>) -> Vec<usize>,
    ) -> Result<Vec<Job<S>>, Error> {
        let mut jobs = Vec::new();
        for &seed in seeds {
            for (m, entry) in self.entries.iter().enumerate() {
                for c in chosen(m, entry) {
                    jobs.push(self.job(m, c, seed)?);
                }
            }
        }
        Ok(jobs)
    }

    pub(super) fn job(&self, m: usize, c: usize, seed: u64) -> Result<Job<S>, Error> {
        let entry = &self.entries[m];
        let candidate = &entry.candidates[c];
        let own = &entry.label;
        let (label, folder, suffix) = match self.is_tuned_on(m, seed) {
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

/// The numbers of the candidates of a method, if there is something to choose.
fn several<S>(entry: &CompareEntry<S>) -> Range<usize> {
    match entry.candidates.len() {
        1 => 0..0,
        count => 0..count,
    }
}

/// The number of the candidate that a method is compared with.
pub(super) fn choice<S>(tuning: Option<&TuningSummary>, entry: &CompareEntry<S>) -> Option<usize> {
    tuning.map_or(Some(0), |tuning| tuning.choice(&entry.label))
}

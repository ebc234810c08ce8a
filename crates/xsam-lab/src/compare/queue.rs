//! A comparison whose runs are made one by one, by number, for queues: each process makes one, and another collects what
//! they have made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::jobs::{Runs, Turn, choice};
use super::tuning::Tried;
use super::{Comparison, ComparisonSummary, Outcome};
use crate::error::Error;
use crate::event::Listener;
use crate::lock::Lock;
use crate::run::Run;
use crate::spec::{Compare, CompareEntry, Spec, SpecError, TaskSpec};
use crate::stop::StopSignal;
use crate::summary::{RunSummary, Status};
use crate::tasks::Tasks;

/// A run of a comparison, and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRun {
    /// Its number, from 0.
    pub index: usize,
    /// The label of its method, with the values of a candidate.
    pub label: String,
    /// Seed of the run.
    pub seed: u64,
    /// Directory the run is made in.
    pub directory: PathBuf,
    /// Whether hyper-parameters are chosen by it.
    pub tunes: bool,
    /// How it stands; none before it has begun. One that was killed was interrupted, as far as the system can tell.
    pub status: Option<Status>,
}

/// A run that was made by its number.
#[derive(Debug)]
pub struct IndexedRun {
    /// The label of its method, with the values of a candidate.
    pub label: String,
    /// Directory the run is made in.
    pub directory: PathBuf,
    /// What became of it.
    pub summary: RunSummary,
}

/// What was collected of a comparison.
#[derive(Debug)]
pub struct Collected {
    /// What there is so far.
    pub summary: ComparisonSummary,
    /// The numbers of the runs that are not finished, without those of candidates that are out because they failed.
    pub missing: Vec<usize>,
}

/// The runs of `compare` on the experiment `spec` in `directory`, in the order of their numbers: those that
/// hyper-parameters are chosen by come first.
///
/// # Errors
/// If a spec cannot be, or what is in the directory cannot be read.
pub fn list_runs<S: TaskSpec>(
    spec: &Spec<S>,
    compare: &Compare,
    directory: &Path,
) -> Result<Vec<ListedRun>, Error> {
    refuse_halving(compare)?;
    let runs = Runs::new(spec, compare, directory)?;
    let turns = runs.turns().into_iter().enumerate();
    let listed = turns.map(|(index, turn)| {
        // Where it is does not depend on what is chosen.
        let job = runs.job(turn.entry, turn.candidate.unwrap_or_default(), turn.seed)?;
        let status = job.begun()?.map(|summary| match summary.status {
            Status::Running if !Lock::is_taken(&job.directory) => Status::Interrupted,
            status => status,
        });
        Ok(ListedRun {
            index,
            label: job.label,
            seed: turn.seed,
            directory: job.directory,
            tunes: turn.candidate.is_some(),
            status,
        })
    });
    listed.collect()
}

/// Refuses what a queue cannot do.
pub(super) fn refuse_halving(compare: &Compare) -> Result<(), SpecError> {
    let message = "goes by what has come out so far, and a queue makes runs in any order: leave it out, or make the runs with \
                   --jobs or --launch";
    match compare.halving {
        true => Err(SpecError::new("compare.halving", message)),
        false => Ok(()),
    }
}

/// The runs of candidates.
#[derive(Default)]
struct Trials {
    finished: Tried,
    /// Why others have failed.
    outcome: Outcome,
    /// Numbers of runs that are not over.
    missing: Vec<usize>,
    /// Methods of which some are not.
    incomplete: BTreeSet<usize>,
}

impl<L: Tasks> Comparison<L> {
    /// The run of a number.
    pub(super) fn turn(&self, index: usize) -> Result<Turn, Error> {
        let turns = self.runs.turns();
        let turn = turns.get(index).copied();
        turn.ok_or(Error::NoSuchRun {
            index,
            count: turns.len(),
        })
    }

    /// Makes the run of this number, from 0, in the order of [`list_runs`], unless it is finished. One that was interrupted
    /// goes on.
    ///
    /// # Errors
    /// If there is no such run, another process makes it, or runs are missing by which its hyper-parameters are chosen;
    /// those of [`Run::prepare`] and [`Run::train`].
    pub fn run_index(
        &self,
        index: usize,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<IndexedRun, Error> {
        let turn = self.turn(index)?;
        let candidate = match turn.candidate {
            Some(c) => c,
            None => self.chosen(turn.entry)?,
        };
        let job = self.runs.job(turn.entry, candidate, turn.seed)?;
        let summary = match self.recorded(&job)? {
            Some(run) => run.summary,
            None => {
                let (experiment, directory) = (job.experiment, &job.directory);
                let (terms, owner, shared) = (self.terms, &self.owner, &self.shared);
                let run = Run::of_comparison::<L>(experiment, directory, terms, owner, shared)?;
                run.train(stop, listener)?
            }
        };
        Ok(IndexedRun {
            label: job.label,
            directory: job.directory,
            summary,
        })
    }

    /// The candidate that a method is compared with.
    fn chosen(&self, entry: usize) -> Result<usize, Error> {
        let trials = self.trials(|turn| turn.entry == entry)?;
        let of = &self.runs.entries[entry];
        let label = of.label.clone();
        if !trials.missing.is_empty() {
            let missing = trials.missing;
            return Err(Error::NotTuned { label, missing });
        }
        let tuning = (self.is_tuned).then(|| self.tuning(&trials.finished, &|m| m == entry));
        choice(tuning.as_ref(), of).ok_or(Error::NothingChosen { label })
    }

    /// How the runs of candidates stand, of the turns that are `asked` for.
    fn trials(&self, asked: impl Fn(Turn) -> bool) -> Result<Trials, Error> {
        let mut trials = Trials::default();
        for (index, turn) in self.runs.turns().into_iter().enumerate() {
            let Some(c) = turn.candidate.filter(|_| asked(turn)) else {
                continue;
            };
            let job = self.runs.job(turn.entry, c, turn.seed)?;
            if let Some(run) = self.recorded(&job)? {
                let of = trials.finished.entry((turn.entry, c)).or_default();
                of.push(run);
            } else if let Some(reason) = job.failure()? {
                trials.outcome.fail(&job, &reason);
            } else {
                trials.missing.push(index);
                trials.incomplete.insert(turn.entry);
            }
        }
        // A candidate that diverges is not a good one, and that is all.
        trials.outcome.failed = false;
        Ok(trials)
    }

    /// Writes table and plots of the runs that are finished, whoever has made them.
    ///
    /// # Errors
    /// If a file cannot be read or written, or a run of another spec is in the way.
    pub fn collect(&self) -> Result<Collected, Error> {
        let Trials {
            finished,
            mut outcome,
            mut missing,
            incomplete,
        } = self.trials(|_| true)?;
        let is_complete = |m: usize| !incomplete.contains(&m);
        let tuning = (self.is_tuned).then(|| self.tuning(&finished, &is_complete));
        let mut done = Vec::new();
        let mut there = BTreeSet::new();
        let mut failed = BTreeSet::new();
        for job in self.runs.compared(tuning.as_ref())? {
            let run = (job.entry, job.spec().train.seed);
            if let Some(recorded) = self.recorded(&job)? {
                there.insert(run);
                done.push((job.entry, recorded));
            } else if let Some(reason) = job.failure()? {
                failed.insert(run);
                outcome.fail(&job, &reason);
            }
        }
        let mut is_over = missing.is_empty();
        let undecided = |entry: usize| choice(tuning.as_ref(), &self.runs.entries[entry]).is_none();
        for (index, turn) in self.runs.turns().into_iter().enumerate() {
            let run = (turn.entry, turn.seed);
            // There is none of a method without a candidate that could be run.
            let has_none = undecided(turn.entry) && is_complete(turn.entry);
            if turn.candidate.is_none() && !there.contains(&run) && !has_none {
                missing.push(index);
                is_over &= failed.contains(&run);
            }
        }
        for (entry, CompareEntry { label, .. }) in self.runs.entries.iter().enumerate() {
            if undecided(entry) && is_complete(entry) {
                outcome.fail_all(label);
            }
        }
        let status = match is_over {
            true => outcome.status(),
            false => Status::Running,
        };
        let summary = self.report(status, outcome, tuning, &done)?;
        Ok(Collected { summary, missing })
    }
}

//! A comparison: several methods, several seeds, one table.

mod aggregate;
mod budget;
mod checks;
mod csv;
mod job;
mod jobs;
mod summary;
mod tuning;
mod workers;

use std::fs::File;
use std::path::{Path, PathBuf};

use xsam_files::Owner;

pub use job::{Job, JobEvent, serve};
pub use summary::{ComparisonSummary, MethodSummary, RunWarnings};
pub use tuning::{CandidateSummary, TunedMethod, TuningSummary};
pub use workers::{JobListener, Workers};

use crate::error::Error;
use crate::event::Listener;
use crate::files::{self, Terms};
use crate::fingerprint::Fingerprint;
use crate::format::check_release;
use crate::layout;
use crate::output::Output;
use crate::place::Place;
use crate::run::Run;
use crate::score::{Score, compared};
use crate::shared::Shared;
use crate::spec::{About, Compare, CompareEntry, Spec};
use crate::stop::StopSignal;
use crate::summary::{Recorded, RunSummary, Status};
use crate::tasks::Tasks;

use budget::Budget;
pub use budget::passes;
use checks::{Checks, Finished};
use job::Order;
use jobs::choice;
use tuning::Tried;

/// The runs of a comparison and their directory.
#[derive(Debug)]
pub struct Comparison<L: Tasks> {
    entries: Vec<CompareEntry<L::Spec>>,
    seeds: Vec<u64>,
    seeds_to_tune: Vec<u64>,
    about: About,
    /// What models of the data are scored by.
    scores: Vec<Score>,
    is_tuned: bool,
    budget: Option<Budget>,
    directory: PathBuf,
    terms: Terms,
    shared: Shared,
    data: Option<Fingerprint>,
    owner: Owner,
    /// Held for as long as runs are made.
    _output: Output,
}

/// What became of runs, apart from what their directories say.
#[derive(Debug, Default)]
struct Outcome {
    /// There is more to do, but it was asked to stop.
    stopped: bool,
    /// Something that was to be done could not be.
    failed: bool,
    failures: Vec<String>,
}

impl Outcome {
    fn fail<S>(&mut self, job: &Job<S>, reason: &str) {
        let (label, seed) = (&job.label, job.spec().train.seed);
        self.failed = true;
        self.failures
            .push(format!("{label}, seed {seed}: {reason}"));
    }

    fn add(&mut self, other: Self) {
        self.stopped |= other.stopped;
        self.failed |= other.failed;
        self.failures.extend(other.failures);
    }

    fn status(&self) -> Status {
        match (self.stopped, self.failed) {
            (true, _) => Status::Interrupted,
            (false, true) => Status::Failed,
            (false, false) => Status::Finished,
        }
    }
}

/// Makes the runs that are not finished.
type Perform<'a, S> = dyn FnMut(&[Job<S>]) -> Result<Outcome, Error> + 'a;

/// A run, and what is recorded of it.
type Ended<'a, S> = (&'a Job<S>, Recorded);

impl<L: Tasks> Comparison<L> {
    /// Prepares the runs of `compare` on the experiment `spec`, in subdirectories of `directory`.
    ///
    /// # Errors
    /// If a spec cannot be, this build or this machine does not have its device, the data cannot be loaded, the
    /// directory exists and `terms` do not say what to do with it, or somebody is at work in it or on one of its runs.
    pub fn prepare(
        spec: &Spec<L::Spec>,
        compare: &Compare,
        directory: &Path,
        terms: impl Into<Terms>,
    ) -> Result<Self, Error> {
        let terms = terms.into();
        let entries = compare.entries(spec)?;
        let text = compare.to_toml(spec)?;
        Place::of(spec)?;
        if terms.existing.goes_on() {
            check_release(directory)?;
        }
        // A comparison that was killed at its very start has its spec and no marker yet.
        let spec_file = directory.join(layout::SPEC);
        let begun = terms.existing.goes_on()
            && !directory.join(layout::COMPARISON).exists()
            && files::read(&spec_file).is_ok_and(|was| was == text);
        let marker = if begun {
            layout::SPEC
        } else {
            layout::COMPARISON
        };
        let owner = Owner::this_process();
        let output = Output::of_comparison(directory, terms.existing, marker, &owner)?;
        let candidates = entries.iter().flat_map(|entry| &entry.candidates);
        let specs: Vec<_> = candidates.map(|candidate| candidate.run(0).spec).collect();
        if !terms.existing.goes_on() {
            // Not after the runs before it. Those that have begun have no need of it.
            for file in specs.iter().filter_map(|spec| spec.train.init.as_ref()) {
                File::open(file).map_err(Error::file("read", file))?;
            }
        }
        let shared = Shared::default();
        let checks = Checks {
            specs: &specs,
            count_steps: compare.equal_compute,
            shared: &shared,
        };
        let (data, steps, scores) = L::visit(&spec.task, checks)?;
        let budget = steps.map(|steps| Budget::of(&specs, steps));
        output.clear()?;
        let comparison = Self {
            about: spec.clone().resolved()?.about(),
            entries,
            seeds: compare.seeds.clone(),
            seeds_to_tune: compare.seeds_to_tune().to_vec(),
            scores,
            is_tuned: !compare.tune.is_empty(),
            budget,
            directory: directory.to_owned(),
            terms,
            shared,
            data,
            owner,
            _output: output,
        };
        files::write(&spec_file, &text)?;
        let nothing = (comparison.is_tuned).then(|| comparison.tuning(&Tried::new(), false));
        let summary = comparison.summary(Status::Running, nothing, &[])?;
        summary.write(directory)?;
        Ok(comparison)
    }

    /// Makes the runs one after the other, seed by seed, and writes table and plots. Finished runs are not
    /// repeated.
    ///
    /// If `stop` asks for an end, the table is of what is finished. A run that diverges is told in
    /// the summary, and the others go on.
    ///
    /// # Errors
    /// If data or model cannot be made, a file cannot be written, or a run of another spec is in the way.
    pub fn run(
        &self,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<ComparisonSummary, Error> {
        self.all(&mut |jobs| {
            let mut outcome = Outcome::default();
            for job in jobs {
                let (experiment, terms) = (job.experiment.clone(), self.terms);
                let (owner, shared) = (&self.owner, &self.shared);
                let run =
                    Run::of_comparison::<L>(experiment, &job.directory, terms, owner, shared)?;
                match run.train(stop, listener) {
                    Ok(summary) if summary.status == Status::Finished => {}
                    Ok(_) => {
                        outcome.stopped = true;
                        break;
                    }
                    Err(error @ Error::Step { .. }) => outcome.fail(job, &error.to_string()),
                    Err(error) => return Err(error),
                }
            }
            Ok(outcome)
        })
    }

    /// The same with several runs at a time, each in a process of its own. With as many threads a run the
    /// results are those of [`Self::run`], bit for bit.
    ///
    /// A process that fails or crashes is told in the summary, and the others go on. If `stop` asks for an end,
    /// or one of the processes is asked, all of them stop after the step or batch they are at.
    ///
    /// # Errors
    /// If a process cannot be started, a file cannot be written, or a run of another spec is in the way.
    pub fn run_parallel(
        &self,
        workers: &Workers,
        stop: &StopSignal,
        listener: &mut JobListener<'_, L::Spec>,
    ) -> Result<ComparisonSummary, Error> {
        let order = |job: &Job<L::Spec>| Order {
            spec: job.experiment.asked.clone(),
            directory: job.directory.clone(),
            terms: self.terms,
            comparison: self.directory.clone(),
            owner: self.owner.clone(),
        };
        self.all(&mut |jobs| workers.perform(jobs, &order, stop, listener))
    }

    fn all(&self, perform: &mut Perform<'_, L::Spec>) -> Result<ComparisonSummary, Error> {
        let mut outcome = Outcome::default();
        let tuning = match self.is_tuned {
            true => Some(self.tune(&mut outcome, perform)?),
            false => None,
        };
        let mut done = Vec::new();
        if !outcome.stopped {
            let chosen =
                |entry: &CompareEntry<_>| choice(tuning.as_ref(), entry).map_or(0..0, |c| c..c + 1);
            let jobs = self.jobs(&self.seeds, chosen)?;
            for (job, run) in self.finish(&jobs, &mut outcome, perform)? {
                done.push((job.entry, run));
            }
        }
        self.report(outcome, tuning, &done)
    }

    /// Makes the runs of all candidates, and chooses.
    fn tune(
        &self,
        outcome: &mut Outcome,
        perform: &mut Perform<'_, L::Spec>,
    ) -> Result<TuningSummary, Error> {
        let several = |entry: &CompareEntry<_>| match entry.candidates.len() {
            1 => 0..0,
            count => 0..count,
        };
        let jobs = self.jobs(&self.seeds_to_tune, several)?;
        let mut trials = Outcome::default();
        let mut tried = Tried::new();
        for (job, run) in self.finish(&jobs, &mut trials, perform)? {
            let of = tried.entry((job.entry, job.candidate)).or_default();
            of.push(run);
        }
        // A candidate that diverges is not a good one, and that is all. One whose run has ended otherwise might
        // have been.
        trials.failed = false;
        for job in &jobs {
            let begun = job.directory.join(layout::RUN).exists();
            trials.failed |= !begun || RunSummary::read(&job.directory)?.status == Status::Running;
        }
        let chosen = self.tuning(&tried, !trials.stopped);
        let none = chosen.methods.iter().map(|method| &method.label);
        let none = none.filter(|label| !trials.stopped && chosen.choice(label).is_none());
        let reason = "none of its candidates could be run from every seed";
        for label in none {
            trials.failed = true;
            trials.failures.push(format!("{label}: {reason}"));
        }
        outcome.add(trials);
        Ok(chosen)
    }

    /// Makes those of the runs that are not finished, and gives all that are then.
    fn finish<'a>(
        &self,
        jobs: &'a [Job<L::Spec>],
        outcome: &mut Outcome,
        perform: &mut Perform<'_, L::Spec>,
    ) -> Result<Vec<Ended<'a, L::Spec>>, Error> {
        let recorded = |job: &Job<L::Spec>| {
            let finished = Finished {
                job,
                data: self.data.as_ref(),
                terms: self.terms,
            };
            L::visit(&job.spec().task, finished)
        };
        // All of them before the first is made: a run that is in the way is told now, not after hours.
        let runs = jobs.iter().map(recorded).collect::<Result<Vec<_>, _>>()?;
        let missing = jobs.iter().zip(&runs).filter(|(_, run)| run.is_none());
        let missing: Vec<Job<L::Spec>> = missing.map(|(job, _)| job.clone()).collect();
        outcome.add(perform(&missing)?);
        let mut finished = Vec::new();
        for (job, run) in jobs.iter().zip(runs) {
            let run = run.map_or_else(|| recorded(job), |run| Ok(Some(run)))?;
            finished.extend(run.map(|run| (job, run)));
        }
        Ok(finished)
    }

    fn tuning(&self, tried: &Tried, complete: bool) -> TuningSummary {
        let (seeds, score) = (&self.seeds_to_tune, compared(&self.scores));
        tuning::summary(&self.entries, seeds, score, tried, complete)
    }

    fn report(
        &self,
        outcome: Outcome,
        tuning: Option<TuningSummary>,
        done: &[(usize, Recorded)],
    ) -> Result<ComparisonSummary, Error> {
        let mut summary = self.summary(outcome.status(), tuning, done)?;
        summary.failures = outcome.failures;
        let labelled = done.iter().map(|(m, run)| (&*self.entries[*m].label, run));
        let methods = ("methods.csv", csv::methods(&summary));
        let runs = ("runs.csv", csv::runs(&self.scores, labelled));
        let tuned = summary.tuning.as_ref();
        let tuned = tuned.map(|tuning| ("tuning.csv", csv::tuning(tuning)));
        for (file, text) in [methods, runs].into_iter().chain(tuned) {
            files::write(&self.directory.join(file), &text)?;
            summary.files.push(file.to_owned());
        }
        summary.files.push(layout::COMPARISON.to_owned());
        summary.warnings = other_data(done);
        let odd = summary.odd_means().into_iter();
        let odd = odd.filter_map(|(sentence, is_told)| (!is_told).then_some(sentence));
        summary.warnings.extend(odd);
        summary.write(&self.directory)?;
        Ok(summary)
    }
}

/// What is to be told of runs whose data are not those that are there now.
fn other_data(done: &[(usize, Recorded)]) -> Vec<String> {
    let others = || done.iter().filter_map(|(_, run)| run.differences.as_ref());
    let mut told = Vec::new();
    for differences in others() {
        let runs = others().filter(|other| *other == differences).count();
        let sentence = format!(
            "{runs} of {} runs were made from other data than are there now: {differences}",
            done.len()
        );
        if !told.contains(&sentence) {
            told.push(sentence);
        }
    }
    told
}

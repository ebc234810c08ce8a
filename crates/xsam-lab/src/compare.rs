//! A comparison: several methods, several seeds, one table.

mod aggregate;
mod budget;
mod checks;
mod csv;
mod job;
mod jobs;
mod launcher;
mod pairs;
mod prepare;
mod queue;
mod sentences;
mod summary;
mod sweep;
mod tuning;
mod workers;

use std::env;
use std::path::Path;

use xsam_files::Owner;

pub use job::{Job, JobEvent, serve};
pub use launcher::{Launcher, LauncherError};
pub use pairs::Pair;
#[cfg(fuzzing)]
pub(crate) use prepare::same_spec;
pub use queue::{Collected, IndexedRun, ListedRun, list_runs};
pub use summary::{ComparisonSummary, MethodSummary, RunWarnings};
pub use sweep::{SweepSlice, SweepSummary, SweptField, SweptMethod, number};
pub use tuning::{CandidateSummary, TunedMethod, TuningSummary};
pub use workers::{JobListener, Workers};

use crate::error::Error;
use crate::event::Listener;
use crate::files::{self, Terms};
use crate::fingerprint::Fingerprint;
use crate::layout;
use crate::output::Output;
use crate::run::Run;
use crate::score::{Score, compared};
use crate::shared::Shared;
use crate::spec::About;
use crate::stop::StopSignal;
use crate::summary::{Recorded, Status};
use crate::tasks::Tasks;

pub use budget::passes;
use checks::Finished;
use job::Order;
use jobs::Runs;
use tuning::Tried;

/// The runs of a comparison and their directory.
#[derive(Debug)]
pub struct Comparison<L: Tasks> {
    runs: Runs<L::Spec>,
    about: About,
    /// What models of the data are scored by.
    scores: Vec<Score>,
    is_tuned: bool,
    /// What is swept, before anything has come out.
    sweep: Option<SweepSummary>,
    terms: Terms,
    shared: Shared,
    data: Option<Fingerprint>,
    owner: Owner,
    /// Held for as long as runs are made.
    output: Option<Output>,
}

/// What became of runs, apart from what their directories say.
#[derive(Debug, Default)]
struct Outcome {
    /// There is more to do, but it was asked to stop.
    stopped: bool,
    /// Something that was to be done could not be.
    failed: bool,
    failures: Vec<String>,
    warnings: Vec<String>,
}

impl Outcome {
    fn fail<S>(&mut self, job: &Job<S>, reason: &str) {
        self.failed = true;
        self.failures.push(format!("{}: {reason}", job.name()));
    }

    /// There is no candidate of a method to compare it with.
    fn fail_all(&mut self, label: &str) {
        let label = label.to_owned();
        self.failed = true;
        self.failures
            .push(Error::NothingChosen { label }.to_string());
    }

    fn add(&mut self, other: Self) {
        self.stopped |= other.stopped;
        self.failed |= other.failed;
        self.failures.extend(other.failures);
        self.warnings.extend(other.warnings);
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
    /// How many runs there are, those that hyper-parameters are chosen by included.
    pub fn runs(&self) -> usize {
        self.runs.count()
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
    /// A run that fails is told in the summary, and the others go on. One whose process dies is gone on with once, by
    /// another process. If `stop` asks for an end, or one of the processes is asked, all of them stop after the step or batch
    /// they are at.
    ///
    /// # Errors
    /// If a process cannot be started, a launcher ends before it has started any, a file cannot be written, or a run of
    /// another spec is in the way.
    pub fn run_parallel(
        &self,
        workers: &Workers,
        stop: &StopSignal,
        listener: &mut JobListener<'_, L::Spec>,
    ) -> Result<ComparisonSummary, Error> {
        let here = env::current_dir().map_err(Error::file("find", Path::new(".")))?;
        let order = |job: &Job<L::Spec>, is_begun: bool| Order {
            spec: job.experiment.asked.clone(),
            directory: job.directory.clone(),
            terms: match is_begun {
                true => self.terms.going_on(),
                false => self.terms,
            },
            comparison: self.runs.directory.clone(),
            owner: self.owner.clone(),
            here: here.clone(),
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
            let jobs = self.runs.compared(tuning.as_ref())?;
            for (job, run) in self.finish(&jobs, &mut outcome, perform)? {
                done.push((job.entry, run));
            }
        }
        self.report(outcome.status(), outcome, tuning, &done)
    }

    /// Makes the runs of all candidates, and chooses.
    fn tune(
        &self,
        outcome: &mut Outcome,
        perform: &mut Perform<'_, L::Spec>,
    ) -> Result<TuningSummary, Error> {
        let mut trials = Outcome::default();
        let mut tried = Tried::new();
        let mut jobs = Vec::new();
        let seeds = &self.runs.seeds_to_tune;
        // With halving what is made from a seed depends on what came out from those before it.
        let rung = if self.runs.halving {
            1
        } else {
            seeds.len().max(1)
        };
        let mut made_from = 0;
        for of_rung in seeds.chunks(rung) {
            let left = |m: usize| {
                let out = self.left_out(m, made_from, &tried).into_iter().enumerate();
                out.filter_map(|(c, out)| out.is_none().then_some(c))
                    .collect()
            };
            let made = self.runs.trials(of_rung, &left)?;
            for (job, run) in self.finish(&made, &mut trials, perform)? {
                let of = tried.entry((job.entry, job.candidate)).or_default();
                of.push(run);
            }
            jobs.extend(made);
            if trials.stopped {
                break;
            }
            made_from += of_rung.len();
        }
        // A candidate that diverges is not a good one, and that is all. One whose run has ended otherwise might
        // have been.
        trials.failed = false;
        for job in &jobs {
            let summary = job.begun()?;
            trials.failed |= summary.is_none_or(|summary| summary.status == Status::Running);
        }
        let is_complete = !trials.stopped;
        let mut chosen = self.tuning(&tried, &|_| is_complete);
        if self.runs.halving {
            // After the last seed there is the choice.
            let seeds = made_from.min(seeds.len() - 1);
            for method in &mut chosen.methods {
                let mut entries = self.runs.entries.iter();
                let m = entries.position(|entry| entry.label == method.label);
                let out = m
                    .map(|m| self.left_out(m, seeds, &tried))
                    .unwrap_or_default();
                for (candidate, out) in method.candidates.iter_mut().zip(out) {
                    candidate.left_out_after = out;
                }
            }
        }
        let none = chosen.methods.iter().map(|method| &method.label);
        for label in none.filter(|label| is_complete && chosen.choice(label).is_none()) {
            trials.fail_all(label);
        }
        outcome.add(trials);
        Ok(chosen)
    }

    /// After how many of so many seeds each candidate of a method was left out.
    fn left_out(&self, m: usize, seeds: usize, tried: &Tried) -> Vec<Option<usize>> {
        let (entry, score) = (&self.runs.entries[m], compared(&self.scores));
        let seeds = &self.runs.seeds_to_tune[..seeds];
        tuning::left_out(entry, seeds, &score, &|c| {
            tried.get(&(m, c)).map_or(&[], Vec::as_slice)
        })
    }

    /// Makes those of the runs that are not finished, and gives all that are then.
    fn finish<'a>(
        &self,
        jobs: &'a [Job<L::Spec>],
        outcome: &mut Outcome,
        perform: &mut Perform<'_, L::Spec>,
    ) -> Result<Vec<Ended<'a, L::Spec>>, Error> {
        // All of them before the first is made: a run that is in the way is told now, not after hours.
        let runs = jobs.iter().map(|job| self.recorded(job));
        let runs = runs.collect::<Result<Vec<_>, _>>()?;
        let missing = jobs.iter().zip(&runs).filter(|(_, run)| run.is_none());
        let missing: Vec<Job<L::Spec>> = missing.map(|(job, _)| job.clone()).collect();
        outcome.add(perform(&missing)?);
        let mut finished = Vec::new();
        for (job, run) in jobs.iter().zip(runs) {
            let run = run.map_or_else(|| self.recorded(job), |run| Ok(Some(run)))?;
            finished.extend(run.map(|run| (job, run)));
        }
        Ok(finished)
    }

    /// The run of a job, if it is finished.
    fn recorded(&self, job: &Job<L::Spec>) -> Result<Option<Recorded>, Error> {
        let finished = Finished {
            job,
            data: self.data.as_ref(),
            terms: self.terms,
        };
        L::visit(&job.spec().task, finished)
    }

    /// What is chosen of the methods, by their numbers, whose candidates have all been tried.
    fn tuning(&self, tried: &Tried, is_complete: &dyn Fn(usize) -> bool) -> TuningSummary {
        let (seeds, score) = (&self.runs.seeds_to_tune, compared(&self.scores));
        tuning::summary(&self.runs.entries, seeds, score, tried, is_complete)
    }

    fn report(
        &self,
        status: Status,
        outcome: Outcome,
        tuning: Option<TuningSummary>,
        done: &[(usize, Recorded)],
    ) -> Result<ComparisonSummary, Error> {
        let directory = &self.runs.directory;
        let mut summary = self.summary(status, tuning, done)?;
        summary.failures = outcome.failures;
        let labelled = done
            .iter()
            .map(|(m, run)| (&*self.runs.entries[*m].label, run));
        let methods = ("methods.csv", csv::methods(&summary));
        let runs = ("runs.csv", csv::runs(&self.scores, labelled));
        let tuned = summary.tuning.as_ref();
        let tuned = tuned.map(|tuning| ("tuning.csv", csv::tuning(tuning)));
        for (file, text) in [methods, runs].into_iter().chain(tuned) {
            files::write(&directory.join(file), &text)?;
            summary.files.push(file.to_owned());
        }
        summary.files.push(layout::COMPARISON.to_owned());
        summary.warnings = outcome.warnings;
        summary.warnings.extend(other_data(done));
        let odd = summary.odd_means().into_iter();
        let odd = odd.filter_map(|(sentence, is_told)| (!is_told).then_some(sentence));
        summary.warnings.extend(odd);
        summary.write(directory)?;
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

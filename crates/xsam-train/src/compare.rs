//! A comparison: several methods, several seeds, one table.

mod budget;
mod csv;
mod job;
mod jobs;
mod summary;
mod tuning;
mod workers;

use std::fs::File;
use std::path::{Path, PathBuf};

use xsam_data::{Dataset, Fingerprint, Owner};

pub use job::{Job, JobEvent, serve};
pub use summary::{ComparisonSummary, MethodSummary, RunWarnings};
pub use tuning::{CandidateSummary, TunedMethod, TuningMeasure, TuningSummary};
pub use workers::{JobListener, Workers};

use crate::back_end::check_device;
use crate::curve::over_epochs;
use crate::error::Error;
use crate::event::{Listener, StopSignal};
use crate::files::{self, Terms};
use crate::json;
use crate::metrics::Metrics;
use crate::output::Output;
use crate::plot::{self, Drawn, Line, Lines, Words};
use crate::run::Run;
use crate::spec::{Compare, CompareEntry, Spec};
use crate::statistics::mean;
use crate::summary::{MARKER as RUN_MARKER, Recorded, RunSummary, SPEC_FILE, Status};

use budget::{Budget, passes};
use job::Order;
use tuning::Tried;

/// File that every directory of a comparison has.
pub(crate) const MARKER: &str = "compare.json";

/// The runs of a comparison and their directory.
#[derive(Debug)]
pub struct Comparison {
    entries: Vec<CompareEntry>,
    seeds: Vec<u64>,
    seeds_to_tune: Vec<u64>,
    measure: TuningMeasure,
    is_tuned: bool,
    budget: Option<Budget>,
    directory: PathBuf,
    terms: Terms,
    data: Dataset,
    fingerprint: Fingerprint,
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
    fn fail(&mut self, job: &Job, reason: &str) {
        let seed = job.spec.train.seed;
        self.failed = true;
        self.failures
            .push(format!("{}, seed {seed}: {reason}", job.label));
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
type Perform<'a> = dyn FnMut(&[Job]) -> Result<Outcome, Error> + 'a;

impl Comparison {
    /// Prepares the runs of `compare` on the experiment `spec`, in subdirectories of `directory`.
    ///
    /// # Errors
    /// If a spec cannot be, this build or this machine does not have its device, the data cannot be loaded, the
    /// directory exists and `terms` do not say what to do with it, or somebody is at work in it or on one of its runs.
    pub fn prepare(
        spec: &Spec,
        compare: &Compare,
        directory: &Path,
        terms: impl Into<Terms>,
    ) -> Result<Self, Error> {
        let terms = terms.into();
        let entries = compare.entries(spec)?;
        let text = compare.to_toml(spec)?;
        check_device(spec.train.device, spec.train.precision)?;
        // A comparison that was killed at its very start has its spec and no marker yet.
        let spec_file = directory.join(SPEC_FILE);
        let begun = terms.existing.goes_on()
            && !directory.join(MARKER).exists()
            && files::read(&spec_file).is_ok_and(|was| was == text);
        let marker = if begun { SPEC_FILE } else { MARKER };
        let owner = Owner::this_process();
        let output = Output::of_comparison(directory, terms.existing, marker, &owner)?;
        let data = spec.data.load()?;
        let candidates = entries.iter().flat_map(|entry| &entry.candidates);
        for spec in candidates.map(|candidate| candidate.run(0)) {
            let spec = spec.resolved()?;
            // Not after the runs before it. Those that have begun have no need of it.
            if let Some(file) = spec
                .model
                .init
                .as_ref()
                .filter(|_| !terms.existing.goes_on())
            {
                File::open(file).map_err(Error::file("read", file))?;
            }
            match &data {
                Dataset::Images(splits) => spec.check_data(splits.sizes())?,
                Dataset::Text(text) => spec.data.check_subset(text.train.len())?,
            }
        }
        let measure = match &data {
            Dataset::Images(_) => TuningMeasure::ValidationAccuracy,
            Dataset::Text(_) => TuningMeasure::ValidationBleu,
        };
        let budget = match compare.equal_compute {
            true => Some(Budget::of(&entries, &data)?),
            false => None,
        };
        output.clear()?;
        let comparison = Self {
            entries,
            seeds: compare.seeds.clone(),
            seeds_to_tune: compare.seeds_to_tune().to_vec(),
            measure,
            is_tuned: !compare.tune.is_empty(),
            budget,
            directory: directory.to_owned(),
            terms,
            fingerprint: data.fingerprint(),
            data,
            owner,
            _output: output,
        };
        files::write(&spec_file, &text)?;
        let nothing = (comparison.is_tuned).then(|| comparison.tuning(&Tried::new(), false));
        comparison.write_json(&comparison.summary(Status::Running, nothing, &[])?)?;
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
                let (spec, directory) = (job.spec.clone(), &job.directory);
                let data = Some((self.data.clone(), self.fingerprint.clone()));
                let run = Run::of_comparison(spec, directory, self.terms, &self.owner, data)?;
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
        listener: &mut JobListener<'_>,
    ) -> Result<ComparisonSummary, Error> {
        let order = |job: &Job| Order::new(job, self.terms, &self.directory, &self.owner);
        self.all(&mut |jobs| workers.perform(jobs, &order, stop, listener))
    }

    fn all(&self, perform: &mut Perform<'_>) -> Result<ComparisonSummary, Error> {
        let mut outcome = Outcome::default();
        let mut tuning = None;
        if self.is_tuned {
            tuning = Some(self.tune(&mut outcome, perform)?);
        }
        let mut done = Vec::new();
        if !outcome.stopped {
            let jobs = self.compared(tuning.as_ref())?;
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
        perform: &mut Perform<'_>,
    ) -> Result<TuningSummary, Error> {
        let jobs = self.candidates()?;
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
            let begun = job.directory.join(RUN_MARKER).exists();
            trials.failed |= !begun || RunSummary::read(&job.directory)?.status == Status::Running;
        }
        let chosen = self.tuning(&tried, !trials.stopped);
        let none = chosen.methods.iter().map(|method| &method.label);
        let none = none.filter(|label| !trials.stopped && chosen.choice(label).is_none());
        for label in none {
            trials.failed = true;
            let reason = "none of its candidates could be run from every seed";
            trials.failures.push(format!("{label}: {reason}"));
        }
        outcome.add(trials);
        Ok(chosen)
    }

    /// Makes those of the runs that are not finished, and gives all that are then.
    fn finish<'a>(
        &self,
        jobs: &'a [Job],
        outcome: &mut Outcome,
        perform: &mut Perform<'_>,
    ) -> Result<Vec<(&'a Job, Recorded)>, Error> {
        let recorded = |job: &Job| {
            Recorded::finished(&job.directory, &job.spec, &self.fingerprint, self.terms)
        };
        // All of them before the first is made: a run that is in the way is told now, not after hours.
        let runs = jobs.iter().map(recorded).collect::<Result<Vec<_>, _>>()?;
        let missing = jobs.iter().zip(&runs).filter(|(_, run)| run.is_none());
        let missing: Vec<Job> = missing.map(|(job, _)| job.clone()).collect();
        outcome.add(perform(&missing)?);
        let mut finished = Vec::new();
        for (job, run) in jobs.iter().zip(runs) {
            let run = match run {
                Some(run) => Some(run),
                None => recorded(job)?,
            };
            finished.extend(run.map(|run| (job, run)));
        }
        Ok(finished)
    }

    fn tuning(&self, tried: &Tried, complete: bool) -> TuningSummary {
        let seeds = &self.seeds_to_tune;
        tuning::summary(&self.entries, seeds, self.measure, tried, complete)
    }

    fn report(
        &self,
        outcome: Outcome,
        tuning: Option<TuningSummary>,
        done: &[(usize, Recorded)],
    ) -> Result<ComparisonSummary, Error> {
        let mut summary = self.summary(outcome.status(), tuning, done)?;
        summary.failures = outcome.failures;
        let mut drawn = Drawn::default();
        let labelled = done.iter().map(|(m, run)| (&*self.entries[*m].label, run));
        let mut texts = vec![
            ("methods.csv", csv::methods(&summary)),
            ("runs.csv", csv::runs(labelled)),
        ];
        if let Some(tuning) = &summary.tuning {
            texts.push(("tuning.csv", csv::tuning(tuning)));
        }
        for (file, text) in texts {
            files::write(&self.directory.join(file), &text)?;
            drawn.files.push(file.to_owned());
        }
        type Column = fn(&Metrics) -> Option<f64>;
        let plots: [(&str, &str, &str, Column); 4] = [
            ("test-accuracy", "Test accuracy", "accuracy", |row| {
                row.test_accuracy
            }),
            (
                "train-loss",
                "Training loss",
                "loss at the weights",
                |row| Some(row.train_loss),
            ),
            ("alpha", "Position on the arc", "alpha", |row| row.alpha),
            (
                "psi",
                "Angle of displacement and ascent gradient",
                "psi in radians",
                |row| row.psi,
            ),
        ];
        let runs = self.seeds.len();
        let subtitle = format!("mean of {runs} seeds; the bands reach from lowest to highest");
        for (name, title, axis, column) in plots {
            let curves = self.curves(done, column);
            if !curves.is_empty() {
                let words = Words {
                    title,
                    subtitle: &subtitle,
                    x: match self.budget {
                        None => "epoch",
                        Some(_) => "forward-backward passes",
                    },
                    y: axis,
                };
                let figure = Lines {
                    words,
                    lines: &curves,
                    marks: &[],
                    logarithmic: false,
                };
                drawn.add(plot::svg(&self.directory, name, &figure).map(|file| [file]))?;
            }
        }
        drawn.files.push(MARKER.to_owned());
        summary.files = drawn.files;
        summary.warnings = other_data(done);
        summary.warnings.extend(csv::warnings(&summary));
        summary.warnings.extend(drawn.warnings);
        self.write_json(&summary)?;
        Ok(summary)
    }

    fn write_json(&self, summary: &ComparisonSummary) -> Result<(), Error> {
        let path = self.directory.join(MARKER);
        let text = json::pretty(summary).map_err(|e| Error::damaged(&path, e))?;
        files::write(&path, &text)
    }

    /// Mean over the seeds of a column, and its range, for each method that has it.
    fn curves(
        &self,
        done: &[(usize, Recorded)],
        column: impl Fn(&Metrics) -> Option<f64>,
    ) -> Vec<Line> {
        let curve = |(m, entry): (usize, &CompareEntry)| {
            let runs = of_method(done, m);
            let runs: Vec<&[Metrics]> = runs.iter().map(|run| &*run.rows).collect();
            let passes: Vec<Vec<f64>> = runs.iter().map(|rows| passes_after_each(rows)).collect();
            let points = over_epochs(&runs, &column, |epoch| match self.budget {
                None => Some(epoch as f64),
                Some(_) => passes_until(&passes, epoch),
            });
            (!points.is_empty()).then(|| Line {
                label: entry.label.clone(),
                colour: m,
                points,
            })
        };
        self.entries.iter().enumerate().filter_map(curve).collect()
    }
}

/// What is to be told of runs whose data are not those that are there now.
fn other_data(done: &[(usize, Recorded)]) -> Vec<String> {
    let mut told: Vec<(&str, usize)> = Vec::new();
    for differences in done
        .iter()
        .filter_map(|(_, run)| run.differences.as_deref())
    {
        match told.iter_mut().find(|(other, _)| *other == differences) {
            Some((_, runs)) => *runs += 1,
            None => told.push((differences, 1)),
        }
    }
    let told = told.into_iter().map(|(differences, runs)| {
        format!(
            "{runs} of {} runs were made from other data than are there now: {differences}",
            done.len()
        )
    });
    told.collect()
}

fn of_method(done: &[(usize, Recorded)], method: usize) -> Vec<&Recorded> {
    let of = done.iter().filter(|(m, _)| *m == method);
    of.map(|(_, run)| run).collect()
}

/// Passes of a run up to the end of each of its epochs.
fn passes_after_each(rows: &[Metrics]) -> Vec<f64> {
    let of_epoch = |row: &Metrics| passes(row.gradient_passes as f64, row.search_passes as f64);
    let sum = |sum: &mut f64, row| {
        *sum += of_epoch(row);
        Some(*sum)
    };
    rows.iter().scan(0.0, sum).collect()
}

/// Passes of a method's runs up to the end of an epoch: mean over the runs.
fn passes_until(passes: &[Vec<f64>], epoch: usize) -> Option<f64> {
    mean(
        passes
            .iter()
            .map(|run| run.get(epoch - 1).or(run.last()).copied().unwrap_or(0.0)),
    )
}

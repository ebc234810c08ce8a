//! `compare` for queues: one run of a comparison, the list of them, and what is collected of them.

use std::path::Path;

use clap::Args;
use serde_json::json;
use xsam_lab::compare::{Collected, Comparison, IndexedRun, list_runs};
use xsam_lab::numbers::ranges;
use xsam_lab::spec::{Compare, TaskSpec};
use xsam_lab::{Error, Event, Status, Tasks};

use super::present;
use crate::columns::aligned;
use crate::commands::interrupted;
use crate::commands::train::{TrainingArguments, outcome};
use crate::context::Outcome;
use crate::print;
use crate::progress::{Progress, json_line};
use crate::signals::stop_below;
use crate::source::Source;

/// A part of the work on a comparison.
#[derive(Args, Debug)]
pub(super) struct QueueArguments {
    /// Makes one run of the comparison, by its number from 0: for the tasks of a job array, which work side by side in
    /// one directory. A run that was interrupted goes on.
    #[arg(long, value_name = "I", conflicts_with_all = ["list_runs", "collect", "jobs", "launch", "overwrite"])]
    run_index: Option<usize>,

    /// Lists the runs by number, with their directories and how they stand. Those that --tune chooses by come first.
    #[arg(long, conflicts_with_all = ["collect", "jobs", "launch", "overwrite", "recover", "changed_data"])]
    list_runs: bool,

    /// Makes table, plots and report of the runs that are finished, says which are missing, and makes none. The exit code
    /// is 1 if some are.
    #[arg(long, conflicts_with_all = ["jobs", "launch", "overwrite", "recover"])]
    collect: bool,
}

/// What is asked of it.
pub(super) enum Task {
    Run(usize),
    List,
    Collect,
}

impl QueueArguments {
    /// What is asked, if not the whole comparison.
    pub(super) fn task(&self) -> Option<Task> {
        let of_flags = match (self.list_runs, self.collect) {
            (true, _) => Some(Task::List),
            (_, true) => Some(Task::Collect),
            _ => None,
        };
        self.run_index.map(Task::Run).or(of_flags)
    }
}

pub(super) struct Queue<'a, S> {
    pub(super) source: &'a Source<S>,
    pub(super) compare: &'a Compare,
    pub(super) directory: &'a Path,
    pub(super) training: &'a TrainingArguments,
}

impl<S: TaskSpec> Queue<'_, S> {
    pub(super) fn run<L: Tasks<Spec = S>>(&self, task: Task) -> Result<Outcome, Error> {
        let done = match task {
            Task::Run(index) => self.run_index::<L>(index),
            Task::List => self.list(),
            Task::Collect => self.collect::<L>(),
        };
        done.map_err(|error| self.source.blame(error))
    }

    fn join<L: Tasks<Spec = S>>(&self, index: Option<usize>) -> Result<Comparison<L>, Error> {
        let (spec, terms) = (&self.source.spec, self.training.terms());
        Comparison::join(spec, self.compare, self.directory, terms, index)
    }

    fn run_index<L: Tasks<Spec = S>>(&self, index: usize) -> Result<Outcome, Error> {
        let comparison = self.join::<L>(Some(index))?;
        let output = &self.training.output;
        let mut progress = Progress::new(output, 1);
        let stop = stop_below(progress.bars());
        let mut is_told = false;
        let run = comparison.run_index(index, &stop, &mut |event| {
            is_told |= matches!(event, Event::Ended(_));
            progress.show(&event);
        })?;
        let IndexedRun {
            label,
            directory,
            summary,
        } = run;
        if !output.json {
            let (seed, path) = (summary.seed, directory.display());
            print::line(format!("run {index}: {label}, seed {seed}, in {path}"));
            outcome(&summary).iter().for_each(print::line);
        } else if !is_told {
            json_line(&directory, &Event::Ended(&summary));
        }
        Ok(match summary.status {
            Status::Finished => Outcome::Done,
            _ => interrupted(&format!("compare --run-index {index}"), self.directory),
        })
    }

    fn list(&self) -> Result<Outcome, Error> {
        let runs = list_runs(&self.source.spec, self.compare, self.directory)?;
        if self.training.output.json {
            for run in &runs {
                print::json(&json!({
                    "event": "run",
                    "index": run.index,
                    "label": run.label,
                    "seed": run.seed,
                    "directory": run.directory.display().to_string(),
                    "tunes": run.tunes,
                    "status": run.status,
                }));
            }
            return Ok(Outcome::Done);
        }
        let rows = runs.iter().map(|run| {
            let (index, seed) = (run.index.to_string(), run.seed.to_string());
            let (label, directory) = (run.label.clone(), run.directory.display().to_string());
            [label, seed, directory, state(run.status).to_owned(), index]
        });
        let head = ["method", "seed", "directory", "state", "index"];
        print::line(aligned(&head, rows).trim_end());
        let tune = runs.iter().filter(|run| run.tunes);
        let tune: Vec<usize> = tune.map(|run| run.index).collect();
        if !tune.is_empty() {
            print::line(format_args!(
                "Runs {} choose hyper-parameters: those of the same methods behind them can be made when they are over.",
                ranges(&tune)
            ));
        }
        Ok(Outcome::Done)
    }

    fn collect<L: Tasks<Spec = S>>(&self) -> Result<Outcome, Error> {
        let comparison = self.join::<L>(None)?;
        let Collected { summary, missing } = comparison.collect()?;
        let status = summary.status;
        present(
            summary,
            self.directory,
            &self.training.output,
            Some(&missing),
        )?;
        if !missing.is_empty() {
            print::error(format_args!(
                "{} of {} runs are missing: {} (--list-runs says how they stand)",
                missing.len(),
                comparison.runs(),
                ranges(&missing)
            ));
        }
        Ok(match status {
            Status::Finished => Outcome::Done,
            _ => Outcome::Failed,
        })
    }
}

/// How a run stands, in a word.
fn state(status: Option<Status>) -> &'static str {
    match status {
        None => "not begun",
        Some(Status::Running) => "running",
        Some(Status::Finished) => "finished",
        Some(Status::Interrupted) => "interrupted",
        Some(Status::Failed) => "failed",
    }
}

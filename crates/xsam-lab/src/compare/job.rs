//! One run of a comparison in a process of its own: what the process is told, and what it tells.
//!
//! The order is the first line of its standard input. A second line asks it to stop after the step or batch it is at;
//! the end of the input ends it at once. Both sides write JSON, a value a line.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use toml::Table;
use xsam_files::Owner;

use crate::error::Error;
use crate::event::Event;
use crate::files::Terms;
use crate::json;
use crate::layout;
use crate::lock::Lock;
use crate::metrics::Metrics;
use crate::place::Place;
use crate::process::{order, watch};
use crate::run::Run;
use crate::score::Score;
use crate::shared::Shared;
use crate::spec::{About, Experiment, Spec, TaskSpec};
use crate::stop::StopSignal;
use crate::summary::{RunSummary, Status};
use crate::tasks::Tasks;

/// Time from one report on steps to the next: bars need no more.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// A run that is to be made.
#[derive(Clone, Debug)]
pub struct Job<S> {
    /// The label of its method, with the values of a candidate.
    pub label: String,
    pub(super) experiment: Experiment<S>,
    /// The directory the run is made in.
    pub directory: PathBuf,
    /// Which of the methods that are compared.
    pub(super) entry: usize,
    /// Which of that method's candidates.
    pub(super) candidate: usize,
}

impl<S> Job<S> {
    /// What its spec comes to.
    pub fn spec(&self) -> &Spec<S> {
        &self.experiment.spec
    }

    /// What it is called where several are told of.
    pub fn name(&self) -> String {
        format!("{}, seed {}", self.label, self.spec().train.seed)
    }

    /// What its directory says of it, once it has begun.
    pub(super) fn begun(&self) -> Result<Option<RunSummary>, Error> {
        match self.directory.join(layout::RUN).exists() {
            true => RunSummary::read(&self.directory).map(Some),
            false => Ok(None),
        }
    }

    /// The error that has ended it, if one has.
    pub(super) fn failure(&self) -> Result<Option<String>, Error> {
        let failed = self.begun()?;
        let failed = failed.filter(|summary| summary.status == Status::Failed);
        Ok(failed.map(|summary| summary.error.unwrap_or_default()))
    }
}

/// What the process of a run is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: TaskSpec")]
pub(super) struct Order<S> {
    pub(super) spec: Spec<S>,
    pub(super) directory: PathBuf,
    pub(super) terms: Terms,
    /// The directory of the comparison.
    pub(super) comparison: PathBuf,
    pub(super) owner: Owner,
    /// The directory that paths are relative to.
    pub(super) here: PathBuf,
}

/// What a run that is made in another process tells: its [`Event`]s, as they are read from there, and what becomes of the
/// process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEvent {
    /// Its process is there.
    Launched {
        /// The machine that it is on.
        host: String,
    },
    /// It starts, or goes on.
    Started {
        /// What its spec comes to.
        spec: Box<Table>,
        /// What is told of it.
        about: Box<About>,
        /// Epochs that were done before.
        done: usize,
        /// Steps that were done of the next one.
        step: usize,
        /// Steps in an epoch.
        steps: usize,
        /// What its model is scored by.
        scores: Vec<Score>,
    },
    /// It is at a step: not of every step, but often enough for a bar.
    Step {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step in it, counted from 1.
        step: usize,
    },
    /// An epoch is done.
    Epoch(Box<Metrics>),
    /// It has diverged, and goes on from a checkpoint or from its start.
    Restored {
        /// Why it could not be made, in words.
        reason: String,
        /// Epochs that are done there.
        epoch: usize,
        /// Steps that are done there of the next one.
        step: usize,
        /// What the learning rate is multiplied by from here on.
        lr_factor: f64,
    },
    /// Something that a person should know, in a sentence.
    Warning(String),
    /// The run has ended, with this summary.
    Ended(Box<RunSummary>),
    /// It has failed, with the reason.
    Failed(String),
    /// Its process has died, with what is known of that. It is tried once more. No process says so of itself.
    #[serde(skip)]
    Died(String),
}

/// Makes the run that is ordered on standard input, and tells on standard output how it goes: what a process
/// that a [`Workers`](super::Workers) starts has to do. It works in the directory of the one that has ordered the run.
///
/// Ends the process when that one is gone.
///
/// # Errors
/// If there is no order, and those of [`Run::prepare`] and [`Run::train`].
pub fn serve<L: Tasks>(stop: &StopSignal) -> Result<RunSummary, Error> {
    let (order, input): (Order<L::Spec>, _) = order("xsam job", "xsam compare --jobs")?;
    watch(input, stop.clone());
    tell(&JobEvent::Launched {
        host: Owner::this_process().host,
    });
    let made = make::<L>(order, stop);
    if let Err(error) = &made {
        tell(&JobEvent::Failed(error.to_string()));
    }
    made
}

fn make<L: Tasks>(order: Order<L::Spec>, stop: &StopSignal) -> Result<RunSummary, Error> {
    let enter = std::env::set_current_dir(&order.here);
    enter.map_err(Error::file("enter the directory", &order.here))?;
    let _lock = Lock::share(&order.comparison)?;
    Place::of(&order.spec)?;
    let (experiment, shared) = (Experiment::new(order.spec)?, Shared::default());
    let (directory, terms) = (&order.directory, order.terms);
    Lock::await_run(directory, stop)?;
    let run = Run::of_comparison::<L>(experiment, directory, terms, &order.owner, &shared)?;
    let mut told = Instant::now();
    run.train(stop, &mut |event| {
        if matches!(event, Event::Step { .. }) {
            if told.elapsed() < REPORT_EVERY {
                return;
            }
            told = Instant::now();
        }
        tell(&event);
    })
}

/// Whoever does not listen any more is gone, which `watch` notices.
fn tell(event: &impl Serialize) {
    if let Ok(line) = json::line(event) {
        let _ = writeln!(io::stdout().lock(), "{line}");
    }
}

//! One run: a model trained by a method from a seed.

use std::fmt;
use std::path::Path;

use xsam_files::Owner;

use crate::course::Course;
use crate::error::Error;
use crate::event::Listener;
use crate::files::Terms;
use crate::output::Output;
use crate::ranks::Ranks;
use crate::setup::Setup;
use crate::shared::Shared;
use crate::spec::{Experiment, Spec};
use crate::start::Start;
use crate::stop::StopSignal;
use crate::summary::RunSummary;
use crate::task::{Task, check};
use crate::tasks::{Tasks, Visitor};
use crate::watch::Nobody;

/// A run and its directory: `spec.toml`, `metrics.csv`, `run.json`, `checkpoint/`, an event file for TensorBoard; of
/// XSAM also `search.csv`; and what its task writes besides.
pub struct Run(Box<Train>);

/// Goes the course of the run of some task.
type Train = dyn FnOnce(&StopSignal, &mut Listener<'_>) -> Result<RunSummary, Error>;

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Run")
    }
}

impl Run {
    /// Prepares the run of `spec` in `directory`, which nobody else can write into until it is over.
    ///
    /// # Errors
    /// If the spec cannot be, this build or this machine does not have its device, somebody is at work in the directory,
    /// it exists and `terms` do not say what to do with it, the data are not those that it goes on from, or data or model
    /// cannot be made.
    pub fn prepare<L: Tasks>(
        spec: Spec<L::Spec>,
        directory: &Path,
        terms: impl Into<Terms>,
    ) -> Result<Self, Error> {
        Self::prepare_on::<L>(&Ranks::default(), spec, directory, terms)
    }

    /// The same, shared out over `ranks`, all of which call it. The first one writes; the others read there what the run goes
    /// on from. One that fails takes no leave of the others, which wait for it: end them.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare), and if the spec cannot be shared out over so many.
    pub fn prepare_on<L: Tasks>(
        ranks: &Ranks,
        spec: Spec<L::Spec>,
        directory: &Path,
        terms: impl Into<Terms>,
    ) -> Result<Self, Error> {
        let terms = terms.into();
        let experiment = Experiment::new(spec)?;
        ranks.check(&experiment.spec.train)?;
        // Before the data, which may take a while.
        let train = &experiment.spec.train;
        ranks.place(train.device, train.precision)?;
        let output = match ranks.is_first() {
            true => {
                let owner = Owner::this_process();
                Output::of_run(directory, terms.existing, &owner, false)?
            }
            false => Output::of_another_rank(directory, terms.existing),
        };
        // It is the first one's by now.
        ranks.wait()?;
        Self::in_output::<L>(experiment, output, terms, &Shared::default(), ranks)
    }

    /// The run of an experiment in a directory of the comparison that `owner` makes.
    pub(crate) fn of_comparison<L: Tasks>(
        experiment: Experiment<L::Spec>,
        directory: &Path,
        terms: Terms,
        owner: &Owner,
        shared: &Shared,
    ) -> Result<Self, Error> {
        let output = Output::of_run(directory, terms.existing, owner, true)?;
        Self::in_output::<L>(experiment, output, terms, shared, &Ranks::default())
    }

    fn in_output<L: Tasks>(
        experiment: Experiment<L::Spec>,
        output: Output,
        terms: Terms,
        shared: &Shared,
        ranks: &Ranks,
    ) -> Result<Self, Error> {
        let start = Start::find(output, &experiment.spec)?;
        let task = experiment.spec.task.clone();
        let preparation = Preparation {
            experiment,
            start,
            terms,
            shared,
            ranks,
        };
        L::visit(&task, preparation)
    }

    /// Trains until all epochs are done, `stop` asks for an end, or an error.
    ///
    /// After each epoch the files are up to date. A run that was asked to stop has a checkpoint of where it
    /// was; one that was killed has those that its spec asks for. Resumed, it equals one that was not stopped: an
    /// evaluation that was not complete is made again.
    ///
    /// # Errors
    /// If a step fails, or a file cannot be written. What was reached is in the directory.
    pub fn train(
        self,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<RunSummary, Error> {
        (self.0)(stop, listener)
    }
}

/// All that a run needs but its task.
struct Preparation<'a, S> {
    experiment: Experiment<S>,
    start: Start,
    terms: Terms,
    shared: &'a Shared,
    ranks: &'a Ranks,
}

impl<S> Visitor<S> for Preparation<'_, S> {
    type Output = Run;

    fn visit<T: Task<Spec = S> + 'static>(self) -> Result<Run, Error> {
        let spec = &self.experiment.spec;
        check::<T>(spec)?;
        let place = self.ranks.place(spec.train.device, spec.train.precision)?;
        let setup = Setup::new(spec, &place, self.shared);
        let (data, changed) = (T::fingerprint(&setup)?, self.terms.changed_data);
        let start = self.start.with_data::<T>(spec, data, changed)?;
        let task = T::new(&setup.of_run(start.kept()))?;
        let course = Course::new(self.experiment, task, place, start, self.ranks.clone())?;
        let train = |stop: &StopSignal, listener: &mut Listener<'_>| {
            course.watched(&Nobody, stop, listener)
        };
        Ok(Run(Box::new(train)))
    }
}

//! The course of a run: from epoch to epoch, from checkpoint to checkpoint.

mod epochs;
mod state;

use std::path::Path;
use std::time::Duration;

use xsam_kernels::set_kernels;
use xsam_weights::{cast, parameter_count};

use crate::back_end::describe;
use crate::checkpoint;
use crate::checkpoint::Position;
use crate::collapsed::chance;
use crate::error::Error;
use crate::event::{Event, Listener};
use crate::files;
use crate::layout;
use crate::log::Logs;
use crate::place::Place;
use crate::ranks::Ranks;
use crate::spec::{Experiment, Spec};
use crate::start::Start;
use crate::stop::StopSignal;
use crate::summary::{RunSummary, Status};
use crate::tally::Tally;
use crate::task::Task;
use crate::task_error::TaskError;
use crate::trained::imported;
use crate::watch::Watch;

use state::State;

/// A run of a task, with its model.
#[derive(Debug)]
pub(crate) struct Course<T: Task> {
    task: T,
    model: T::Model,
    state: State<T::Spec>,
}

impl<T: Task> Course<T> {
    /// The run of an experiment.
    pub(crate) fn new(
        experiment: Experiment<T::Spec>,
        task: T,
        place: Place,
        start: Start,
        ranks: Ranks,
    ) -> Result<Self, Error> {
        let Start {
            output,
            has_begun,
            found,
            data,
            warning,
            ..
        } = start;
        let Experiment { asked, spec } = experiment;
        let ranks = ranks.of_run(&spec.train);
        let mut optim = ranks.optimizer(&spec, task.steps())?;
        let mut unsaid = Vec::new();
        let (model, found) = match found {
            Some((path, position)) => {
                if position.step > task.steps() {
                    let (step, steps) = (position.step, task.steps());
                    let reason = format!("it is after step {step} of an epoch of {steps}");
                    return Err(Error::damaged(&path, reason));
                }
                task.keep(output.directory(), true)?;
                let model = fresh(&task, &spec, &place)?;
                let model = checkpoint::restore(&path, model, &mut optim)?;
                (model, Some(position))
            }
            None => {
                let run = has_begun.then(|| output.directory());
                let (model, warnings) = initial(&task, &spec, &place, run)?;
                unsaid.extend(warnings);
                (model, None)
            }
        };
        unsaid.extend(task.warnings().into_iter().chain(warning));
        // All ranks have read what is there.
        ranks.wait()?;
        if ranks.is_first() {
            output.clear()?;
        }
        let guessed = task.chance().map(Tally::read).transpose()?;
        let goes_on = found.is_some();
        let saved = found.as_ref().map(Position::reached);
        let mut position = found.unwrap_or_default();
        position.data.clone_from(&data);
        let directory = output.directory().to_owned();
        let mut state = State {
            output,
            place,
            outcome: RunSummary {
                method: optim.method().to_owned(),
                seed: spec.train.seed,
                scores: T::scores(),
                chance: chance(guessed.as_ref(), &T::scores()),
                parameters: parameter_count(&model),
                kernels: describe(spec.train.device, spec.train.kernels),
                facts: task.facts(),
                data,
                ranks: (ranks.size() > 1).then_some(ranks.size()),
                spec: Some(spec.to_table()?),
                about: spec.about(),
                ..RunSummary::default()
            },
            steps: task.steps(),
            unsaid,
            optim,
            logs: None,
            position,
            saved,
            last: None,
            bookkeeping: Duration::ZERO,
            stepping: Duration::ZERO,
            asked,
            spec,
            ranks,
        };
        // The marker comes first: a directory with it can be resumed, however little else is there.
        state.write(Status::Running, None)?;
        if state.ranks.is_first() {
            state.logs = Some(Logs::open(&directory, &state.position.logs)?);
            if !goes_on {
                task.keep(&directory, false)?;
            }
            files::write(&directory.join(layout::SPEC), &state.asked.to_toml()?)?;
        }
        Ok(Self { task, model, state })
    }

    /// Trains until all epochs are done, `stop` asks for an end, or an error, while somebody watches.
    pub(crate) fn watched(
        self,
        watch: &dyn Watch<T>,
        stop: &StopSignal,
        listener: &mut Listener<'_>,
    ) -> Result<RunSummary, Error> {
        let (task, model, mut state) = (self.task, self.model, self.state);
        set_kernels(state.spec.train.kernels);
        listener(Event::Started {
            directory: state.output.directory(),
            spec: &state.spec.to_table()?,
            about: &state.outcome.about,
            scores: &state.outcome.scores,
            done: state.position.rows.len(),
            step: state.position.step,
            steps: state.steps,
        });
        let stop = stop.on(&state.ranks);
        let status = match state.epochs((&task, watch), model, &stop, listener) {
            Ok(status) => status,
            Err(error) => {
                // The first error is the one to tell, whatever comes of writing it down.
                let _ = state.write(Status::Failed, Some(error.to_string()));
                return Err(error);
            }
        };
        let summary = state.write(status, None)?;
        listener(Event::Ended(&summary));
        Ok(summary)
    }
}

/// The model of a task as its seed makes it.
fn fresh<T: Task>(task: &T, spec: &Spec<T::Spec>, place: &Place) -> Result<T::Model, TaskError> {
    place.device.seed(spec.train.seed);
    // Layers draw their values when they are first used, which this does.
    Ok(cast(task.model()?, place.dtype))
}

/// The model that a run begins with, and what a person should know of it; that in `begun`, if it begins anew.
fn initial<T: Task>(
    task: &T,
    spec: &Spec<T::Spec>,
    place: &Place,
    begun: Option<&Path>,
) -> Result<(T::Model, Vec<String>), Error> {
    let model = fresh(task, spec, place)?;
    let Some(file) = &spec.train.init else {
        return Ok((model, Vec::new()));
    };
    imported(model, file).map_err(|source| match begun {
        None => Error::from(source),
        Some(run) => Error::NoInit {
            path: run.to_owned(),
            file: file.clone(),
            source: Box::new(source),
        },
    })
}

//! Where a run is, and what it writes down.

use std::path::Path;
use std::time::Duration;

use burn::module::Module;
use xsam::{SharpnessAware, StepError};

use crate::checkpoint;
use crate::checkpoint::{Position, Reached};
use crate::columns::{self, columns};
use crate::error::Error;
use crate::event::{Event, Listener};
use crate::files;
use crate::layout;
use crate::log::Logs;
use crate::metrics::Metrics;
use crate::output::Output;
use crate::place::Place;
use crate::ranks::Ranks;
use crate::spec::{Spec, TaskSpec};
use crate::summary::{RunSummary, Status, best};

/// All of a run but its task and the model, which is handed from step to step: a second handle on it would keep the
/// old weights until the new ones are written, and the base optimizer from working in place.
#[derive(Debug)]
pub(super) struct State<S> {
    /// The spec as it was asked for, which is written down.
    pub(super) asked: Spec<S>,
    /// What it comes to.
    pub(super) spec: Spec<S>,
    pub(super) output: Output,
    pub(super) place: Place,
    /// What its outcome says from the start on.
    pub(super) outcome: RunSummary,
    /// Steps in an epoch.
    pub(super) steps: usize,
    /// Warnings from before the first step, which nobody has heard yet.
    pub(super) unsaid: Vec<String>,
    pub(super) optim: SharpnessAware,
    pub(super) position: Position,
    /// Those of the first rank.
    pub(super) logs: Option<Logs>,
    /// Where the latest checkpoint is.
    pub(super) saved: Option<Reached>,
    /// Loss, norm of the gradient and learning rate of the last step.
    pub(super) last: Option<[f64; 3]>,
    /// Time for all but the steps and evaluation.
    pub(super) bookkeeping: Duration,
    /// Time for the steps.
    pub(super) stepping: Duration,
    /// The first of them writes.
    pub(super) ranks: Ranks,
}

impl<S: TaskSpec> State<S> {
    pub(super) fn directory(&self) -> &Path {
        self.output.directory()
    }

    /// Hands up warnings, except those that were handed up before.
    pub(super) fn warn(
        &mut self,
        warnings: impl IntoIterator<Item = String>,
        listener: &mut Listener<'_>,
    ) {
        for warning in warnings {
            if !self.position.warnings.contains(&warning) {
                listener(Event::Warning(&warning));
                self.position.warnings.push(warning);
            }
        }
    }

    pub(super) fn log(
        &mut self,
        epoch: usize,
        i: usize,
        step: &columns::Step<'_>,
    ) -> Result<(), Error> {
        let Some(logs) = &mut self.logs else {
            return Ok(());
        };
        if let Some(found) = &step.report.search {
            logs.search(epoch + 1, i + 1, found)?;
        }
        let number = epoch * self.steps + i + 1;
        match number.is_multiple_of(self.spec.train.log_every) {
            true => logs.step(number, step),
            false => Ok(()),
        }
    }

    /// Saves the model, whose running statistics are those of all ranks.
    pub(super) fn save<M: Module>(&mut self, model: &M) -> Result<(), Error> {
        self.position.sums.read()?;
        if let Some(logs) = &self.logs {
            self.position.logs = logs.lengths();
            checkpoint::save(
                self.output.directory(),
                &self.asked,
                model,
                &self.optim,
                &self.position,
                self.best(),
                &logs.files(),
            )?;
        }
        self.saved = Some(self.position.reached());
        Ok(())
    }

    /// The best epoch so far.
    pub(super) fn best(&self) -> Option<usize> {
        best(&self.position.rows, &self.outcome.scores).map(|row| row.epoch)
    }

    /// The error of a step, with what was before it.
    pub(super) fn failure(&self, epoch: usize, step: usize, source: StepError) -> Error {
        let mut before = String::new();
        if let Some([loss, norm, lr]) = self.last {
            before = format!(
                "; in the step before, the loss was {loss:.4}, the norm of the gradient {norm:.4}, and the learning \
                 rate {lr}"
            );
        }
        if let Ok(Some((_, path))) = checkpoint::latest(self.directory()) {
            before.push_str(&format!("; the latest checkpoint is {}", path.display()));
        }
        Error::Step {
            epoch,
            step,
            source,
            before,
        }
    }

    pub(super) fn write(&self, status: Status, error: Option<String>) -> Result<RunSummary, Error> {
        let rows = &self.position.rows;
        let share = self.bookkeeping.as_secs_f64() / self.stepping.as_secs_f64();
        let summary = RunSummary {
            status,
            error,
            warnings: self.position.warnings.clone(),
            bookkeeping_share: share.is_finite().then_some(share),
            restored: self.position.restored,
            ..self.outcome.clone()
        };
        let summary = summary.with_rows(rows);
        if !self.ranks.is_first() {
            return Ok(summary);
        }
        // The file by which the directory is known as a run's comes first: without it, what else is there would be nobody's.
        if !self.directory().join(layout::RUN).exists() {
            summary.write(self.directory())?;
        }
        let metrics = Metrics::csv(&columns(&summary.scores), rows);
        files::write_again(&self.directory().join(layout::METRICS), &metrics)?;
        summary.write(self.directory())?;
        Ok(summary)
    }
}

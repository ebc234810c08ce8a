//! The search for alpha: where on the arc the loss is highest.

mod grid;
mod parabola;
pub(crate) mod report;
mod schedule;

pub(crate) use grid::positions;
pub use report::SearchReport;
pub use schedule::SearchSchedule;

use crate::check;
use crate::error::{ConfigError, RecordError, StepError};
use crate::method::context::Context;
use crate::method::state::MethodState;
use crate::objective::Objective;
use crate::plane::Plane;
use schedule::Clock;

/// How alpha is searched for, and what it is without a search.
#[derive(Clone, Debug)]
pub(crate) struct SearchConfig {
    pub(crate) alpha: f64,
    pub(crate) grid: Vec<f64>,
    pub(crate) parabola: bool,
    pub(crate) batches: usize,
    pub(crate) schedule: SearchSchedule,
}

impl SearchConfig {
    pub(crate) fn build(&self) -> Result<Search, ConfigError> {
        check::finite("alpha", self.alpha)?;
        check::at_least_one("search_batches", self.batches)?;
        grid::check(&self.grid, self.parabola)?;
        self.schedule.check()?;
        Ok(Search {
            config: self.clone(),
            alpha: self.alpha,
            clock: Clock::new(self.schedule),
            sums: Vec::new(),
            seen: 0,
            open: false,
            before: self.alpha,
        })
    }
}

/// Alpha, and the state of the search for it.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    config: SearchConfig,
    alpha: f64,
    clock: Clock,
    /// Of a search that is to be averaged over further batches: the sums of the losses at the positions of the
    /// grid, and the number of batches that they are of. Otherwise none.
    sums: Vec<f64>,
    seen: usize,
    /// Whether this step has yet to search: of several parts of a batch one does.
    open: bool,
    /// Alpha before the search.
    before: f64,
}

impl Search {
    /// Alpha, as the last search has found it.
    pub(crate) fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Tells which step is about to be made.
    pub(crate) fn step(&mut self, step: &mut Context<'_>) {
        if step.part == 0 {
            self.clock.step(step.number);
            self.open = self.clock.due || self.seen > 0;
        }
        step.report.steps_without_epoch = self.clock.steps_without_epoch();
    }

    pub(crate) fn start_epoch(&mut self) {
        self.clock.start_epoch();
    }

    /// Tells that there is no plane in this step, so that no other rank waits for this one's losses.
    pub(crate) fn without_arc(&self, step: &mut Context<'_>) -> Result<(), StepError> {
        if self.open {
            step.objective.on_all_ranks(false)?;
        }
        Ok(())
    }

    /// Searches in `plane` at `distance` from the weights, if a search is due or is still to be averaged over more
    /// batches. One that is due stays due until there is an arc, and until the one before it is at its end.
    pub(crate) fn run(
        &mut self,
        plane: &Plane,
        distance: f64,
        step: &mut Context<'_>,
    ) -> Result<(), StepError> {
        if !self.open || !step.objective.on_all_ranks(plane.has_arc())? {
            return Ok(());
        }
        self.open = false;
        if self.seen == 0 {
            (self.clock.due, self.before) = (false, self.alpha);
            self.sums = vec![0.0; self.config.grid.len()];
        }

        let mut alphas = self.config.grid.clone();
        let mut losses = losses(plane, &alphas, distance, step.objective)?;
        self.seen += 1;
        for (sum, loss) in self.sums.iter_mut().zip(&losses) {
            *sum += loss;
        }
        // Batches that all were tried at the same positions differ by a level that no position gains from.
        let curve = SearchReport::new(alphas.clone(), self.sums.clone());
        let mut best = curve.best();
        if let (true, Some(top)) = (self.config.parabola, best)
            && let Some(bracket) = parabola::bracket(&alphas, &self.sums)
            && let Some(vertex) = parabola::vertex(bracket)
        {
            let at_top = alphas.iter().position(|alpha| *alpha == top);
            let there = self::losses(plane, &[vertex], distance, step.objective)?;
            // Here the parabola is put to the test: at the vertex the loss is higher, or the grid was right.
            if let (Some(i), [loss]) = (at_top, &there[..])
                && *loss > losses[i]
            {
                best = Some(vertex);
            }
            alphas.push(vertex);
            losses.extend(there);
        }
        self.alpha = best.unwrap_or(self.alpha);
        step.report.search = Some(SearchReport {
            batches: self.seen,
            ..SearchReport::new(alphas, losses)
        });
        if self.seen >= self.config.batches {
            self.clock
                .searched(step.number, (self.alpha - self.before).abs());
            self.seen = 0;
            self.sums.clear();
        }
        Ok(())
    }

    pub(crate) fn state(&self, state: MethodState) -> MethodState {
        let state = state
            .with_scalar("alpha", self.alpha)
            .with_scalar("due", self.clock.due)
            .with_scalar("interval", self.clock.interval)
            .with_scalar("next", self.clock.next)
            .with_scalar("since_epoch", self.clock.since_epoch)
            .with_scalar("before", self.before)
            .with_scalar("seen", self.seen as u64);
        let sums = self.sums.iter().enumerate();
        sums.fold(state, |state, (i, sum)| {
            state.with_scalar(&position(i), *sum)
        })
    }

    pub(crate) fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        let mut loaded = self.clone();
        loaded.alpha = state.scalar("alpha")?;
        loaded.clock.due = state.scalar("due")?;
        loaded.clock.interval = state.scalar("interval")?;
        loaded.clock.next = state.scalar("next")?;
        // Not in records from before it was counted.
        loaded.clock.since_epoch = state.scalar("since_epoch").unwrap_or_default();
        loaded.before = state.scalar("before")?;
        loaded.seen = usize::try_from(state.scalar::<u64>("seen")?)
            .map_err(|_| RecordError::Missing("seen".to_owned()))?;
        let sums = match loaded.seen {
            0 => 0,
            _ => self.config.grid.len(),
        };
        let sum = |i| state.scalar(&position(i));
        loaded.sums = (0..sums).map(sum).collect::<Result<_, _>>()?;
        *self = loaded;
        Ok(())
    }
}

/// The name of a position's sum in a record.
fn position(i: usize) -> String {
    format!("sum.{i}")
}

/// The losses on the arc at `distance` from the weights.
fn losses(
    plane: &Plane,
    alphas: &[f64],
    distance: f64,
    objective: &mut dyn Objective,
) -> Result<Vec<f64>, StepError> {
    let candidates: Vec<_> = alphas
        .iter()
        .map(|&alpha| plane.terms(alpha, distance).to_vec())
        .collect();
    objective.losses(&candidates)
}

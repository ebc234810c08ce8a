//! When alpha is searched for.

use crate::check;
use crate::error::ConfigError;

/// When alpha is searched for anew.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum SearchSchedule {
    /// In the first step of every epoch, as the paper does. Epochs are told by
    /// [`SharpnessAware::start_epoch`](crate::SharpnessAware::start_epoch); a loop that never calls
    /// it has one epoch, and so one search; from the thousandth step on
    /// [`StepReport::steps_without_epoch`](crate::StepReport::steps_without_epoch) says so.
    #[default]
    EveryEpoch,
    /// In the first step and every so many steps after it.
    EverySteps(usize),
    /// In the first step, and then as often as alpha moves: where a search has found it more than `tolerance`
    /// from where it was the distance to the next search is halved, where not it is doubled.
    Adaptive {
        /// The fewest steps from one search to the next, with which it begins.
        shortest: usize,
        /// The most.
        longest: usize,
        /// How far alpha may have moved and count as still.
        tolerance: f64,
    },
    /// Never: alpha stays what it is.
    Never,
}

impl SearchSchedule {
    pub(crate) fn check(self) -> Result<(), ConfigError> {
        match self {
            Self::EverySteps(n) => check::at_least_one("search_every", n),
            Self::Adaptive {
                shortest,
                longest,
                tolerance,
            } => {
                check::at_least_one("search_shortest", shortest)?;
                if longest < shortest {
                    let range = "at least search_shortest";
                    return Err(ConfigError::new("search_longest", longest, range));
                }
                check::non_negative("search_tolerance", tolerance)
            }
            Self::EveryEpoch | Self::Never => Ok(()),
        }
    }
}

/// When the next search is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    schedule: SearchSchedule,
    /// A new search is to begin.
    pub(super) due: bool,
    /// Of an adaptive schedule: the distance in steps, and the step of the next search.
    pub(super) interval: u64,
    pub(super) next: u64,
    /// Steps since an epoch was last told.
    pub(super) since_epoch: u64,
}

/// How many steps without a new epoch are worth telling.
const LONG: u64 = 1000;

impl Clock {
    pub(super) fn new(schedule: SearchSchedule) -> Self {
        Self {
            schedule,
            due: schedule == SearchSchedule::EveryEpoch,
            interval: match schedule {
                SearchSchedule::Adaptive { shortest, .. } => shortest as u64,
                _ => 0,
            },
            next: 0,
            since_epoch: 0,
        }
    }

    /// Tells which step is about to be made.
    pub(super) fn step(&mut self, step: u64) {
        self.since_epoch = self.since_epoch.saturating_add(1);
        self.due |= match self.schedule {
            SearchSchedule::EverySteps(n) => step.is_multiple_of(n as u64),
            SearchSchedule::Adaptive { .. } => step >= self.next,
            SearchSchedule::EveryEpoch | SearchSchedule::Never => false,
        };
    }

    pub(super) fn start_epoch(&mut self) {
        self.due |= self.schedule == SearchSchedule::EveryEpoch;
        self.since_epoch = 0;
    }

    /// Steps since an epoch was last told, if a search waits for the next one and they are many.
    pub(super) fn steps_without_epoch(&self) -> Option<u64> {
        let waits = self.schedule == SearchSchedule::EveryEpoch && self.since_epoch >= LONG;
        waits.then_some(self.since_epoch)
    }

    /// Tells that a search in this step has moved alpha so far.
    pub(super) fn searched(&mut self, step: u64, moved: f64) {
        if let SearchSchedule::Adaptive {
            shortest,
            longest,
            tolerance,
        } = self.schedule
        {
            let interval = match moved > tolerance {
                true => self.interval / 2,
                false => self.interval * 2,
            };
            self.interval = interval.clamp(shortest as u64, longest as u64);
            self.next = step + self.interval;
            // Of a search over several batches the clock has run on meanwhile.
            self.due = false;
        }
    }
}

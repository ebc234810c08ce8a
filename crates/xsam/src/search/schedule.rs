//! When alpha is searched for.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::check;
use crate::error::ConfigError;

/// When alpha is searched for anew.
///
/// In a file a text or a table: `"every-epoch"`, `"never"`, `{ every-steps = 20 }`, and `"adaptive"` or
/// `{ adaptive = { shortest = 10, longest = 1000, tolerance = 0.1 } }`, whose fields have these defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self", deny_unknown_fields)]
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
        #[serde(default = "shortest")]
        shortest: usize,
        /// The most steps from one search to the next.
        #[serde(default = "longest")]
        longest: usize,
        /// How far alpha may have moved and count as still.
        #[serde(default = "tolerance")]
        tolerance: f64,
    },
    /// Never: alpha stays what it is.
    Never,
}

fn shortest() -> usize {
    10
}

fn longest() -> usize {
    1000
}

fn tolerance() -> f64 {
    0.1
}

impl Serialize for SearchSchedule {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for SearchSchedule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = SearchSchedule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"every-epoch\", \"never\", \"adaptive\", { every-steps = 20 } or { adaptive = { .. } }",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SearchSchedule, E> {
                match text {
                    "every-epoch" => Ok(SearchSchedule::EveryEpoch),
                    "never" => Ok(SearchSchedule::Never),
                    "adaptive" => Ok(SearchSchedule::adaptive()),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<SearchSchedule, A::Error> {
                SearchSchedule::deserialize(MapAccessDeserializer::new(table))
            }
        }

        from.deserialize_any(TextOrTable)
    }
}

impl SearchSchedule {
    /// [`Adaptive`](Self::Adaptive), with its defaults.
    pub fn adaptive() -> Self {
        Self::Adaptive {
            shortest: shortest(),
            longest: longest(),
            tolerance: tolerance(),
        }
    }

    pub(crate) fn check(self) -> Result<(), ConfigError> {
        match self {
            Self::EverySteps(n) => check::at_least_one("search.every-steps", n),
            Self::Adaptive {
                shortest,
                longest,
                tolerance,
            } => {
                check::at_least_one("search.adaptive.shortest", shortest)?;
                let range = "at least search.adaptive.shortest";
                let ok = longest >= shortest;
                ConfigError::unless(ok, "search.adaptive.longest", longest, range)?;
                check::non_negative("search.adaptive.tolerance", tolerance)
            }
            Self::EveryEpoch | Self::Never => Ok(()),
        }
    }

    /// How many searches there are in so many epochs, of so many steps in all.
    ///
    /// Of an adaptive schedule, whose searches nobody knows before, those are counted that there are if alpha does not
    /// move: the fewest.
    pub(crate) fn searches(self, epochs: usize, steps: usize) -> usize {
        match self {
            Self::EveryEpoch => epochs,
            // The first step has one.
            Self::EverySteps(n) => steps.div_ceil(n.max(1)),
            Self::Adaptive {
                shortest, longest, ..
            } => still(shortest.max(1), longest, steps),
            Self::Never => 0,
        }
    }
}

/// Searches of an adaptive schedule whose alpha stays where it is.
fn still(shortest: usize, longest: usize, steps: usize) -> usize {
    let longest = longest.max(shortest);
    let (mut next, mut interval, mut searches) = (0, shortest, 0);
    while next < steps && interval < longest {
        searches += 1;
        interval = interval.saturating_mul(2).min(longest);
        next = steps.min(next.saturating_add(interval));
    }
    searches + (steps - next).div_ceil(longest)
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

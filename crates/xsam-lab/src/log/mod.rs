//! What a run writes down while it goes: event files for TensorBoard, and the curves that were searched.
//!
//! Logs only grow. A checkpoint holds how long they were, and a run that goes on from it cuts off what came after:
//! that will come again.

mod appended;
mod events;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xsam::SearchReport;

use crate::columns::{Column, OWN, Step};
use crate::csv_file::Csv;
use crate::error::Error;
use crate::files;
use crate::layout;
use crate::metrics::Metrics;
use crate::numbers::exact;
use appended::Appended;
use events::Scalars;

/// The columns of the searched curves.
pub const SEARCH_COLUMNS: [&str; 4] = ["epoch", "step", "alpha", "loss"];

/// Names of event files, by which TensorBoard finds them, begin and end so.
const EVENTS: [&str; 2] = ["events.out.tfevents.", ".xsam"];

/// How long the logs were, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogLengths {
    /// The event file, and its name.
    events: Option<(String, u64)>,
    search: u64,
}

/// The open logs of a run.
#[derive(Debug)]
pub(crate) struct Logs {
    events: Appended,
    /// Not for methods that do not search.
    search: Option<Appended>,
}

impl Logs {
    /// The logs in a run's directory as they were at a checkpoint, or new ones if they were not yet.
    pub(crate) fn open(run: &Path, lengths: &LogLengths) -> Result<Self, Error> {
        let (events, length) = match &lengths.events {
            Some((name, _)) if !is_events(name) => {
                let reason = format!("{name:?}, a log of its checkpoint, is not the name of one");
                return Err(Error::damaged(run, reason));
            }
            Some((name, length)) => (name.clone(), *length),
            None => {
                remove_events(run)?;
                let seconds = events::now() as u64;
                (format!("{}{seconds}{}", EVENTS[0], EVENTS[1]), 0)
            }
        };
        let search = run.join(layout::SEARCH);
        Ok(Self {
            events: events::open(&run.join(events), length)?,
            search: match lengths.search {
                0 => files::remove(&search).map(|()| None)?,
                length => Some(Appended::open(&search, length)?),
            },
        })
    }

    /// How long they are now.
    pub(crate) fn lengths(&self) -> LogLengths {
        let name = self.events.path.file_name().unwrap_or_default();
        LogLengths {
            events: Some((name.to_string_lossy().into_owned(), self.events.length)),
            search: self.search.as_ref().map_or(0, |log| log.length),
        }
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let logs = [&self.events].into_iter().chain(&self.search);
        logs.map(|log| log.path.clone()).collect()
    }

    /// A searched curve, of a step of an epoch, both counted from 1.
    pub(crate) fn search(
        &mut self,
        epoch: usize,
        step: usize,
        found: &SearchReport,
    ) -> Result<(), Error> {
        let log = match &mut self.search {
            Some(log) => log,
            None => {
                let path = self.events.path.with_file_name(layout::SEARCH);
                self.search.insert(Appended::open(&path, 0)?)
            }
        };
        let mut table = match log.length {
            0 => Csv::with_head(SEARCH_COLUMNS),
            _ => Csv::default(),
        };
        let of = [epoch.to_string(), step.to_string()];
        for (alpha, loss) in found.alphas.iter().zip(&found.losses) {
            let found = [exact(*alpha), exact(*loss)];
            table.row(of.iter().chain(&found));
        }
        log.append(table.text().as_bytes())
    }

    /// What a step measured, at its number in the run.
    pub(crate) fn step(&mut self, number: usize, step: &Step<'_>) -> Result<(), Error> {
        let mut scalars = Scalars::default();
        scalars.add("step/loss", step.report.loss);
        for (column, source) in OWN.iter().filter(|(column, _)| !column.group.is_empty()) {
            scalars.add(&format!("step/{}", column.name), source.of(step));
        }
        self.events.append(&scalars.record(number))
    }

    /// What an epoch of so many steps measured, at the number of its last step in the run.
    pub(crate) fn epoch(
        &mut self,
        number: usize,
        steps: usize,
        columns: &[Column],
        metrics: &Metrics,
    ) -> Result<(), Error> {
        let mut scalars = Scalars::default();
        scalars.add("epoch", metrics.epoch as f64);
        for column in columns {
            if let Some(tag) = column.tag() {
                scalars.add(&tag, metrics.get(&column.name));
            }
        }
        let seconds = metrics.get("seconds");
        let of_step = seconds.map(|seconds| seconds / steps.max(1) as f64);
        scalars.add("time/seconds_per_step", of_step);
        self.events.append(&scalars.record(number))
    }
}

/// Whether a name is that of an event file.
fn is_events(name: &str) -> bool {
    files::is_name(name) && name.starts_with(EVENTS[0]) && name.ends_with(EVENTS[1])
}

/// Removes the event files of a run that begins anew.
fn remove_events(run: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(run).map_err(Error::file("open the directory", run))? {
        let entry = entry.map_err(Error::file("read", run))?;
        let name = entry.file_name();
        if is_events(&name.to_string_lossy()) {
            files::remove(&entry.path())?;
        }
    }
    Ok(())
}

//! What a run writes down while it goes: event files for TensorBoard, and the curves that were searched.
//!
//! Logs only grow. A checkpoint holds how long they were, and a run that goes on from it cuts off what came after:
//! that will come again.

mod appended;
mod events;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

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
use events::{Events, Scalars};

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
    events_name: String,
    events: Events,
    search_file: PathBuf,
    /// Not for methods that do not search.
    search: Option<Appended>,
}

impl Logs {
    /// The logs in a run's directory as they were at a checkpoint, or new ones if they were not yet.
    pub(crate) fn open(run: &Path, lengths: &LogLengths) -> Result<Self, Error> {
        let (events_name, length) = match &lengths.events {
            Some((name, _)) if !is_events(name) => {
                let reason = format!("{name:?}, a log of its checkpoint, is not the name of one");
                return Err(Error::damaged(run, reason));
            }
            Some((name, length)) => (name.clone(), *length),
            None => {
                remove_events(run)?;
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let seconds = now.map_or(0, |now| now.as_secs());
                (format!("{}{seconds}{}", EVENTS[0], EVENTS[1]), 0)
            }
        };
        let search_file = run.join(layout::SEARCH);
        Ok(Self {
            events: Events::open(&run.join(&events_name), length)?,
            events_name,
            search: match lengths.search {
                0 => files::remove(&search_file).map(|()| None)?,
                length => Some(Appended::open(&search_file, length)?),
            },
            search_file,
        })
    }

    /// How long they are now.
    pub(crate) fn lengths(&self) -> LogLengths {
        LogLengths {
            events: Some((self.events_name.clone(), self.events.length())),
            search: self.search.as_ref().map_or(0, Appended::length),
        }
    }

    /// Where they are.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let search = self.search.as_ref().map(Appended::path);
        let files = [Some(self.events.path()), search];
        files.into_iter().flatten().map(Path::to_owned).collect()
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
                let log = Appended::open(&self.search_file, 0)?;
                self.search.insert(log)
            }
        };
        let mut table = match log.is_empty() {
            true => Csv::with_head(SEARCH_COLUMNS),
            false => Csv::default(),
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
        for (column, source) in OWN.iter() {
            if let Some((_, name)) = column.tag().as_deref().and_then(|tag| tag.split_once('/')) {
                scalars.add(&format!("step/{name}"), source.of(step));
            }
        }
        self.events.write(number, scalars)
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
        scalars.add(
            "time/seconds_per_step",
            seconds.map(|seconds| seconds / steps.max(1) as f64),
        );
        self.events.write(number, scalars)
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

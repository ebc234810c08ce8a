//! Lines with the time, where there is no terminal.

use std::time::SystemTime;

use xsam_lab::Event;

use super::{Runs, outcome, restored, short};
use crate::print;

/// The run that is under way.
#[derive(Default)]
pub(crate) struct Lines {
    epochs: usize,
}

impl Lines {
    pub(super) fn show(&mut self, runs: &Runs, event: &Event<'_>) {
        match event {
            Event::Started {
                about, done, step, ..
            } => {
                self.epochs = about.train.epochs;
                let within = match step {
                    0 => String::new(),
                    step => format!(" and {step} steps"),
                };
                if done + step > 0 {
                    tell(runs, &format!("going on after epoch {done}{within}"));
                }
            }
            Event::Step { .. } | Event::Warning(_) => {}
            // A line an epoch for one run; several runs have a line each.
            Event::Epoch(metrics) if runs.of == 1 => {
                let (epoch, epochs) = (metrics.epoch, self.epochs);
                line(&format!(
                    "epoch {epoch}/{epochs}: {}",
                    short(metrics, &runs.scores)
                ));
            }
            Event::Epoch(_) => {}
            Event::Restored { .. } => {
                if let Some(what) = restored(event) {
                    tell(runs, &what);
                }
            }
            Event::Ended(summary) => tell(runs, &outcome(summary)),
        }
    }
}

fn tell(runs: &Runs, what: &str) {
    line(&format!("{}: {what}", runs.label));
}

fn line(text: &str) {
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    print::note(format_args!("{now} {text}"));
}

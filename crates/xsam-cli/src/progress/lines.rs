//! Lines with the time, where there is no terminal.

use std::time::SystemTime;

use xsam_train::Event;

use super::{Runs, outcome, restored, short};

/// The run that is under way.
pub(crate) struct Lines {
    runs: Runs,
    label: String,
    epochs: usize,
}

impl Lines {
    pub(super) fn new(runs: Runs) -> Self {
        Self {
            runs,
            label: String::new(),
            epochs: 0,
        }
    }

    pub(super) fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Started {
                spec, done, step, ..
            } => {
                self.label = self.runs.next(spec);
                self.epochs = spec.train.epochs;
                let within = match step {
                    0 => String::new(),
                    step => format!(" and {step} steps"),
                };
                if done + step > 0 {
                    self.tell(&format!("going on after epoch {done}{within}"));
                }
            }
            Event::Step { .. } => {}
            // A line an epoch for one run; several runs have a line each.
            Event::Epoch(metrics) if self.runs.of == 1 => {
                let (epoch, epochs) = (metrics.epoch, self.epochs);
                line(&format!("epoch {epoch}/{epochs}: {}", short(metrics)));
            }
            Event::Epoch(_) => {}
            Event::Restored { .. } => {
                if let Some(what) = restored(event) {
                    self.tell(&what);
                }
            }
            Event::Ended(summary) => self.tell(&outcome(summary)),
        }
    }

    fn tell(&self, what: &str) {
        line(&format!("{}: {what}", self.label));
    }
}

fn line(text: &str) {
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    eprintln!("{now} {text}");
}

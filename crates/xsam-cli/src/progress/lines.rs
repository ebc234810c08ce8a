//! Lines with the time, where there is no terminal.

use std::time::SystemTime;

use xsam_lab::Event;

use super::{Runs, outcome, restored, short};
use crate::print;

pub(super) fn show(runs: &Runs, event: &Event<'_>) {
    match event {
        Event::Started { done, step, .. } => {
            let within = match step {
                0 => String::new(),
                step => format!(" and {step} steps"),
            };
            if done + step > 0 {
                tell(runs, &format!("going on after epoch {done}{within}"));
            }
        }
        // A line an epoch for one run; several runs have a line each.
        Event::Epoch(metrics) if runs.of == 1 => {
            let (epoch, epochs) = (metrics.epoch, runs.epochs);
            let numbers = short(metrics, &runs.scores);
            line(&format!("epoch {epoch}/{epochs}: {numbers}"));
        }
        Event::Restored { .. } => {
            if let Some(what) = restored(event) {
                tell(runs, &what);
            }
        }
        Event::Ended(summary) => tell(runs, &outcome(summary)),
        Event::Step { .. } | Event::Warning(_) | Event::Epoch(_) => {}
    }
}

fn tell(runs: &Runs, what: &str) {
    line(&format!("{}: {what}", runs.label));
}

fn line(text: &str) {
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    print::note(format_args!("{now} {text}"));
}

//! What a person, or a machine, sees of a run while it goes.

mod bars;
mod lines;
mod screen;

use std::io::{IsTerminal, stderr};

use indicatif::MultiProgress;
use serde_json::json;
use xsam_train::{Event, Metrics, RunSummary, Spec, Status};

use crate::args::OutputArguments;
use crate::print;
use bars::Bars;
pub(crate) use bars::style;
use lines::Lines;
pub(crate) use screen::multi_progress;

/// Shows the events of one run or of several.
pub(crate) enum Progress {
    /// Nothing.
    Quiet,
    /// One JSON object a line, on standard output.
    Json { run: String },
    /// Bars on a terminal.
    Bars(Bars),
    /// Lines elsewhere.
    Lines(Lines),
}

impl Progress {
    /// For `runs` runs.
    pub(crate) fn new(output: &OutputArguments, runs: usize) -> Self {
        if output.json {
            return Self::Json { run: String::new() };
        }
        if output.quiet {
            return Self::Quiet;
        }
        let runs = Runs {
            started: 0,
            of: runs,
        };
        match stderr().is_terminal() {
            true => Self::Bars(Bars::new(runs)),
            false => Self::Lines(Lines::new(runs)),
        }
    }

    /// The bars, if there are any.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        match self {
            Self::Bars(bars) => Some(bars.all()),
            _ => None,
        }
    }

    /// Shows an event.
    pub(crate) fn show(&mut self, event: &Event<'_>) {
        match self {
            Self::Quiet => {}
            Self::Json { run } => json_line(run, event),
            Self::Bars(bars) => bars.show(event),
            Self::Lines(lines) => lines.show(event),
        }
    }
}

/// Which run of how many.
#[derive(Clone, Copy)]
struct Runs {
    started: usize,
    of: usize,
}

impl Runs {
    /// `[2/9] xsam, seed 0` of the next run, or without the count for a single one.
    fn next(&mut self, spec: &Spec) -> String {
        self.started += 1;
        let name = format!("{}, seed {}", spec.method.name, spec.train.seed);
        match self.of {
            1 => name,
            of => format!("[{}/{of}] {name}", self.started),
        }
    }
}

/// The numbers of an epoch in one line.
pub(crate) fn short(metrics: &Metrics) -> String {
    let alpha = metrics
        .alpha
        .map_or_else(String::new, |a| format!(", alpha {a:.1}"));
    let psi = metrics
        .psi
        .map_or_else(String::new, |p| format!(", psi {p:.2}"));
    let share = |part: &str, value: Option<f64>| {
        value.map_or_else(String::new, |share| {
            format!(", {part} {:.1} %", 100.0 * share)
        })
    };
    let bleu = metrics
        .test_bleu
        .map_or_else(String::new, |bleu| format!(", test BLEU {bleu:.2}"));
    format!(
        "loss {:.3}{}{}{bleu}{alpha}{psi}",
        metrics.train_loss,
        share("validation", metrics.validation_accuracy),
        share("test", metrics.test_accuracy),
    )
}

/// How a run ended, in one line.
pub(crate) fn outcome(summary: &RunSummary) -> String {
    let seconds = summary.seconds_per_epoch.unwrap_or_default();
    let numbers = match &summary.last {
        Some(last) => format!("{}, {seconds:.2} s an epoch", short(last)),
        None => "no epoch done".to_owned(),
    };
    match summary.status {
        Status::Finished => numbers,
        _ => format!("interrupted after {} epochs; {numbers}", summary.epochs),
    }
}

/// That a run went back to a checkpoint, in one line.
pub(crate) fn restored(event: &Event<'_>) -> Option<String> {
    let Event::Restored {
        reason,
        epoch,
        step,
        lr_factor,
    } = event
    else {
        return None;
    };
    let place = match step {
        0 => format!("epoch {epoch}"),
        step => format!("epoch {epoch} and {step} steps"),
    };
    Some(format!(
        "{reason}: going on after {place} with {lr_factor} of the learning rate"
    ))
}

fn json_line(run: &mut String, event: &Event<'_>) {
    match event {
        Event::Started {
            directory,
            spec,
            done,
            step,
            steps,
        } => {
            *run = directory.display().to_string();
            print::json(&json!({
                "event": "started", "run": run, "spec": spec, "done": done, "step": step, "steps": steps,
            }));
        }
        Event::Step { .. } => {}
        Event::Epoch(metrics) => {
            print::json(&json!({ "event": "epoch", "run": run, "metrics": metrics }));
        }
        Event::Restored {
            reason,
            epoch,
            step,
            lr_factor,
        } => {
            print::json(&json!({
                "event": "restored", "run": run, "reason": reason, "epoch": epoch, "step": step,
                "lr_factor": lr_factor,
            }));
        }
        Event::Ended(summary) => {
            print::json(&json!({ "event": "ended", "run": run, "summary": summary }));
        }
    }
}

//! What a person, or a machine, sees of a run while it goes.

mod bars;
mod lines;
mod screen;

use std::path::{Path, PathBuf};

use indicatif::MultiProgress;
use serde_json::json;
use xsam_train::{Event, Exact, Metrics, RunSummary, Spec, Status};

use crate::args::OutputArguments;
use crate::print;
use bars::Bars;
pub(crate) use bars::style;
use lines::Lines;
pub(crate) use screen::multi_progress;

/// Shows the events of one run or of several.
pub(crate) struct Progress {
    runs: Runs,
    kind: Kind,
}

/// How. Warnings are shown in any case.
enum Kind {
    /// Nothing.
    Quiet,
    /// One JSON object a line, on standard output.
    Json { run: PathBuf },
    /// Bars on a terminal.
    Bars(Bars),
    /// Lines elsewhere.
    Lines(Lines),
}

impl Progress {
    /// For `runs` runs.
    pub(crate) fn new(output: &OutputArguments, runs: usize) -> Self {
        let kind = match print::is_terminal() {
            _ if output.json => Kind::Json {
                run: PathBuf::new(),
            },
            _ if output.quiet => Kind::Quiet,
            true => Kind::Bars(Bars::new()),
            false => Kind::Lines(Lines::default()),
        };
        let runs = Runs {
            started: 0,
            of: runs,
            label: String::new(),
        };
        Self { runs, kind }
    }

    /// The bars, if there are any.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        match &self.kind {
            Kind::Bars(bars) => Some(bars.all()),
            _ => None,
        }
    }

    /// Shows an event.
    pub(crate) fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { spec, .. } => self.runs.next(spec),
            Event::Warning(warning) => print::warning(self.bars(), &self.runs.label, warning),
            _ => {}
        }
        match &mut self.kind {
            Kind::Quiet => {}
            Kind::Json { run } => {
                if let Event::Started { directory, .. } = event {
                    *run = (*directory).to_owned();
                }
                json_line(run, event);
            }
            Kind::Bars(bars) => bars.show(&self.runs, event),
            Kind::Lines(lines) => lines.show(&self.runs, event),
        }
    }
}

/// Which run of how many.
struct Runs {
    started: usize,
    of: usize,
    /// `[2/9] xsam, seed 0` of the run that is under way, or without the count for a single one.
    label: String,
}

impl Runs {
    /// The next run is under way.
    fn next(&mut self, spec: &Spec) {
        self.started += 1;
        let name = format!("{}, seed {}", spec.method.name, spec.train.seed);
        self.label = match self.of {
            1 => name,
            of => format!("[{}/{of}] {name}", self.started),
        };
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

/// An event of the run in this directory, for machines.
pub(crate) fn json_line(run: &Path, event: &Event<'_>) {
    let run = run.display().to_string();
    match event {
        Event::Started {
            spec,
            done,
            step,
            steps,
            ..
        } => {
            print::json(&json!({
                "event": "started", "run": run, "spec": spec, "done": done, "step": step, "steps": steps,
            }));
        }
        Event::Step { .. } => {}
        Event::Epoch(metrics) => {
            print::json(&json!({ "event": "epoch", "run": run, "metrics": Exact(metrics) }));
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
        Event::Warning(warning) => {
            print::json(&json!({ "event": "warning", "run": run, "warning": warning }));
        }
        Event::Ended(summary) => {
            print::json(&json!({ "event": "ended", "run": run, "summary": Exact(summary) }));
        }
    }
}

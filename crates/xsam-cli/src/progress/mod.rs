//! What a person, or a machine, sees of a run while it goes.

mod bars;
mod lines;
mod screen;

use std::path::{Path, PathBuf};

use indicatif::MultiProgress;
use serde_json::json;
use xsam_lab::json::Exact;
use xsam_lab::numbers::TERMINAL;
use xsam_lab::spec::About;
use xsam_lab::{Event, Metrics, Part, RunSummary, Score, Status, of_epochs};

use crate::print::{self, OutputArguments};
use bars::Bars;
pub(crate) use bars::style;
pub(crate) use screen::multi_progress;

/// Shows the events of one run or of several.
pub(crate) struct Progress {
    runs: Runs,
    kind: Kind,
}

/// How. Warnings are shown in any case.
enum Kind {
    Quiet,
    /// One JSON object a line, on standard output.
    Json {
        run: PathBuf,
    },
    /// Bars on a terminal.
    Bars(Bars),
    /// Lines, where the output is no terminal.
    Lines,
}

impl Progress {
    pub(crate) fn new(output: &OutputArguments, runs: usize) -> Self {
        let kind = match print::is_terminal() {
            _ if output.json => Kind::Json {
                run: PathBuf::new(),
            },
            _ if output.quiet => Kind::Quiet,
            true => Kind::Bars(Bars::new()),
            false => Kind::Lines,
        };
        let runs = Runs {
            of: runs,
            ..Runs::default()
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

    pub(crate) fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { about, scores, .. } => self.runs.next(about, scores),
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
            Kind::Lines => lines::show(&self.runs, event),
        }
    }
}

/// Which run of how many.
#[derive(Default)]
struct Runs {
    started: usize,
    of: usize,
    /// `[2/9] xsam, seed 0` of the run that is under way, or without the count for a single one.
    label: String,
    /// What its model is scored by.
    scores: Vec<Score>,
    epochs: usize,
}

impl Runs {
    /// The next run is under way.
    fn next(&mut self, about: &About, scores: &[Score]) {
        (self.scores, self.epochs) = (scores.to_vec(), about.train.epochs);
        self.started += 1;
        let name = format!("{}, seed {}", about.method.name(), about.train.seed);
        self.label = match self.of {
            1 => name,
            of => format!("[{}/{of}] {name}", self.started),
        };
    }
}

/// The numbers of an epoch in one line, of a model that is scored so.
pub(crate) fn short(metrics: &Metrics, scores: &[Score]) -> String {
    let optional = |name: &str, value: Option<f64>, digits: usize| {
        value.map_or_else(String::new, |value| format!(", {name} {value:.digits$}"))
    };
    let told = |score: &Score, part: Part, name: &str| {
        let value = metrics.get(&score.column(part));
        value.map_or_else(String::new, |value| {
            format!(", {name} {}", score.told(value))
        })
    };
    let first = of_epochs(scores);
    let parts = [Part::Validation, Part::Test];
    let mut numbers: String = parts.map(|part| told(&first, part, part.name())).concat();
    for score in scores.iter().filter(|score| **score != first) {
        numbers += &told(score, Part::Test, &format!("test {}", score.name));
    }
    format!(
        "loss {}{numbers}{}{}",
        TERMINAL.fixed(metrics.get("train_loss"), 3),
        optional("alpha", metrics.get("alpha"), 1),
        optional("psi", metrics.get("psi"), 2),
    )
}

/// How a run ended, in one line.
pub(crate) fn outcome(summary: &RunSummary) -> String {
    let seconds = summary.seconds_per_epoch.unwrap_or_default();
    let numbers = match &summary.last {
        Some(last) => format!("{}, {seconds:.2} s an epoch", short(last, &summary.scores)),
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
    let line = match event {
        Event::Started {
            spec,
            scores,
            done,
            step,
            steps,
            ..
        } => json!({
            "event": "started", "run": run, "spec": spec, "scores": scores, "done": done, "step": step,
            "steps": steps,
        }),
        Event::Step { .. } => return,
        Event::Epoch(metrics) => json!({ "event": "epoch", "run": run, "metrics": Exact(metrics) }),
        Event::Restored {
            reason,
            epoch,
            step,
            lr_factor,
        } => json!({
            "event": "restored", "run": run, "reason": reason, "epoch": epoch, "step": step,
            "lr_factor": lr_factor,
        }),
        Event::Warning(warning) => json!({ "event": "warning", "run": run, "warning": warning }),
        Event::Ended(summary) => json!({ "event": "ended", "run": run, "summary": Exact(summary) }),
    };
    print::json(&line);
}

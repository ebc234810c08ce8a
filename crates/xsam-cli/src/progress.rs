//! What a person, or a machine, sees of a run while it goes.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use xsam_train::{Event, Metrics, RunSummary, Spec, Status};

use crate::args::OutputArguments;
use crate::print;

/// Shows the events of one run or of several.
pub(crate) enum Progress {
    /// Nothing.
    Quiet,
    /// One JSON object a line, on standard output.
    Json { run: String },
    /// Bars on a terminal.
    Bar {
        bar: ProgressBar,
        label: String,
        runs: Runs,
    },
    /// Lines elsewhere.
    Lines {
        label: String,
        epochs: usize,
        runs: Runs,
    },
}

/// Which run of how many.
#[derive(Clone, Copy)]
pub(crate) struct Runs {
    started: usize,
    of: usize,
}

impl Progress {
    /// For `runs` runs.
    pub(crate) fn new(output: &OutputArguments, runs: usize) -> Self {
        let runs = Runs {
            started: 0,
            of: runs,
        };
        if output.json {
            return Self::Json { run: String::new() };
        }
        if output.quiet {
            return Self::Quiet;
        }
        let label = String::new();
        if stderr().is_terminal() {
            let bar = ProgressBar::new(0).with_style(style());
            bar.enable_steady_tick(Duration::from_millis(200));
            return Self::Bar { bar, label, runs };
        }
        let epochs = 0;
        Self::Lines {
            label,
            epochs,
            runs,
        }
    }

    /// Shows an event.
    pub(crate) fn show(&mut self, event: &Event<'_>) {
        match self {
            Self::Quiet => {}
            Self::Json { run } => json_line(run, event),
            Self::Bar { bar, label, runs } => show_bar(bar, label, runs, event),
            Self::Lines {
                label,
                epochs,
                runs,
            } => show_lines(label, epochs, runs, event),
        }
    }
}

/// The bar has a place for everything; without the fallback a wrong template would be an error at
/// run time for a matter of looks.
pub(crate) fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3} %  {msg}  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `[2/9] xsam, seed 0`, or without the count for a single run.
fn head(runs: &mut Runs, spec: &Spec) -> String {
    runs.started += 1;
    let name = format!("{}, seed {}", spec.method.name, spec.train.seed);
    match runs.of {
        1 => name,
        of => format!("[{}/{of}] {name}", runs.started),
    }
}

fn show_bar(bar: &ProgressBar, label: &mut String, runs: &mut Runs, event: &Event<'_>) {
    match event {
        Event::Started {
            spec, done, steps, ..
        } => {
            *label = head(runs, spec);
            bar.set_prefix(label.clone());
            bar.set_length((spec.train.epochs * steps) as u64);
            bar.set_position((done * steps) as u64);
            bar.set_message("");
            bar.reset_eta();
        }
        Event::Step { .. } => bar.inc(1),
        Event::Epoch(metrics) => bar.set_message(short(metrics)),
        Event::Ended(summary) => {
            bar.suspend(|| eprintln!("{label}: {}", outcome(summary)));
            if runs.started == runs.of {
                bar.finish_and_clear();
            }
        }
    }
}

fn show_lines(label: &mut String, epochs: &mut usize, runs: &mut Runs, event: &Event<'_>) {
    match event {
        Event::Started { spec, done, .. } => {
            *label = head(runs, spec);
            *epochs = spec.train.epochs;
            if *done > 0 {
                eprintln!("{label}: going on after epoch {done}");
            }
        }
        Event::Step { .. } => {}
        // A line an epoch for one run; several runs have a line each.
        Event::Epoch(metrics) if runs.of == 1 => {
            eprintln!("epoch {}/{epochs}: {}", metrics.epoch, short(metrics));
        }
        Event::Epoch(_) => {}
        Event::Ended(summary) => eprintln!("{label}: {}", outcome(summary)),
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

fn json_line(run: &mut String, event: &Event<'_>) {
    match event {
        Event::Started {
            directory,
            spec,
            done,
            steps,
        } => {
            *run = directory.display().to_string();
            print::json(&json!({
                "event": "started", "run": run, "spec": spec, "done": done, "steps": steps,
            }));
        }
        Event::Step { .. } => {}
        Event::Epoch(metrics) => {
            print::json(&json!({ "event": "epoch", "run": run, "metrics": metrics }));
        }
        Event::Ended(summary) => {
            print::json(&json!({ "event": "ended", "run": run, "summary": summary }));
        }
    }
}

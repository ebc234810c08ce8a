//! Two bars on a terminal: one for the run, one for the epoch.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use xsam_lab::{Event, Score, StepReport, Totals};

use super::{Runs, outcome, restored, screen, short};
use crate::print;

/// How often the bars are drawn.
const TICK: Duration = Duration::from_millis(200);

/// The bars of the run that is under way.
pub(crate) struct Bars {
    all: MultiProgress,
    run: ProgressBar,
    epoch: ProgressBar,
    /// Steps in an epoch.
    steps: usize,
    so_far: SoFar,
}

/// What was seen of the epoch that is under way.
struct SoFar {
    since: Instant,
    totals: Totals,
}

impl SoFar {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            totals: Totals::default(),
        }
    }

    fn add(&mut self, totals: &Totals, scores: &[Score], report: &StepReport) -> String {
        self.totals.add(totals);
        let items = self.totals.items.max(1) as f64;
        let optional = |name: &str, value: Option<f64>| {
            value.map_or_else(String::new, |value| format!(", {name} {value:.2}"))
        };
        let scores = scores.iter().filter_map(|score| {
            let value = self.totals.value(score)?;
            Some(format!(", {} {}", score.name, score.told(value)))
        });
        format!(
            "loss {:.3}{}{}{}, {:.0} samples/s",
            self.totals.loss / items,
            scores.collect::<String>(),
            optional("alpha", report.alpha),
            optional("psi", report.psi),
            items / self.since.elapsed().as_secs_f64().max(1e-9),
        )
    }
}

impl Bars {
    pub(super) fn new() -> Self {
        let all = screen::multi_progress();
        let bar = || all.add(ProgressBar::new(0).with_style(style()));
        let (run, epoch) = (bar(), bar());
        run.enable_steady_tick(TICK);
        Self {
            run,
            epoch,
            all,
            steps: 0,
            so_far: SoFar::new(),
        }
    }

    pub(super) fn all(&self) -> &MultiProgress {
        &self.all
    }

    pub(super) fn show(&mut self, runs: &Runs, event: &Event<'_>) {
        match event {
            Event::Started {
                done, step, steps, ..
            } => {
                self.steps = *steps;
                self.run.set_prefix(runs.label.clone());
                self.run.set_length((runs.epochs * steps) as u64);
                self.run.set_message("");
                self.place(runs, *done, *step);
            }
            Event::Step { totals, report, .. } => {
                self.run.inc(1);
                self.epoch.inc(1);
                let message = self.so_far.add(totals, &runs.scores, report);
                self.epoch.set_message(message);
            }
            Event::Epoch(metrics) => {
                self.run.set_message(short(metrics, &runs.scores));
                self.start_epoch(runs, metrics.epoch, 0);
            }
            Event::Restored { epoch, step, .. } => {
                if let Some(line) = restored(event) {
                    self.tell(runs, &line);
                }
                self.place(runs, *epoch, *step);
            }
            Event::Warning(_) => {}
            Event::Ended(summary) => {
                self.tell(runs, &outcome(summary));
                if runs.started == runs.of {
                    self.epoch.finish_and_clear();
                    self.run.finish_and_clear();
                }
            }
        }
    }

    /// Sets both bars to where a run is.
    fn place(&mut self, runs: &Runs, epochs: usize, step: usize) {
        self.run.set_position((epochs * self.steps + step) as u64);
        self.run.reset_eta();
        self.start_epoch(runs, epochs, step);
    }

    fn start_epoch(&mut self, runs: &Runs, done: usize, step: usize) {
        let epoch = (done + 1).min(runs.epochs);
        self.epoch
            .set_prefix(format!("epoch {epoch}/{}", runs.epochs));
        self.epoch.set_length(self.steps as u64);
        self.epoch.set_position(step as u64);
        self.epoch.set_message("");
        self.epoch.reset_eta();
        self.so_far = SoFar::new();
    }

    /// A line that stays above the bars.
    fn tell(&self, runs: &Runs, what: &str) {
        print::above(Some(&self.all), format_args!("{}: {what}", runs.label));
    }
}

/// The numbers come last: where the terminal is narrow, they are cut, and the bar is whole. Without the fallback a wrong
/// template would be an error at run time for a matter of looks.
pub(crate) fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {bar:20} {percent:>3} %  {eta:>3} left  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

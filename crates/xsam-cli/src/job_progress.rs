//! What a person, or a machine, sees of runs in parallel.

use std::collections::BTreeMap;
use std::path::PathBuf;

use indicatif::{MultiProgress, ProgressBar};
use xsam_lab::compare::{Job, JobEvent};
use xsam_lab::{Event, Score};

use crate::print::{self, OutputArguments};
use crate::progress::{self, json_line, outcome, restored, short, style};

/// Shows the events of runs in parallel.
pub(crate) struct JobProgress<'a> {
    output: &'a OutputArguments,
    of: usize,
    started: usize,
    bars: Option<MultiProgress>,
    /// The runs at work, by their directories.
    shown: BTreeMap<PathBuf, Shown>,
}

/// How a run is shown.
struct Shown {
    /// `[2/9] xsam, seed 0`.
    name: String,
    bar: ProgressBar,
    /// Steps in an epoch.
    steps: usize,
    scores: Vec<Score>,
}

impl<'a> JobProgress<'a> {
    pub(crate) fn new(output: &'a OutputArguments, runs: usize) -> Self {
        let bars = !output.is_silent() && print::is_terminal();
        Self {
            output,
            of: runs,
            started: 0,
            bars: bars.then(progress::multi_progress),
            shown: BTreeMap::new(),
        }
    }

    /// The bars, if there are any.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// Shows an event of a run.
    pub(crate) fn show<S>(&mut self, job: &Job<S>, event: &JobEvent) {
        if let JobEvent::Started {
            done,
            step,
            steps,
            scores,
            ..
        } = event
        {
            self.start(job, [*done, *step], *steps, scores);
        }
        if let JobEvent::Died(reason) = event {
            return self.start_again(job, reason);
        }
        let Some(shown) = self.shown.get(&job.directory) else {
            return;
        };
        let of_run = of_run(job, event);
        if let JobEvent::Warning(warning) = event {
            print::warning(self.bars.as_ref(), &shown.name, warning);
        }
        if self.output.json {
            // Steps have no line, and failures are in the summary.
            if let Some(event) = of_run {
                json_line(&job.directory, &event);
            }
            return;
        }
        match event {
            JobEvent::Launched { .. }
            | JobEvent::Started { .. }
            | JobEvent::Warning(_)
            | JobEvent::Died(_) => {}
            JobEvent::Step { epoch, step } => {
                let position = (epoch - 1) * shown.steps + step;
                shown.bar.set_position(position as u64);
            }
            JobEvent::Epoch(metrics) => {
                shown.bar.set_position((metrics.epoch * shown.steps) as u64);
                shown.bar.set_message(short(metrics, &shown.scores));
            }
            JobEvent::Restored { epoch, step, .. } => {
                let position = epoch * shown.steps + step;
                shown.bar.set_position(position as u64);
                if let Some(line) = of_run.as_ref().and_then(restored) {
                    let line = format!("{}: {line}", shown.name);
                    self.say(&line);
                }
            }
            JobEvent::Ended(summary) => self.end(job, &outcome(summary)),
            JobEvent::Failed(reason) => self.end(job, &format!("failed: {reason}")),
        }
    }

    fn start<S>(&mut self, job: &Job<S>, [done, step]: [usize; 2], steps: usize, scores: &[Score]) {
        let name = match self.shown.remove(&job.directory) {
            // Its process has died.
            Some(before) => before.name,
            None => {
                self.started += 1;
                format!("[{}/{}] {}", self.started, self.of, job.name())
            }
        };
        // Complete before it is drawn.
        let bar = ProgressBar::hidden().with_style(style());
        bar.set_length((job.spec().train.epochs * steps) as u64);
        bar.set_position((done * steps + step) as u64);
        bar.set_prefix(name.clone());
        bar.reset_eta();
        let bar = match &self.bars {
            Some(bars) => bars.add(bar),
            None => bar,
        };
        if done + step > 0 {
            self.say(&format!("{name}: going on after epoch {done}"));
        }
        let shown = Shown {
            name,
            bar,
            steps,
            scores: scores.to_vec(),
        };
        self.shown.insert(job.directory.clone(), shown);
    }

    /// The process of a run has died, and another one goes on with it.
    fn start_again<S>(&mut self, job: &Job<S>, reason: &str) {
        let shown = self.shown.get(&job.directory);
        if let Some(shown) = shown {
            shown.bar.finish_and_clear();
        }
        let name = shown.map_or_else(|| job.name(), |shown| shown.name.clone());
        self.say(&format!("{name}: {reason}; trying again"));
    }

    fn end<S>(&mut self, job: &Job<S>, how: &str) {
        if let Some(shown) = self.shown.remove(&job.directory) {
            shown.bar.finish_and_clear();
            self.say(&format!("{}: {how}", shown.name));
        }
    }

    fn say(&self, line: &str) {
        match &self.bars {
            None if self.output.is_silent() => {}
            bars => print::above(bars.as_ref(), line),
        }
    }
}

/// The same of a run in this process, of what such a run tells.
fn of_run<'a, S>(job: &'a Job<S>, event: &'a JobEvent) -> Option<Event<'a>> {
    Some(match event {
        JobEvent::Started {
            spec,
            about,
            done,
            step,
            steps,
            scores,
        } => Event::Started {
            directory: &job.directory,
            spec,
            about,
            scores,
            done: *done,
            step: *step,
            steps: *steps,
        },
        JobEvent::Epoch(metrics) => Event::Epoch(metrics),
        JobEvent::Restored {
            reason,
            epoch,
            step,
            lr_factor,
        } => Event::Restored {
            reason,
            epoch: *epoch,
            step: *step,
            lr_factor: *lr_factor,
        },
        JobEvent::Warning(warning) => Event::Warning(warning),
        JobEvent::Ended(summary) => Event::Ended(summary),
        JobEvent::Launched { .. }
        | JobEvent::Step { .. }
        | JobEvent::Failed(_)
        | JobEvent::Died(_) => return None,
    })
}

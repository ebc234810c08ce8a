//! `landscape`

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use indicatif::{MultiProgress, ProgressBar};
use xsam_lab::files::Existing;
use xsam_lab::landscape::{Along, Landscape, LandscapeEvent, LandscapeSpec, landscape as take};
use xsam_lab::{Error, Tasks};
use xsam_report::draw_landscape;

use super::subject::{SampleArguments, SubjectArguments};
use crate::context::Outcome;
use crate::print::{self, OutputArguments};
use crate::progress::{multi_progress, style};
use crate::signals::stop_below;

/// What a landscape is taken along.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum AlongName {
    /// Random directions with the norms of the model's filters.
    Random,
    /// The eigenvectors of the largest eigenvalues of the Hessian.
    Eigenvectors,
    /// The principal directions of the run's checkpoints.
    Trajectory,
    /// XSAM's plane, of displacement and ascent gradient, in polar coordinates.
    Xsam,
}

/// The loss around the weights of a run: along a line, in a plane, or in XSAM's own plane.
#[derive(Debug, Parser)]
#[command(
    name = "landscape",
    after_help = "Examples:\n  {program} landscape runs/sam\n  {program} landscape runs/sam --along xsam\n  \
                  {program} landscape runs/sgd --to runs/sam\n\n\
                  Looked at are training data as they are, as by the command flatness. Values are written to \
                  landscape/NAME.json and .csv in the run's directory, plots to .svg and .png. A landscape that \
                  was interrupted goes on where it was. In evaluation mode running statistics stay those of the \
                  run, except with --to, where they go along between the two."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: SubjectArguments,

    #[command(flatten)]
    sample: SampleArguments,

    /// What the axes of the landscape are.
    #[arg(long, value_name = "DIRECTIONS", default_value = "random")]
    along: AlongName,

    /// The line from the weights to those of another run, instead.
    #[arg(long, value_name = "RUN|CHECKPOINT|FILE", conflicts_with = "along")]
    to: Option<PathBuf>,

    /// A line instead of a plane.
    #[arg(long)]
    line: bool,

    /// Points along each axis: 41 on a line, 25 in a plane if not given. In XSAM's plane so many distances, 15 if
    /// not given, in four times as many directions.
    #[arg(long, value_name = "N")]
    points: Option<usize>,

    /// How far it reaches: in norms of the filters along random directions, a share of the way beyond both ends with
    /// --to, otherwise a distance.
    #[arg(long, value_name = "R")]
    radius: Option<f64>,

    /// Length of the ascent in XSAM's plane; the run's if not given, or 0.15.
    #[arg(long)]
    rho: Option<f64>,

    /// Distance of the arc in XSAM's plane; the one that was asked of the run if not given, or twice rho.
    #[arg(long)]
    rho_max: Option<f64>,

    /// Steps of the ascent in XSAM's plane; the run's if not given, or 1.
    #[arg(long, value_name = "K")]
    ascent_steps: Option<usize>,

    /// Replaces a landscape of the same name that has other settings.
    #[arg(long)]
    overwrite: bool,

    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run<L: Tasks>(arguments: Arguments) -> Result<Outcome, Error> {
    let Arguments {
        subject, output, ..
    } = &arguments;
    let spec = arguments.spec();
    let mut progress = Progress::new(output.is_silent());
    let stop = stop_below(progress.bars());
    let subject = subject.model::<L>(&subject.run)?;
    let taken = take::<L>(&subject, &spec, &stop, &mut |event| progress.show(event));
    progress.end();
    let mut taken = taken?;
    let drawn = draw_landscape(&taken)?;
    for warning in &drawn.warnings {
        print::warning(None, "", warning);
    }
    taken.files.extend(drawn.files);
    taken.warnings.extend(drawn.warnings);
    print::result(output.json, &taken, || told(&taken));
    Ok(match taken.complete {
        true => Outcome::Done,
        false => {
            print::error("the same command goes on with it");
            Outcome::Interrupted
        }
    })
}

impl Arguments {
    fn spec(&self) -> LandscapeSpec {
        LandscapeSpec {
            along: match (&self.to, self.along) {
                (Some(path), _) => Along::To(path.clone()),
                (None, AlongName::Random) => Along::Random,
                (None, AlongName::Eigenvectors) => Along::Eigenvectors,
                (None, AlongName::Trajectory) => Along::Trajectory,
                (None, AlongName::Xsam) => Along::Xsam,
            },
            dimensions: if self.line { 1 } else { 2 },
            points: self.points,
            radius: self.radius,
            rho: self.rho,
            rho_max: self.rho_max,
            ascent_steps: self.ascent_steps,
            sample: self.sample.sample(),
            existing: match self.overwrite {
                true => Existing::Overwrite,
                false => Existing::Refuse,
            },
        }
    }
}

/// What was found, in a few lines.
fn told(taken: &Landscape) -> String {
    let report = &taken.report;
    let losses = report.losses();
    let known = losses.iter().copied().filter(|loss| loss.is_finite());
    let low = known.clone().fold(f64::INFINITY, f64::min);
    let high = known.fold(f64::NEG_INFINITY, f64::max);
    let mut text = format!(
        "loss {:.5} at the weights, over {} samples; from {low:.5} to {high:.5} at {} points\n",
        report.loss,
        report.items,
        losses.len()
    );
    match report.not_finite() {
        0 => {}
        odd => text.push_str(&format!("not finite at {odd} of them\n")),
    }
    if let Some(plane) = &report.plane {
        text.push_str(&format!(
            "psi {:.4}; loss {:.5} at the ascent point (rho {}), highest on the arc of rho_max {} at alpha {}\n",
            plane.psi, plane.ascent_loss, plane.rho, plane.rho_max, plane.alpha
        ));
    }
    let (path, files) = (taken.directory.display(), taken.files.join(", "));
    text + &format!("in {path}: {files}")
}

/// A bar on a terminal, a line every so often elsewhere.
struct Progress {
    quiet: bool,
    bar: Option<(MultiProgress, ProgressBar)>,
    /// Tenths of the points of which there was a line.
    tenths: usize,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        let bar = || {
            let all = multi_progress();
            let bar = all.add(ProgressBar::new(0).with_style(style()));
            (all, bar)
        };
        Self {
            quiet,
            bar: (!quiet && print::is_terminal()).then(bar),
            tenths: 0,
        }
    }

    fn show(&mut self, event: LandscapeEvent<'_>) {
        match (event, &self.bar) {
            (LandscapeEvent::Warning(warning), _) => print::warning(self.bars(), "", warning),
            (LandscapeEvent::Stage(what), Some((_, bar))) => bar.set_message(what.to_owned()),
            (LandscapeEvent::Points { done, of }, Some((_, bar))) => {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
            _ if self.quiet => {}
            (LandscapeEvent::Stage(what), None) => print::note(what),
            (LandscapeEvent::Points { done, of }, None) => {
                let now = 10 * done / of.max(1);
                if now > self.tenths {
                    self.tenths = now;
                    print::note(format_args!("{done} of {of} points"));
                }
            }
        }
    }

    fn bars(&self) -> Option<&MultiProgress> {
        self.bar.as_ref().map(|(all, _)| all)
    }

    fn end(&self) {
        if let Some((_, bar)) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

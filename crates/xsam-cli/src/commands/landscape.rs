//! `xsam landscape`

use indicatif::{MultiProgress, ProgressBar};
use xsam_train::{
    Along, Error, Existing, Landscape, LandscapeEvent, LandscapeSpec, landscape as take,
};

use super::{Outcome, by_flag, stop_on_interrupt, subject};
use crate::args::{AlongName, LandscapeArguments};
use crate::print;
use crate::progress::{multi_progress, style};

/// Flags by the fields that they set.
const FLAGS: [(&str, &str); 5] = [
    ("points", "--points"),
    ("radius", "--radius"),
    ("rho", "--rho"),
    ("rho_max", "--rho-max"),
    ("ascent_steps", "--ascent-steps"),
];

pub(crate) fn run(arguments: LandscapeArguments) -> Result<Outcome, Error> {
    let spec = spec(&arguments)?;
    let mut progress = Progress::new(arguments.output.quiet || arguments.output.json);
    let stop = stop_on_interrupt(progress.bars());
    let taken = take(&arguments.subject.subject()?, &spec, &stop, &mut |event| {
        progress.show(event)
    });
    progress.end();
    let taken = taken.map_err(|error| by_flag(by_flag(error, &FLAGS), &subject::FLAGS))?;
    if arguments.output.json {
        print::json(&taken);
    } else {
        print::line(told(&taken));
    }
    Ok(match taken.complete {
        true => Outcome::Done,
        false => {
            print::error("the same command goes on with it");
            Outcome::Interrupted
        }
    })
}

fn spec(arguments: &LandscapeArguments) -> Result<LandscapeSpec, Error> {
    Ok(LandscapeSpec {
        along: match (&arguments.to, arguments.along) {
            (Some(path), _) => Along::To(path.clone()),
            (None, AlongName::Random) => Along::Random,
            (None, AlongName::Eigenvectors) => Along::Eigenvectors,
            (None, AlongName::Trajectory) => Along::Trajectory,
            (None, AlongName::Xsam) => Along::Xsam,
        },
        dimensions: if arguments.line { 1 } else { 2 },
        points: arguments.points,
        radius: arguments.radius,
        rho: arguments.rho,
        rho_max: arguments.rho_max,
        ascent_steps: arguments.ascent_steps,
        sample: arguments.subject.sample()?,
        existing: match arguments.overwrite {
            true => Existing::Overwrite,
            false => Existing::Refuse,
        },
    })
}

/// What was found, in a few lines.
fn told(taken: &Landscape) -> String {
    let report = &taken.report;
    let losses = report.losses();
    let known = losses.iter().copied().filter(|loss| loss.is_finite());
    let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| {
        (low.min(loss), high.max(loss))
    });
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
    text.push_str(&format!(
        "in {}: {}",
        taken.directory.display(),
        taken.files.join(", ")
    ));
    text
}

/// A bar on a terminal, a line every so often elsewhere.
enum Progress {
    Quiet,
    Bar(MultiProgress, ProgressBar),
    Lines { tenths: usize },
}

impl Progress {
    fn new(quiet: bool) -> Self {
        match (quiet, print::is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => {
                let all = multi_progress();
                let bar = all.add(ProgressBar::new(0).with_style(style()));
                Self::Bar(all, bar)
            }
            (false, false) => Self::Lines { tenths: 0 },
        }
    }

    fn show(&mut self, event: LandscapeEvent<'_>) {
        match (self, event) {
            (progress, LandscapeEvent::Warning(warning)) => {
                print::warning(progress.bars(), "", warning);
            }
            (Self::Quiet, _) => {}
            (Self::Bar(_, bar), LandscapeEvent::Stage(what)) => bar.set_message(what.to_owned()),
            (Self::Bar(_, bar), LandscapeEvent::Points { done, of }) => {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
            (Self::Lines { .. }, LandscapeEvent::Stage(what)) => print::note(what),
            (Self::Lines { tenths }, LandscapeEvent::Points { done, of }) => {
                let now = 10 * done / of.max(1);
                if now > *tenths {
                    *tenths = now;
                    print::note(format_args!("{done} of {of} points"));
                }
            }
        }
    }

    fn bars(&self) -> Option<&MultiProgress> {
        match self {
            Self::Bar(all, _) => Some(all),
            _ => None,
        }
    }

    fn end(&self) {
        if let Self::Bar(_, bar) = self {
            bar.finish_and_clear();
        }
    }
}

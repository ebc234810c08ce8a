//! `train`

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser};
use xsam_lab::files::{Existing, Terms};
use xsam_lab::numbers::{percent, with_unit};
use xsam_lab::spec::TaskSpec;
use xsam_lab::{Error, Part, Run, RunSummary, Status, Tasks, of_epochs};
use xsam_report::report;

use super::interrupted;
use crate::context::Outcome;
use crate::print::{self, OutputArguments};
use crate::progress::Progress;
use crate::ranks::RankArguments;
use crate::signals::stop_below;
use crate::source::{Otherwise, Source, SpecArguments};

/// One run: a model trained by one method from one seed.
#[derive(Debug, Parser)]
#[command(
    name = "train",
    after_help = "Examples:\n  {program} train --set method.name=sam --set method.rho=0.3 \
                        --set train.epochs=20 --out runs/sam\n  \
                  {program} train --resume runs/sam\n\n\
                  Ctrl-C, SIGTERM and a terminal that is closed (not with nohup) end a run after the step it is at, \
                  or the batch of an evaluation, with a checkpoint. A run that was interrupted or killed goes on \
                  with --resume, and then equals one that was not, on the same number of threads. With --resume, \
                  --set may raise train.epochs (the schedule is then that of the longer run, also where its steps \
                  are a share of the epochs by default) and change what leaves the steps as they are: \
                  train.checkpoint_every, checkpoint_steps, keep_checkpoints, log_every, measure_every, \
                  measure_rho, on_divergence and data.workers, and data.dir, if the data have been moved.\n\n\
                  spec.toml in the run's directory is what was asked for, and may be given again with other \
                  settings; run.json has what it came to.\n\n\
                  `tensorboard --logdir runs` shows all runs while they go."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    training: TrainingArguments,

    #[command(flatten)]
    ranks: RankArguments,
}

/// What a command that trains is told.
#[derive(Args, Debug)]
pub(crate) struct TrainingArguments {
    #[command(flatten)]
    pub(crate) spec: SpecArguments,

    /// Begins with the weights in this file, in place of those that the seed gives: .safetensors, or a state
    /// dict by torch.save, with the names of the model's PyTorch original. A key or a prefix around it is
    /// taken off, and told.
    #[arg(id = "train.init", long = "init", value_name = "FILE",
          value_parser = OsStringValueParser::new().try_map(path_in_a_spec))]
    pub(crate) init: Option<PathBuf>,

    /// Directory for the results; under runs/ if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Goes on with the interrupted results in this directory.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["spec", "preset", "train.init", "out", "overwrite"])]
    pub(crate) resume: Option<PathBuf>,

    /// With --resume, of a run whose latest checkpoint is damaged: goes on from the latest one that is whole.
    #[arg(long, requires = "resume")]
    pub(crate) recover: bool,

    /// With --resume: goes on although the data are not those of before. What has changed is then among the warnings of
    /// the run and in the report.
    #[arg(long, requires = "resume")]
    pub(crate) changed_data: bool,

    /// Replaces earlier results in the directory.
    #[arg(long)]
    pub(crate) overwrite: bool,

    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// A path that can be written into a spec.
fn path_in_a_spec(path: OsString) -> Result<PathBuf, String> {
    let text = path.into_string();
    text.map(PathBuf::from)
        .map_err(|path| format!("{} is not UTF-8, as a spec must be", path.display()))
}

impl TrainingArguments {
    /// The spec that is asked for, or `otherwise`, unless results go on that have one.
    pub(crate) fn source<L: Tasks>(
        &self,
        otherwise: Otherwise<'_>,
    ) -> Result<Source<L::Spec>, Error> {
        let resumed = self.resume.as_deref().map(Otherwise::Resumed);
        let mut source = self.spec.source::<L>(resumed.unwrap_or(otherwise))?;
        if let Some(file) = &self.init {
            source.spec.train.init = Some(file.clone());
        }
        Ok(source)
    }

    /// Where the results go, unless that is by the name of what is done.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        self.resume.clone().or_else(|| self.out.clone())
    }

    /// What to do with results that exist.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            existing: match &self.resume {
                Some(_) if self.recover => Existing::Recover,
                Some(_) => Existing::Resume,
                None if self.overwrite => Existing::Overwrite,
                None => Existing::Refuse,
            },
            changed_data: self.changed_data,
        }
    }
}

pub(crate) fn run<L: Tasks>(arguments: Arguments) -> Result<Outcome, Error> {
    let ranks = arguments.ranks.start()?;
    let training = arguments.training;
    let source = training.source::<L>(Otherwise::Defaults)?;
    let resolved = source.spec.clone().resolved();
    let spec = resolved.map_err(|error| source.blame(error.into()))?;
    let directory = training.directory().unwrap_or_else(|| {
        let (label, method) = (spec.task.label(), spec.method.name());
        PathBuf::from(format!("runs/{label}-{method}-seed{}", spec.train.seed))
    });

    let run = Run::prepare_on::<L>(&ranks, source.spec, &directory, training.terms())?;
    if !ranks.is_first() {
        let summary = run.train(&stop_below(None), &mut |_| {})?;
        return Ok(match summary.status {
            Status::Finished => Outcome::Done,
            _ => Outcome::Interrupted,
        });
    }
    if ranks.size() > 1 && !training.output.is_silent() {
        print::note(format_args!("shared out over {} ranks", ranks.size()));
    }
    let mut progress = Progress::new(&training.output, 1);
    let stop = stop_below(progress.bars());
    let trained = run.train(&stop, &mut |event| progress.show(&event));
    // Of a run that failed too: it says why.
    let made = report(&directory, print::name());
    let summary = trained?;
    made?;

    if !training.output.json {
        for line in outcome(&summary) {
            print::line(line);
        }
        print::line(format!(
            "in {}: metrics.csv, run.json, spec.toml, report.html, checkpoint/, events.out.tfevents.*",
            directory.display()
        ));
    }
    Ok(match summary.status {
        Status::Finished => Outcome::Done,
        _ => interrupted("train", &directory),
    })
}

/// What came out, in a few lines.
pub(super) fn outcome(summary: &RunSummary) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(last) = &summary.last {
        let first = of_epochs(&summary.scores);
        let test = first.column(Part::Test);
        let told = |value: f64| with_unit(value, &first.unit, first.digits + 1);
        let of_last = last.get(&test);
        let of_best = summary.best.as_ref();
        let of_best = of_best.and_then(|best| Some((told(best.get(&test)?), best.epoch)));
        let mean = summary.mean_of_last_5;
        let numbers = [
            of_last.map(|value| format!("last epoch {}", told(value))),
            of_best.map(|(value, epoch)| format!("best on validation {value} (epoch {epoch})")),
            mean.map(|mean| format!("mean of last 5 {}", told(mean))),
        ];
        let numbers: Vec<String> = numbers.into_iter().flatten().collect();
        if !numbers.is_empty() {
            lines.push(format!("test {}: {}", first.name, numbers.join(", ")));
        }
        lines.extend(summary.scores.iter().filter_map(|score| {
            let told = |part: Part| Some(score.told(last.get(&score.column(part))?));
            let (validation, test) = (told(Part::Validation)?, told(Part::Test)?);
            (*score != first).then(|| {
                let name = &score.name;
                format!("{name} of the last epoch: validation {validation}, test {test}")
            })
        }));
    }
    let collapsed = summary.collapsed.as_ref();
    lines.extend(collapsed.map(|reason| format!("it has collapsed: {reason}")));
    for (share, took) in [
        (summary.waiting_share, "waited for data for"),
        (
            summary.bookkeeping_share,
            "checkpoints, logs and progress took",
        ),
    ] {
        let line = |share| format!("{took} {} of the time of the steps", percent(share, 2));
        lines.extend(share.map(line));
    }
    if summary.restored > 0 {
        let times = summary.restored;
        lines.push(format!(
            "went back to a checkpoint {times} times because it diverged; the learning rate is that much halved"
        ));
    }
    lines
}

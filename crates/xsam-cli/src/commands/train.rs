//! `xsam train`

use std::path::PathBuf;

use xsam_train::{Error, Run, RunSummary, Status, report};

use super::{Outcome, Source, read, stop_on_interrupt, terms};
use crate::args::RunArguments;
use crate::print;
use crate::progress::Progress;

pub(crate) fn run(arguments: RunArguments) -> Result<Outcome, Error> {
    // A run that is resumed has its spec beside its results.
    let text = match &arguments.resume {
        Some(directory) => read(&directory.join("spec.toml"))?,
        None => String::new(),
    };
    let source = Source::new(&arguments, &text, Vec::new())?;
    let resolved = source.spec.clone().resolved();
    let spec = resolved.map_err(|error| source.blame(error.into()))?;
    let named = || {
        let (data, model, method) = (spec.data.name, spec.model.name, spec.method.name);
        PathBuf::from(format!(
            "runs/{data}-{model}-{method}-seed{}",
            spec.train.seed
        ))
    };
    let directory = arguments.resume.clone().or(arguments.out.clone());
    let directory = directory.unwrap_or_else(named);

    let run = Run::prepare(source.spec, &directory, terms(&arguments))?;
    let mut progress = Progress::new(&arguments.output, 1);
    let stop = stop_on_interrupt(progress.bars());
    let trained = run.train(&stop, &mut |event| progress.show(&event));
    // Of a run that failed too: it says why.
    let made = report(&directory);
    let summary = trained?;
    made?;

    if !arguments.output.json {
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
        _ => {
            print::error(format_args!(
                "to go on: xsam train --resume {}",
                directory.display()
            ));
            Outcome::Interrupted
        }
    })
}

/// What came out, in a few lines.
fn outcome(summary: &RunSummary) -> Vec<String> {
    let mut lines = Vec::new();
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    if let Some(last) = &summary.last {
        let mut accuracies = Vec::new();
        if let Some(accuracy) = last.test_accuracy {
            accuracies.push(format!("last epoch {}", percent(accuracy)));
        }
        if let Some(best) = &summary.best
            && let Some(accuracy) = best.test_accuracy
        {
            let (accuracy, epoch) = (percent(accuracy), best.epoch);
            accuracies.push(format!("best on validation {accuracy} (epoch {epoch})"));
        }
        if let Some(mean) = summary.mean_of_last_5 {
            accuracies.push(format!("mean of last 5 {}", percent(mean)));
        }
        if !accuracies.is_empty() {
            lines.push(format!("test accuracy: {}", accuracies.join(", ")));
        }
        if let (Some(validation), Some(test)) = (last.validation_bleu, last.test_bleu) {
            lines.push(format!(
                "BLEU of the last epoch: validation {validation:.2}, test {test:.2} (translations.txt)"
            ));
        }
    }
    if let Some(share) = summary.waiting_share {
        let share = percent(share);
        lines.push(format!(
            "waited for data for {share} of the time of the steps"
        ));
    }
    if let Some(share) = summary.bookkeeping_share {
        let share = percent(share);
        lines.push(format!(
            "checkpoints, logs and progress took {share} of the time of the steps"
        ));
    }
    if summary.restored > 0 {
        let times = summary.restored;
        lines.push(format!(
            "went back to a checkpoint {times} times because it diverged; the learning rate is that much halved"
        ));
    }
    lines
}

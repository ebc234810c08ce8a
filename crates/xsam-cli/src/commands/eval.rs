//! `eval`

use clap::Parser;
use xsam_lab::evaluate::{EvaluationReport, evaluate_trained};
use xsam_lab::numbers::TERMINAL;
use xsam_lab::{Error, Measured, Tasks};

use super::subject::SubjectArguments;
use crate::columns::aligned;
use crate::context::Outcome;
use crate::print;
use crate::signals::stop_on_interrupt;

/// How well a trained model does: its scores on the validation and test data.
#[derive(Debug, Parser)]
#[command(
    name = "eval",
    after_help = "Examples:\n  {program} eval runs/sam\n  \
                  {program} eval runs/sam/checkpoint/epoch-00010 --json\n  \
                  {program} eval model.safetensors --spec spec.toml\n\n\
                  The scores are those that train takes after its last epoch. Nothing is written."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: SubjectArguments,

    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run<L: Tasks>(Arguments { subject, json }: Arguments) -> Result<Outcome, Error> {
    let stop = stop_on_interrupt();
    let Some(report) = evaluate_trained::<L>(&subject.model::<L>(&subject.run)?, &stop)? else {
        return Ok(Outcome::Interrupted);
    };
    for warning in &report.warnings {
        print::warning(None, "", warning);
    }
    print::result(json, &report, || told(&report));
    Ok(Outcome::Done)
}

fn told(report: &EvaluationReport) -> String {
    let epochs = match report.epochs {
        0 => String::new(),
        epochs => format!(" after {epochs} epochs"),
    };
    let (from, model) = (report.checkpoint.display(), &report.model);
    let scores = &report.scores;
    let [validation, test] = [&scores.validation, &scores.test];
    let loss = |of: &Measured| TERMINAL.significant(of.loss, 5);
    let losses = ["loss".to_owned(), loss(validation), loss(test)];
    let others = report.declared.iter().map(|score| {
        // A dash if it was not computed.
        let of = |part: &Measured| {
            let value = part.values.get(&*score.name);
            value.map_or_else(|| "-".to_owned(), |value| score.told(*value))
        };
        [score.name.to_string(), of(validation), of(test)]
    });
    let rows = [losses].into_iter().chain(others);
    let table = aligned(&["score", "validation", "test"], rows);
    format!("{from}: {model}{epochs}\n{}", table.trim_end())
}

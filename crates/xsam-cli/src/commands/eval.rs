//! `eval`

use clap::Parser;
use xsam_lab::evaluate::{EvaluationReport, evaluate_trained};
use xsam_lab::numbers::TERMINAL;
use xsam_lab::{Error, Measured, Score, Tasks};

use super::subject::SubjectArguments;
use crate::columns::aligned;
use crate::context::{Context, Outcome};
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

pub(crate) fn run<L: Tasks>(
    Arguments { subject, json }: Arguments,
    program: &Context<L>,
) -> Result<Outcome, Error> {
    let stop = stop_on_interrupt();
    let Some(report) = evaluate_trained::<L>(&subject.model(program, &subject.run)?, &stop)? else {
        return Ok(Outcome::Interrupted);
    };
    for warning in &report.warnings {
        print::warning(None, "", warning);
    }
    if json {
        print::json(&report);
    } else {
        print::line(told(&report));
    }
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
    let mut rows = vec![
        ["score", "validation", "test"].map(str::to_owned),
        ["loss".to_owned(), loss(validation), loss(test)],
    ];
    rows.extend(report.declared.iter().map(|score| {
        let of = |part: &Measured| told_of(score, part);
        [score.name.to_string(), of(validation), of(test)]
    }));
    format!("{from}: {model}{epochs}\n{}", aligned(&rows).trim_end())
}

/// A score of a part of the data with its unit; a dash if it was not computed.
fn told_of(score: &Score, part: &Measured) -> String {
    let value = part.values.get(&*score.name);
    value.map_or_else(|| "-".to_owned(), |value| score.told(*value))
}

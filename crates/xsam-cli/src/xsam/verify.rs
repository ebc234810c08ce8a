//! `xsam verify`

use std::path::PathBuf;

use xsam_cli::clap::{self, Parser};
use xsam_cli::{Outcome, TaskError, named, print};
use xsam_kernels::Kernels;
use xsam_lab::spec::{DeviceName, Precision};
use xsam_lab::{check_device, hardware};
use xsam_tasks::{Case, CaseOutcome, Verdict, verify};

/// This build's numbers against reference cases, one line each.
#[derive(Debug, Parser)]
#[command(
    name = "verify",
    after_help = "Examples:\n  {program} verify --json\n  {program} verify --device cuda\n\n\
                  Exits with 1 if any case fails."
)]
pub(crate) struct Arguments {
    /// Reads the cases from the .json files of this directory, instead of the embedded ones.
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,

    /// Where to compute; all but cpu need a build with the feature of that name.
    #[arg(id = "train.device", long = "device", value_name = "DEVICE", default_value = "cpu",
          value_parser = named::<DeviceName>())]
    device: DeviceName,

    /// Number format of weights and computation.
    #[arg(id = "train.precision", long = "precision", value_name = "FORMAT", default_value = "f32",
          value_parser = named::<Precision>())]
    precision: Precision,

    /// What computes: our kernels, or Burn's operations alone.
    #[arg(long, value_name = "NAME", default_value = "fast", value_parser = named::<Kernels>())]
    kernels: Kernels,

    /// For machines: one JSON object a case.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, TaskError> {
    let Arguments {
        device,
        precision,
        kernels,
        ..
    } = arguments;
    precision.check_full()?;
    check_device(device, precision)?;
    let cases = match &arguments.cases {
        Some(directory) => Case::read_all(directory)?,
        None => Case::embedded(),
    };
    if let Some(hardware) = hardware(device).filter(|_| !arguments.json) {
        print::line(format!("{device}: {hardware}"));
    }
    let width = cases.iter().map(|case| case.name.len()).max().unwrap_or(0);
    let mut outcomes = Vec::with_capacity(cases.len());
    for case in &cases {
        let outcome = verify(case, device, precision, kernels);
        print::result(arguments.json, &outcome, || line(&outcome, width));
        outcomes.push(outcome);
    }
    let count = |verdict| outcomes.iter().filter(|o| o.verdict == verdict).count();
    let [passed, failed, skipped] = [Verdict::Pass, Verdict::Fail, Verdict::Skipped].map(count);
    if !arguments.json {
        print::line(format!(
            "{passed} passed, {failed} failed, {skipped} skipped"
        ));
    }
    Ok(match failed {
        0 => Outcome::Done,
        _ => Outcome::Failed,
    })
}

fn line(outcome: &CaseOutcome, width: usize) -> String {
    let verdict = match outcome.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Skipped => "skipped",
    };
    let head = format!("{:width$}  {verdict:7}", outcome.name);
    match (outcome.worst, outcome.tolerance) {
        (Some(worst), Some(tolerance)) => {
            let steps = match outcome.steps {
                0 => String::new(),
                steps => format!(" in {steps} steps"),
            };
            format!(
                "{head}  {} values{steps}, worst {worst:.1e} (tolerance {tolerance:.1e}): {}",
                outcome.compared, outcome.detail
            )
        }
        _ => format!("{head}  {}", outcome.detail),
    }
}

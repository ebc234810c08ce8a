//! `xsam verify`

use xsam_train::{
    Case, CaseOutcome, Error, SpecError, Verdict, check_device, hardware, parse_name, verify,
};

use super::{Outcome, by_flag};
use crate::args::VerifyArguments;
use crate::print;

/// Fields and the flags that set them.
const FLAGS: [(&str, &str); 2] = [
    ("train.device", "--device"),
    ("train.precision", "--precision"),
];

pub(crate) fn run(arguments: VerifyArguments) -> Result<Outcome, Error> {
    let usage = |key: &str| {
        let key = key.to_owned();
        move |message| Error::from(SpecError { key, message })
    };
    let device = parse_name(&arguments.device).map_err(usage("--device"))?;
    let precision = parse_name(&arguments.precision).map_err(usage("--precision"))?;
    let kernels = parse_name(&arguments.kernels).map_err(usage("--kernels"))?;
    check_device(device, precision).map_err(|error| by_flag(error.into(), &FLAGS))?;
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
        if arguments.json {
            print::json(&outcome);
        } else {
            print::line(line(&outcome, width));
        }
        outcomes.push(outcome);
    }
    let count = |verdict| outcomes.iter().filter(|o| o.verdict == verdict).count();
    let (passed, failed, skipped) = (
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Skipped),
    );
    if !arguments.json {
        print::line(format!(
            "{passed} passed, {failed} failed, {skipped} skipped"
        ));
    }
    Ok(if failed > 0 {
        Outcome::Failed
    } else {
        Outcome::Done
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

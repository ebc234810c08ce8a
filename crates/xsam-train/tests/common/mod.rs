//! What tests of whole runs share.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use xsam_train::{Error, Existing, Run, RunSummary, Spec, StopSignal};

/// The spec of these settings; of two of one field the later one holds.
pub fn spec(settings: &[&str], more: &[&str]) -> Spec {
    let settings: Vec<String> = settings
        .iter()
        .chain(more)
        .map(|s| (*s).to_owned())
        .collect();
    Spec::parse("", &settings).unwrap().0
}

pub fn train(spec: &Spec, directory: &Path, existing: Existing) -> Result<RunSummary, Error> {
    let run = Run::prepare(spec.clone(), directory, existing)?;
    run.train(&StopSignal::default(), &mut |_| {})
}

/// The rows of `metrics.csv` without the times they took.
pub fn rows(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("metrics.csv")).unwrap();
    text.lines()
        .map(|line| line.rsplitn(3, ',').nth(2).unwrap().to_owned())
        .collect()
}

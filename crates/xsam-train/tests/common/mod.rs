//! What tests of whole runs share.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use xsam_train::{Error, Event, Existing, Run, RunSummary, Spec, StopSignal};

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

/// Trains until `stop_at` steps are done.
pub fn interrupted(
    spec: &Spec,
    directory: &Path,
    existing: Existing,
    stop_at: usize,
) -> RunSummary {
    let stop = StopSignal::default();
    let mut steps = 0;
    let run = Run::prepare(spec.clone(), directory, existing).unwrap();
    run.train(&stop, &mut |event| {
        if let Event::Step { .. } = event {
            steps += 1;
            if steps == stop_at {
                stop.stop();
            }
        }
    })
    .unwrap()
}

/// The rows of `metrics.csv` without the times and the memory they took.
pub fn rows(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("metrics.csv")).unwrap();
    text.lines()
        .map(|line| line.rsplitn(4, ',').nth(3).unwrap().to_owned())
        .collect()
}

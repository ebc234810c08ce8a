//! Runs of tasks that are not the laboratory's.

use std::path::Path;

use xsam_lab::files::Existing;
use xsam_lab::spec::{Spec, TaskSpec};
use xsam_lab::{Event, Run, RunSummary, StopSignal, Tasks};

pub fn spec<S: TaskSpec>(settings: &[&str]) -> Spec<S> {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    Spec::parse("", &settings).unwrap().0
}

/// Trains for so many steps, or to the end.
pub fn train<L: Tasks>(
    spec: Spec<L::Spec>,
    directory: &Path,
    existing: Existing,
    steps: usize,
) -> RunSummary {
    let run = Run::prepare::<L>(spec, directory, existing).unwrap();
    let (stop, mut done) = (StopSignal::default(), 0);
    let summary = run.train(&stop, &mut |event| {
        if let Event::Step { .. } = event {
            done += 1;
            if done == steps {
                stop.stop();
            }
        }
    });
    summary.unwrap()
}

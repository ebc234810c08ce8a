//! Runs that are shared out over ranks, which are threads here.

use std::path::Path;

use xsam::collective::ThreadRanks;
use xsam_lab::files::Existing;
use xsam_lab::{Error, Ranks, Run, RunSummary, StopSignal, Trained};
use xsam_tasks::{Classification, OurTasks};

use crate::common::Runs;

/// Sixty images in batches of 25, of which the last has ten.
fn residual() -> Runs {
    Runs::new(&[
        "data.subset=60",
        "train.epochs=2",
        "train.batch_size=25",
        "train.precision=f64",
        "model.name=resnet18",
        "model.width=2",
    ])
}

fn shared_out(
    runs: &Runs,
    size: usize,
    name: &str,
    settings: &[&str],
) -> Vec<Result<RunSummary, Error>> {
    let (spec, directory) = (runs.spec(settings), runs.path(name));
    let directory: &Path = &directory;
    ThreadRanks::run(size, |collective| {
        let ranks = Ranks::new(collective.clone());
        let run = Run::prepare_on::<OurTasks>(&ranks, spec.clone(), directory, Existing::Refuse);
        let trained = run.and_then(|run| run.train(&StopSignal::default(), &mut |_| {}));
        if let Err(error) = &trained
            && !error.is_of_all_ranks()
        {
            collective.abort(&error.to_string());
        }
        trained
    })
}

/// Losses in training and of the test data.
fn losses(runs: &Runs, name: &str) -> Vec<f64> {
    let of_row = ["train_loss", "test_loss"];
    let rows = Trained::<Classification>::load(&runs.path(name))
        .unwrap()
        .rows;
    let losses = rows.iter().flat_map(|row| of_row.map(|name| row.get(name)));
    losses.map(|loss| loss.unwrap()).collect()
}

fn furthest(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f64::max)
}

#[test]
fn batch_norm_over_ranks_is_that_of_one_process() {
    let runs = residual();
    runs.run("one", &[]);
    let expected = losses(&runs, "one");
    for (size, settings) in [
        (2, &["train.sync_batch_norm=true"][..]),
        (3, &["train.sync_batch_norm=true"]),
        (2, &[]),
    ] {
        let name = format!("{size}-{}", settings.len());
        for summary in shared_out(&runs, size, &name, settings) {
            summary.unwrap();
        }
        let apart = furthest(&losses(&runs, &name), &expected);
        match settings.is_empty() {
            false => assert!(apart < 1e-9, "{size} ranks are {apart} away"),
            // Each by its own statistics.
            true => assert!(apart > 1e-4, "{apart}"),
        }
    }
}

#[test]
fn a_model_without_batch_norm_has_none_to_share() {
    let runs = residual();
    let settings = ["train.sync_batch_norm=true", "model.name=mlp"];
    let found = shared_out(&runs, 2, "run", &settings);
    let errors: Vec<Error> = found.into_iter().map(Result::unwrap_err).collect();
    let error = errors.iter().find(|error| error.is_usage()).unwrap();
    let error = error.to_string();
    assert!(
        error.contains("`train.sync_batch_norm`: the model has no batch norm"),
        "{error}"
    );
}

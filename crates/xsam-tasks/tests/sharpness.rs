//! Sharpness over time of a real model.
#![allow(missing_docs, clippy::unwrap_used)]

use xsam_lab::files::Existing;
use xsam_lab::flatness::{FlatnessSpec, flatness};
use xsam_lab::plan::measure;
use xsam_lab::{Metrics, Run, Sample, StopSignal, Subject};
use xsam_tasks::{OurSpec, OurTasks};

fn spec(more: &[&str]) -> OurSpec {
    let settings = [
        "data.subset=600",
        "model.name=small_cnn",
        "model.width=4",
        "method.name=sam",
        "method.rho=0.1",
        "optimizer.lr=0.1",
        "train.epochs=2",
        "train.batch_size=128",
        "train.measure_every=1",
        "train.measure_rho=0.1",
        "train.seed=3",
    ];
    let settings = settings.iter().chain(more);
    let settings: Vec<String> = settings.map(|s| (*s).to_owned()).collect();
    OurSpec::parse("", &settings).unwrap().0
}

#[test]
fn it_is_what_flatness_finds_afterwards() {
    let here = tempfile::tempdir().unwrap();
    let directory = here.path().join("run");
    let run = Run::prepare::<OurTasks>(spec(&[]), &directory, Existing::Refuse).unwrap();
    let summary = run.train(&StopSignal::default(), &mut |_| {}).unwrap();
    assert!(summary.warnings.is_empty(), "{:?}", summary.warnings);
    let rows = Metrics::read(&directory.join("metrics.csv")).unwrap();
    let of = |row: &Metrics| {
        ["lambda_max", "lambda_max_residual", "highest_rise"].map(|name| row.get(name).unwrap())
    };
    for row in &rows {
        let [largest, residual, rise] = of(row);
        assert!(largest > 0.0 && rise > 0.0, "{largest} {rise}");
        assert!(residual < 0.05 * largest, "{residual} of {largest}");
    }
    assert_ne!(of(&rows[0]), of(&rows[1]));

    let how = FlatnessSpec {
        top: 1,
        sharpness: Some(0.1),
        sample: Sample {
            seed: 3,
            ..Sample::default()
        },
        ..FlatnessSpec::default()
    };
    let report = flatness::<OurTasks>(&Subject::run(&directory), &how, &mut |_| {}).unwrap();
    let [largest, residual, rise] = of(&rows[1]);
    assert_eq!(rise, report.sharpness.unwrap().worst);
    let converged = report.eigenvalues.pairs[0].value;
    assert!(
        (largest - converged).abs() <= residual + 1e-3 * largest,
        "{largest} {converged}"
    );
}

#[test]
fn a_run_in_small_batches_is_measured_in_such() {
    let here = tempfile::tempdir().unwrap();
    let rise = |name: &str, more: &[&str]| {
        let directory = here.path().join(name);
        let run = Run::prepare::<OurTasks>(spec(more), &directory, Existing::Refuse).unwrap();
        let summary = run.train(&StopSignal::default(), &mut |_| {}).unwrap();
        summary.last.unwrap().get("highest_rise").unwrap()
    };
    // A plan of one batch of the sample is as one of all.
    let small = [
        "train.batch_size=100",
        "train.micro_batches=4",
        "train.epochs=1",
    ];
    assert!(rise("small", &small) > 0.0);
    let measured = measure::<OurTasks>(&spec(&small), Some(3), &here.path().join("plan")).unwrap();
    assert!(measured.sharpness.unwrap().median_s > 0.0);
}

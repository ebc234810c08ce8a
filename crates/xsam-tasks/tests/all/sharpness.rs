//! Sharpness over time of a real model.

use crate::common::{OurTasks, Runs, Subject, flatness};
use xsam_lab::flatness::FlatnessSpec;
use xsam_lab::plan::measure;
use xsam_lab::{Metrics, Sample};

fn runs() -> Runs {
    Runs::new(&[
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
    ])
}

#[test]
fn it_is_what_flatness_finds_afterwards() {
    let runs = runs();
    let summary = runs.run("run", &[]);
    assert!(summary.warnings.is_empty(), "{:?}", summary.warnings);
    let directory = runs.path("run");
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
    let report = flatness(&Subject::run(&directory), &how, &mut |_| {}).unwrap();
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
    let runs = runs();
    let small = [
        "train.batch_size=100",
        "train.micro_batches=4",
        "train.epochs=1",
    ];
    let last = runs.run("small", &small).last.unwrap();
    assert!(last.get("highest_rise").unwrap() > 0.0);
    // A plan of one batch of the sample is as one of all.
    let measured = measure::<OurTasks>(&runs.spec(&small), Some(3), &runs.path("plan")).unwrap();
    assert!(measured.sharpness.unwrap().median_s > 0.0);
}

//! Runs in mixed precision.

use crate::common::{Runs, Subject, assert_refused, flatness};
use xsam_lab::flatness::FlatnessSpec;
use xsam_lab::spec::Precision;
use xsam_lab::{RunSummary, Status};

fn accuracy(summary: &RunSummary) -> f64 {
    summary.last.as_ref().unwrap().get("test_accuracy").unwrap()
}

#[test]
fn digits_are_learned_as_well_as_in_single_precision() {
    let runs = Runs::new(&[
        "model.name=small_cnn",
        "model.width=8",
        "data.subset=400",
        "train.epochs=12",
        "train.batch_size=20",
        "method.name=xsam",
        "method.rho=0.05",
        "method.parabola=true",
    ]);
    let single = accuracy(&runs.run("f32", &[]));
    assert!(single > 0.85, "{single}");
    for format in ["f16", "bf16"] {
        let precision = format!("train.precision={format}");
        let summary = runs.run(format, &[&precision]);
        let found = accuracy(&summary);
        assert!((found - single).abs() < 0.04, "{format}: {found}, {single}");
        // An interrupted run has its loss scale and its weights again, to the bit.
        let parts = format!("{format} in parts");
        runs.interrupted(&parts, &[&precision], 50);
        let resumed = runs.resume(&parts, &[&precision]).unwrap();
        assert_eq!(resumed.status, Status::Finished);
        assert_eq!(runs.rows(&parts), runs.rows(format));
        // What is measured of it is in single precision.
        let report = flatness(
            &Subject::run(runs.path(format)),
            &FlatnessSpec::default(),
            &mut |_| {},
        );
        assert_eq!(report.unwrap().precision, Precision::F32);
    }
}

#[test]
fn what_half_precision_has_no_digits_for_is_refused() {
    assert_refused(
        &["train.precision=bf16"],
        "train.measure_every=1 => `train.measure_every`: differences of gradients",
    );
    let runs = Runs::new(&["data.subset=60", "train.epochs=1"]);
    runs.run("run", &[]);
    let mut spec = FlatnessSpec::default();
    spec.sample.precision = Some(Precision::F16);
    let error = flatness(&Subject::run(runs.path("run")), &spec, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("f32 or f64"), "{error}");
}

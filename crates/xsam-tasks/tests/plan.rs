//! What a run costs, measured on a short one.

#![allow(clippy::unwrap_used)]

use xsam_lab::plan::measure;
use xsam_tasks::{OurSpec, OurTasks};

#[test]
fn every_part_of_a_short_run_is_measured() {
    let settings = [
        "data.subset=60",
        "train.batch_size=16",
        "model.name=mlp",
        "method.search={every-steps=5}",
    ];
    let (spec, _) = OurSpec::parse("", &settings.map(str::to_owned)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let measured = measure::<OurTasks>(&spec, Some(7), directory.path()).unwrap();
    assert_eq!((measured.steps_per_epoch, measured.step.count), (4, 7));
    assert_eq!((measured.gradient_passes, measured.search_passes), (2, 21));
    let search = measured.search.unwrap();
    let parts = [
        measured.epoch_start,
        measured.step,
        search,
        measured.evaluation,
        measured.records,
        measured.checkpoint,
    ];
    for part in parts {
        assert!(part.count > 0 && part.median_s > 0.0, "{part:?}");
        assert!(part.low_s <= part.median_s && part.median_s <= part.high_s);
        assert!(part.high_s.is_finite());
    }
    assert!(measured.setup_s > 0.0 && measured.setup_s.is_finite());
    assert_eq!(measured.further, None);
}

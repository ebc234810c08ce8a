//! What a run costs, measured on a short one.

use crate::common::{OurTasks, Runs};
use xsam_lab::plan::measure;

#[test]
fn every_part_of_a_short_run_is_measured() {
    let runs = Runs::new(&[
        "data.subset=60",
        "train.batch_size=16",
        "model.name=mlp",
        "method.search={every-steps=5}",
    ]);
    let measured = measure::<OurTasks>(&runs.spec(&[]), Some(7), &runs.path("plan")).unwrap();
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

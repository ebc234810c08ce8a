//! Memory of a long run. By itself: other tests in its process would be measured too.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::fs;

use common::{Runs, prepare};
use xsam_lab::files::Existing;
use xsam_lab::{Event, StopSignal};

/// Resident memory of this process in 10^6 bytes, on Linux.
fn resident_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

#[test]
fn memory_does_not_grow_over_two_thousand_steps() {
    // A tensor of the batch is 50 kB: one that is kept in every step would be 100 MB.
    const GROWTH_MB: f64 = 10.0;
    let runs = Runs::new(&[
        "data.subset=400",
        "train.batch_size=20",
        "train.epochs=125",
        "train.evaluate_every=25",
        "train.checkpoint_every=25",
        "train.log_every=1",
        "augmentation.crop_padding=1",
        "method.name=xsam",
    ]);
    let run = prepare(runs.spec(&[]), &runs.path("run"), Existing::Refuse).unwrap();
    let (mut steps, mut early, mut late) = (0, None, None);
    run.train(&StopSignal::default(), &mut |event| {
        if let Event::Step { .. } = event {
            steps += 1;
            match steps {
                500 => early = resident_mb(),
                2500 => late = resident_mb(),
                _ => {}
            }
        }
    })
    .unwrap();
    assert_eq!(steps, 2500);
    let (Some(early), Some(late)) = (early, late) else {
        eprintln!("left out: the system does not tell");
        return;
    };
    assert!(
        late < early + GROWTH_MB,
        "{early} MB after 500 steps, {late} MB after 2500"
    );
}

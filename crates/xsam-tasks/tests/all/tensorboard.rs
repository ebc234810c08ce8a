//! Event files as TensorBoard itself reads them, where its Python package is installed.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use crate::common::Runs;

/// Prints the scalars of an event file: by its name, steps and values.
const READ: &str = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
read = EventAccumulator(sys.argv[1])
read.Reload()
tags = read.Tags()['scalars']
print(json.dumps({tag: [[e.step, e.value] for e in read.Scalars(tag)] for tag in tags}))
";

type Scalars = BTreeMap<String, Vec<(usize, f64)>>;

#[test]
fn tensorboard_reads_what_a_run_has_measured() {
    let python = env::var("XSAM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python)
        .args(["-c", "import tensorboard"])
        .output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("left out: {python} has no tensorboard");
        return;
    }
    let runs = Runs::new(&[
        "data.subset=200",
        "train.epochs=3",
        "train.batch_size=50",
        "train.log_every=2",
    ]);
    // Interrupted once, so that there are numbers to be cut off.
    runs.interrupted("run", &[], 6);
    let last = runs.resume("run", &[]).unwrap().last.unwrap();

    let output = Command::new(&python)
        .args(["-c", READ])
        .arg(runs.path("run"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let scalars: Scalars = serde_json::from_slice(&output.stdout).unwrap();

    let numbers = |tag: &str| -> Vec<usize> {
        let of = scalars.get(tag).unwrap_or_else(|| panic!("no {tag}"));
        of.iter().map(|(step, _)| *step).collect()
    };
    for (tag, value) in [
        ("train/loss", last.get("train_loss")),
        ("train/accuracy", last.get("train_accuracy")),
        ("validation/loss", last.get("validation_loss")),
        ("test/accuracy", last.get("test_accuracy")),
        ("train/lr", last.get("lr")),
        ("train/alpha", last.get("alpha")),
        ("train/psi", last.get("psi")),
        ("train/grad_norm", last.get("grad_norm")),
        (
            "time/seconds_per_step",
            last.get("seconds").map(|seconds| seconds / 4.0),
        ),
        ("memory/peak_mb", last.get("peak_mb")),
    ] {
        let Some(value) = value else {
            // Memory, where the system does not tell.
            continue;
        };
        assert_eq!(numbers(tag), [4, 8, 12], "{tag}");
        let found = scalars[tag][2].1;
        let close = (found - value).abs() <= 1e-6 * value.abs();
        assert!(close, "{tag}: {found} is not {value}");
    }
    for tag in ["step/loss", "step/alpha", "step/lr", "step/ascent_loss"] {
        assert_eq!(numbers(tag), [2, 4, 6, 8, 10, 12], "{tag}");
    }
}

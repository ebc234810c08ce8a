//! Devices that this build does not have.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;

use common::{SHORT, fails, read, succeeds};
use xsam_lab::spec::DeviceName;
use xsam_names::Named;

/// Those without their feature; all but the processor in the default build.
fn missing() -> impl Iterator<Item = String> {
    let all = DeviceName::all().into_iter();
    all.filter(|device| !device.is_built_in())
        .map(|device| device.to_string())
}

#[test]
fn one_that_is_not_built_in_is_met_with_the_command_that_builds_it() {
    let here = tempfile::tempdir().unwrap();
    for device in missing() {
        for command in ["train", "compare", "plan", "verify", "bench --model mlp"] {
            let message = format!(
                "xsam: `--device`: this build cannot compute on {device}: `cargo build --release -p xsam-cli \
                 --features {device}` makes one that can (this one has: cpu"
            );
            fails(&here, &format!("{command} --device {device}"), 2, &message);
        }
        let message = format!("xsam: `train.device`: this build cannot compute on {device}");
        let line = format!("train --set train.device={device}");
        fails(&here, &line, 2, &message);
    }
    // Nothing was begun.
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
}

#[test]
fn a_name_of_no_device_is_met_with_the_nearest() {
    let here = tempfile::tempdir().unwrap();
    let message = "'--device <DEVICE>': there is no device `cudda`; did you mean `cuda`?";
    for command in ["verify", "bench", "train"] {
        fails(&here, &format!("{command} --device cudda"), 2, message);
    }
}

#[test]
fn the_run_of_another_machine_is_looked_at_on_this_one() {
    let here = tempfile::tempdir().unwrap();
    succeeds(&here, &format!("train --out run {SHORT}"));
    let spec = here.path().join("run/spec.toml");
    let text = read(&spec);
    let flatness = "flatness run --samples 50 --top 1";
    for device in missing() {
        let elsewhere = text.replace("device = \"cpu\"", &format!("device = \"{device}\""));
        assert_ne!(elsewhere, text);
        fs::write(&spec, elsewhere).unwrap();

        let message = format!("`--device`: this build cannot compute on {device}");
        fails(&here, flatness, 2, &message);
        succeeds(&here, "export run --overwrite --out w.safetensors");
    }
    succeeds(&here, &format!("{flatness} --device cpu"));
}

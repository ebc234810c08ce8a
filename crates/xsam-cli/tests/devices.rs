//! Devices that this build does not have.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;

use common::{SHORT, assert_fails, xsam};
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
        for command in [
            &["train"][..],
            &["compare"],
            &["plan"],
            &["verify"],
            &["bench", "--model", "mlp"],
        ] {
            let command = [command, &["--device", &device]].concat();
            let message = format!(
                "xsam: `--device`: this build cannot compute on {device}: `cargo build --release -p xsam-cli \
                 --features {device}` makes one that can (this one has: cpu"
            );
            assert_fails(&xsam(here.path(), &command), 2, &message);
        }
    }
    for device in missing() {
        let setting = format!("train.device={device}");
        let message = format!("xsam: `train.device`: this build cannot compute on {device}");
        let output = xsam(here.path(), &["train", "--set", &setting]);
        assert_fails(&output, 2, &message);
    }
    // Nothing was begun.
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
}

#[test]
fn a_name_of_no_device_is_met_with_the_nearest() {
    let here = tempfile::tempdir().unwrap();
    let message = "'--device <DEVICE>': there is no device `cudda`; did you mean `cuda`?";
    for command in ["verify", "bench", "train"] {
        let output = xsam(here.path(), &[command, "--device", "cudda"]);
        assert_fails(&output, 2, message);
    }
}

#[test]
fn the_run_of_another_machine_is_looked_at_on_this_one() {
    let here = tempfile::tempdir().unwrap();
    let train = [&["train", "--out", "run"][..], &SHORT].concat();
    assert!(xsam(here.path(), &train).status.success());
    let spec = here.path().join("run/spec.toml");
    let text = fs::read_to_string(&spec).unwrap();
    let flatness = ["flatness", "run", "--samples", "50", "--top", "1"];
    for device in missing() {
        let elsewhere = text.replace("device = \"cpu\"", &format!("device = \"{device}\""));
        assert_ne!(elsewhere, text);
        fs::write(&spec, elsewhere).unwrap();

        let message = format!("`--device`: this build cannot compute on {device}");
        assert_fails(&xsam(here.path(), &flatness), 2, &message);
        let export = ["export", "run", "--overwrite", "--out", "w.safetensors"];
        assert!(xsam(here.path(), &export).status.success());
    }
    let here_then = [&flatness[..], &["--device", "cpu"]].concat();
    assert!(xsam(here.path(), &here_then).status.success());
}

//! Measurements of trained models: flatness and landscapes.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{assert_fails, lines, text, xsam};
use serde_json::Value;
use tempfile::TempDir;

/// Two short runs, `a` with its last three checkpoints, and `b`.
fn trained() -> TempDir {
    let here = tempfile::tempdir().unwrap();
    let short = [
        "data.subset=100",
        "train.epochs=3",
        "train.keep_checkpoints=3",
        "model.name=small_cnn",
    ];
    for (out, seed) in [("a", "train.seed=0"), ("b", "train.seed=1")] {
        let settings = short.iter().chain([&seed]);
        let settings = settings.flat_map(|setting| ["--set", *setting]);
        let train: Vec<&str> = ["train", "--out", out]
            .into_iter()
            .chain(settings)
            .collect();
        assert!(xsam(here.path(), &train).status.success());
    }
    here
}

#[test]
fn the_flatness_of_a_run_is_measured_and_written_down() {
    let here = trained();
    let flags = ["--samples", "60", "--top", "2"];
    let all = [
        "--trace",
        "9",
        "--sharpness",
        "0.1",
        "--density",
        "--layers",
    ];
    let output = xsam(
        here.path(),
        &[&["flatness", "a", "--json"][..], &flags, &all].concat(),
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = &lines(&output)[0];
    let pairs = report["eigenvalues"]["pairs"].as_array().unwrap();
    let values: Vec<f64> = pairs
        .iter()
        .map(|pair| pair["value"].as_f64().unwrap())
        .collect();
    assert_eq!(values.len(), 3);
    assert!(values.is_sorted_by(|a, b| a >= b), "{values:?}");
    assert_eq!(
        (&report["samples"], &report["mode"]),
        (&60.into(), &"evaluation".into())
    );
    assert!(report["trace"]["standard_error"].as_f64().unwrap() > 0.0);
    assert!(report["sharpness"]["worst"].as_f64() >= report["sharpness"]["searched"].as_f64());
    assert_eq!(
        report["directions"]["distances"].as_array().unwrap().len(),
        4
    );
    assert_eq!(report["layers"][0]["name"], "conv1");
    assert_eq!(report["density"]["probes"].as_array().unwrap().len(), 8);
    let file = fs::read_to_string(here.path().join("a/flatness.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap(), *report);

    let compared = [&["flatness", "a", "--compare", "b", "-q"][..], &flags].concat();
    let compared = xsam(here.path(), &compared);
    assert!(compared.status.success(), "{}", text(&compared.stderr));
    let table = text(&compared.stdout);
    assert!(
        table.contains("smallest eigenvalue") && table.contains("highest rise"),
        "{table}"
    );

    for (arguments, code, expected) in [
        (
            &["flatness", "a", "--top", "0"][..],
            2,
            "`--top`: 0 must be at least 1",
        ),
        (
            &["flatness", "a", "--trace", "2"],
            2,
            "`--trace`: 2 must be at least 3",
        ),
        (
            &["flatness", "a", "--sharpness=-1"],
            2,
            "`--sharpness`: -1 must be finite",
        ),
        (
            &["flatness", "a", "--precision", "f16"],
            2,
            "'--precision <FORMAT>'",
        ),
        (
            &["flatness", "a", "--samples", "0"],
            2,
            "`--samples`: 0 must be at least 1",
        ),
        (
            &["flatness", "a", "--top", "100000"],
            2,
            "`--top`: 100000 largest eigenvalues",
        ),
        (
            &["flatness", "a", "--trace", "1000000000000"],
            2,
            "`--trace`: 1000000000000 must be at most 1000000",
        ),
        (
            &["flatness", "a", "--spec", "a/spec.toml"],
            2,
            "a run has a spec of its own",
        ),
        (&["flatness", "nowhere"], 1, "nowhere"),
    ] {
        assert_fails(&xsam(here.path(), arguments), code, expected);
    }
    // A run that is missing, before those that are there are measured.
    let missing = ["flatness", "a", "--compare", "b", "nowhere"];
    let missing = xsam(here.path(), &missing);
    assert!(!text(&missing.stderr).contains("loading"));
    assert_fails(&missing, 1, "nowhere");
    // More eigenvalues than there are is told before anything is measured.
    let many = ["flatness", "a", "--sharpness", "--top", "100000"];
    let many = text(&xsam(here.path(), &many).stderr);
    assert!(
        many.contains("loading") && !many.contains("directions of the methods"),
        "{many}"
    );
}

#[test]
fn weights_from_pytorch_are_measured_like_a_run() {
    let here = trained();
    let spec = ["--spec", "a/spec.toml", "--samples", "60", "--top", "1"];
    let export = ["export", "a", "--out", "model.pt"];
    assert!(xsam(here.path(), &export).status.success());
    let of_file = xsam(
        here.path(),
        &[&["flatness", "model.pt", "--json"][..], &spec].concat(),
    );
    assert!(of_file.status.success(), "{}", text(&of_file.stderr));
    let of_run = ["flatness", "a", "--json", "--samples", "60", "--top", "1"];
    let of_run = xsam(here.path(), &of_run);
    let (file, run) = (&lines(&of_file)[0], &lines(&of_run)[0]);
    assert_eq!(file["eigenvalues"], run["eigenvalues"]);
    assert_eq!(file["loss"], run["loss"]);
    assert!(here.path().join("model.flatness/flatness.json").exists());

    assert_fails(
        &xsam(here.path(), &["flatness", "model.pt"]),
        2,
        "model.pt is a file of weights: say of which model they are",
    );
    let other = ["--set", "model.name=mlp"];
    assert_fails(
        &xsam(
            here.path(),
            &[&["flatness", "model.pt"][..], &other].concat(),
        ),
        1,
        "missing: fc1.weight",
    );
}

fn table(directory: &Path, name: &str) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(directory.join(name)).unwrap();
    let row = |line: &str| line.split(',').map(|x| x.parse().unwrap()).collect();
    text.lines().skip(1).map(row).collect()
}

#[test]
fn landscapes_are_taken_drawn_and_gone_on_with() {
    let here = trained();
    let folder = here.path().join("a/landscape");
    let few = ["--samples", "40", "--points", "5", "--json"];
    let take = |flags: &[&str]| {
        let output = xsam(here.path(), &[&["landscape", "a"], flags, &few].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        lines(&output)[0].clone()
    };
    for (flags, name, points) in [
        (&[][..], "random-plane", 25),
        (&["--line"], "random-line", 5),
        (&["--along", "eigenvectors"], "eigenvectors-plane", 25),
        (&["--along", "trajectory"], "trajectory-plane", 25),
        (&["--along", "xsam", "--rho", "0.1"], "xsam", 100),
        (&["--to", "b"], "to-b", 5),
    ] {
        let taken = take(flags);
        assert_eq!(taken["name"], name);
        assert_eq!(taken["losses"].as_array().unwrap().len(), points);
        assert_eq!(table(&folder, &format!("{name}.csv")).len(), points);
        for file in taken["files"].as_array().unwrap() {
            let file = folder.join(file.as_str().unwrap());
            assert!(fs::metadata(&file).unwrap().len() > 0, "{}", file.display());
        }
        for ending in ["svg", "png"] {
            assert!(folder.join(format!("{name}.{ending}")).exists());
        }
        if name == "xsam" {
            // The run's own was that of its rho, and nobody asked for it.
            assert_eq!(taken["plane"]["rho_max"], 0.2);
        }
        // It is there: nothing is computed again.
        assert_eq!(take(flags), taken);
    }
    // The middle of a plane, one end of the way, and its other end are models that are known.
    let plane = table(&folder, "random-plane.csv");
    let middle = &plane[12];
    assert_eq!(middle[..2], [0.0, 0.0]);
    let of = |run: &str| {
        let output = xsam(
            here.path(),
            &["flatness", run, "--samples", "40", "--top", "1", "--json"],
        );
        lines(&output)[0]["loss"].as_f64().unwrap()
    };
    assert!((middle[2] - of("a")).abs() < 1e-6);
    let few_points = [
        "landscape",
        "a",
        "--to",
        "b",
        "--samples",
        "40",
        "--points",
        "3",
    ];
    let whole = [&few_points[..], &["--radius", "1", "--overwrite"]].concat();
    assert!(xsam(here.path(), &whole).status.success());
    let way = table(&folder, "to-b.csv");
    assert_eq!([way[0][0], way[1][0], way[2][0]], [-1.0, 0.5, 2.0]);

    // A landscape that is not complete goes on, and comes to the same.
    let path = folder.join("random-line.json");
    let complete = fs::read_to_string(&path).unwrap();
    let mut part: Value = serde_json::from_str(&complete).unwrap();
    part["losses"][1] = Value::Null;
    part["losses"][3] = Value::Null;
    fs::write(&path, part.to_string()).unwrap();
    let again = take(&["--line"]);
    let whole: Value = serde_json::from_str(&complete).unwrap();
    assert_eq!(again["losses"], whole["losses"]);

    let other = [
        "landscape",
        "a",
        "--line",
        "--samples",
        "40",
        "--points",
        "7",
    ];
    assert_fails(
        &xsam(here.path(), &other),
        2,
        "random-line.json is a landscape with other settings",
    );
    fs::write(&path, "{").unwrap();
    assert_fails(&xsam(here.path(), &other), 1, "random-line.json is damaged");
    let other = [&other[..], &["--overwrite"]].concat();
    assert!(xsam(here.path(), &other).status.success());
    for (arguments, code, expected) in [
        (
            &["landscape", "a", "--points", "2"][..],
            2,
            "`--points`: 2 must be from 3 to 501",
        ),
        (
            &["landscape", "a", "--along", "xsam", "--rho", "0"],
            2,
            "`--rho`: 0 must be finite and above 0",
        ),
        (&["landscape", "a", "--to", "nowhere"], 1, "nowhere"),
        (&["landscape", "nowhere"], 1, "nowhere"),
    ] {
        assert_fails(&xsam(here.path(), arguments), code, expected);
    }
}

/// The weights in `w.safetensors`, of a multilayer perceptron, made such that the loss has no curvature: its hidden units
/// are dead, and one class is certain.
fn flatten(here: &Path) {
    let path = here.join("w.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let head = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let names: Value = serde_json::from_slice(&bytes[8..head]).unwrap();
    let at = |name: &str, i: usize| {
        let bounds = &names[name]["data_offsets"];
        head + bounds[i].as_u64().unwrap() as usize
    };
    bytes[head..].fill(0);
    let certain = at("fc2.bias", 0);
    bytes[certain..certain + 4].copy_from_slice(&1e4f32.to_le_bytes());
    for dead in bytes[at("fc1.bias", 0)..at("fc1.bias", 1)].chunks_mut(4) {
        dead.copy_from_slice(&(-1e4f32).to_le_bytes());
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_density_that_cannot_be_drawn_is_a_warning_after_the_numbers() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let train = ["train", "--out", "a", "--set", "model.name=mlp"];
    xsam(here, &[&train[..], &common::SHORT].concat());
    xsam(here, &["export", "a", "--out", "w.safetensors"]);
    flatten(here);
    let flags = ["--spec", "a/spec.toml", "--density", "--top", "1", "-q"];
    let flatness = [&["flatness", "w.safetensors"], &flags[..]].concat();
    let output = xsam(here, &flatness);
    let (told, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(told.contains("eigenvalue 1") && told.contains("Density from 8 probes"));
    assert!(!told.contains("NaN"), "{told}");
    assert!(
        said.starts_with("xsam: warning: w.safetensors: cannot draw "),
        "{said}"
    );
    assert!(
        said.ends_with("density.svg: no value can be drawn\n"),
        "{said}"
    );
    let file = fs::read_to_string(here.join("w.flatness/flatness.json")).unwrap();
    let report: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(report["density"]["probes"].as_array().unwrap().len(), 8);
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(said.contains(warning), "{warning}");
}

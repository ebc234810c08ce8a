//! Measurements of trained models: flatness and landscapes.

use std::fs;
use std::path::Path;

use crate::common::{self, SHORT, assert_contains, fails, json, lines, read, succeeds, text, xsam};
use serde_json::Value;
use tempfile::TempDir;

/// Two short runs, `a` with its last three checkpoints, and `b`.
fn trained() -> TempDir {
    let here = tempfile::tempdir().unwrap();
    let short =
        common::set("data.subset=100 train.epochs=3 train.keep_checkpoints=3 model.name=small_cnn");
    for (out, seed) in [("a", 0), ("b", 1)] {
        let train = format!("train --out {out} --set train.seed={seed} {short}");
        succeeds(&here, &train);
    }
    here
}

#[test]
fn the_flatness_of_a_run_is_measured_and_written_down() {
    let here = trained();
    let flags = "--samples 60 --top 2";
    let all = "--trace 9 --sharpness 0.1 --density --layers";
    let output = succeeds(&here, &format!("flatness a --json {flags} {all}"));
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
    assert_eq!(json(here.path().join("a/flatness.json")), *report);

    let compared = succeeds(&here, &format!("flatness a --compare b -q {flags}"));
    let words = ["smallest eigenvalue", "highest rise"];
    assert_contains(&text(&compared.stdout), &words);

    for (line, code, expected) in [
        ("a --top 0", 2, "`--top`: 0 must be at least 1"),
        ("a --trace 2", 2, "`--trace`: 2 must be at least 3"),
        ("a --sharpness=-1", 2, "`--sharpness`: -1 must be finite"),
        (
            "a --precision f16",
            2,
            "`--precision`: f16 has too few digits",
        ),
        ("a --precision f61", 2, "'--precision <FORMAT>'"),
        ("a --samples 0", 2, "`--samples`: 0 must be at least 1"),
        ("a --top 100000", 2, "`--top`: 100000 largest eigenvalues"),
        (
            "a --trace 1000000000000",
            2,
            "`--trace`: 1000000000000 must be at most 1000000",
        ),
        ("a --spec a/spec.toml", 2, "a run has a spec of its own"),
        ("nowhere", 1, "nowhere"),
        // A run that is missing, before those that are there are measured.
        ("a --compare b nowhere", 1, "nowhere"),
    ] {
        fails(&here, &format!("flatness {line}"), code, expected);
    }
    let missing = xsam(&here, "flatness a --compare b nowhere");
    assert!(!text(&missing.stderr).contains("loading"));
    // More eigenvalues than there are is told before anything is measured.
    let many = xsam(&here, "flatness a --sharpness --top 100000");
    let many = text(&many.stderr);
    assert_contains(&many, &["loading"]);
    assert!(!many.contains("directions of the methods"), "{many}");
}

#[test]
fn weights_from_pytorch_are_measured_like_a_run() {
    let here = trained();
    succeeds(&here, "export a --out model.pt");
    let of = |of: &str| {
        let line = format!("flatness {of} --json --samples 60 --top 1");
        lines(&succeeds(&here, &line)).remove(0)
    };
    let (file, run) = (of("model.pt --spec a/spec.toml"), of("a"));
    assert_eq!(file["eigenvalues"], run["eigenvalues"]);
    assert_eq!(file["loss"], run["loss"]);
    assert!(here.path().join("model.flatness/flatness.json").exists());

    let unknown = "model.pt is a file of weights: say of which model they are";
    fails(&here, "flatness model.pt", 2, unknown);
    let other = "flatness model.pt --set model.name=mlp";
    fails(&here, other, 1, "missing: fc1.weight");
}

fn table(directory: &Path, name: &str) -> Vec<Vec<f64>> {
    let text = read(directory.join(name));
    let row = |line: &str| line.split(',').map(|x| x.parse().unwrap()).collect();
    text.lines().skip(1).map(row).collect()
}

#[test]
fn landscapes_are_taken_drawn_and_gone_on_with() {
    let here = trained();
    let folder = here.path().join("a/landscape");
    let take = |flags: &str| {
        let line = format!("landscape a {flags} --samples 40 --points 5 --json");
        lines(&succeeds(&here, &line)).remove(0)
    };
    for (flags, name, points) in [
        ("", "random-plane", 25),
        ("--line", "random-line", 5),
        ("--along eigenvectors", "eigenvectors-plane", 25),
        ("--along trajectory", "trajectory-plane", 25),
        ("--along xsam --rho 0.1", "xsam", 100),
        ("--to b", "to-b", 5),
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
    let of_run = succeeds(&here, "flatness a --samples 40 --top 1 --json");
    let loss = lines(&of_run)[0]["loss"].as_f64().unwrap();
    assert!((middle[2] - loss).abs() < 1e-6);
    let whole = "landscape a --to b --samples 40 --points 3 --radius 1 --overwrite";
    succeeds(&here, whole);
    let way = table(&folder, "to-b.csv");
    assert_eq!([way[0][0], way[1][0], way[2][0]], [-1.0, 0.5, 2.0]);

    // A landscape that is not complete goes on, and comes to the same.
    let path = folder.join("random-line.json");
    let complete = read(&path);
    let mut part: Value = serde_json::from_str(&complete).unwrap();
    part["losses"][1] = Value::Null;
    part["losses"][3] = Value::Null;
    fs::write(&path, part.to_string()).unwrap();
    let again = take("--line");
    let whole: Value = serde_json::from_str(&complete).unwrap();
    assert_eq!(again["losses"], whole["losses"]);

    let other = "landscape a --line --samples 40 --points 7";
    let refused = "random-line.json is a landscape with other settings";
    fails(&here, other, 2, refused);
    fs::write(&path, "{").unwrap();
    fails(&here, other, 1, "random-line.json is damaged");
    succeeds(&here, &format!("{other} --overwrite"));
    for (line, code, expected) in [
        ("a --points 2", 2, "`--points`: 2 must be from 3 to 501"),
        (
            "a --along xsam --rho 0",
            2,
            "`--rho`: 0 must be finite and above 0",
        ),
        ("a --to nowhere", 1, "nowhere"),
        ("nowhere", 1, "nowhere"),
    ] {
        fails(&here, &format!("landscape {line}"), code, expected);
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
    succeeds(here, &format!("train --out a --set model.name=mlp {SHORT}"));
    succeeds(here, "export a --out w.safetensors");
    flatten(here);
    let line = "flatness w.safetensors --spec a/spec.toml --density --top 1 -q";
    let output = succeeds(here, line);
    let (told, said) = (text(&output.stdout), text(&output.stderr));
    assert_contains(&told, &["eigenvalue 1", "Density from 8 probes"]);
    assert!(!told.contains("NaN"), "{told}");
    let (begin, end) = (
        "xsam: warning: w.safetensors: cannot draw ",
        "density.svg: no value can be drawn\n",
    );
    assert!(said.starts_with(begin) && said.ends_with(end), "{said}");
    let report = json(here.join("w.flatness/flatness.json"));
    assert_eq!(report["density"]["probes"].as_array().unwrap().len(), 8);
    assert_contains(&said, &[report["warnings"][0].as_str().unwrap()]);
}

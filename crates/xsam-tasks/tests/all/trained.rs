//! The model that a run has trained, and its weights in a file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Runs, Subject, Trained, export, flatness, prepare, warned};
use burn::module::Module;
use burn::tensor::FloatDType;
use xsam_data::DatasetName;
use xsam_lab::files::Existing;
use xsam_lab::flatness::{FlatnessEvent, FlatnessSpec};
use xsam_lab::{Error, Sample};
use xsam_models::{Model, cast, load_weights, read_weights, state};

/// Runs of two epochs.
fn short() -> Runs {
    Runs::new(&["data.subset=200", "train.epochs=2", "train.batch_size=50"])
}

fn checkpoint(run: &Path) -> PathBuf {
    run.join("checkpoint/epoch-00002")
}

fn values(model: &Model) -> Vec<Vec<f64>> {
    let values = state::values(model).into_iter();
    values.map(|(_, values)| values).collect()
}

/// A model of the run's sizes that has nothing to do with it.
fn untrained() -> Model {
    let sizes = DatasetName::Digits.sizes().unwrap();
    let config = short().spec(&[]).task.model_config(sizes).unwrap();
    config.init(99, &burn::tensor::Device::flex()).unwrap()
}

#[test]
fn the_model_of_a_run_is_that_of_its_checkpoint() {
    let runs = short();
    for (name, settings, dtype) in [
        ("f32", &["method.name=sam"][..], FloatDType::F32),
        ("f64", &["train.precision=f64"], FloatDType::F64),
    ] {
        let run = runs.path(name);
        runs.run(name, settings);
        let loaded = Trained::load(&run).unwrap();
        assert_eq!((&loaded.run, loaded.epochs()), (&run, 2));
        assert_eq!(loaded.checkpoint, checkpoint(&run));
        assert_eq!(loaded.spec, runs.spec(settings).resolved().unwrap());

        let saved = checkpoint(&run).join("model.bpk");
        let saved: Model = cast(untrained(), dtype).try_load_file(saved).unwrap();
        let model = loaded.model;
        assert_eq!(values(&model), values(&saved));
        // It can be trained further.
        assert!(model.devices().iter().all(|device| device.is_autodiff()));

        let by_checkpoint = Trained::load(&checkpoint(&run)).unwrap();
        assert_eq!(by_checkpoint.run, run.canonicalize().unwrap());
        assert_eq!(values(&by_checkpoint.model), values(&saved));
    }
}

#[test]
fn exported_weights_are_the_models() {
    let runs = short();
    let run = runs.path("run");
    runs.run("run", &[]);
    let model = Trained::load(&run).unwrap().model;
    for name in ["model.pt", "model.safetensors"] {
        let file = runs.path(name);
        let written = export(&run, &file, false).unwrap();
        assert_eq!(written.bytes, fs::metadata(&file).unwrap().len());
        assert_eq!(written.tensors, state::entries(&model).len());
        let read = load_weights(untrained(), &read_weights(&file).unwrap()).unwrap();
        assert_eq!(values(&read), values(&model));

        fs::write(&file, "mine").unwrap();
        let refused = export(&run, &file, false).unwrap_err();
        assert!(matches!(refused, Error::FileExists { .. }) && refused.is_usage());
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        assert_eq!(export(&run, &file, true).unwrap(), written);
    }
    let error = export(&run, &runs.path("model.npz"), false).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("must end in .safetensors"));
}

/// The same file with a prefix before the names of its tensors.
fn prefixed(file: &Path, prefix: &str) {
    let bytes = fs::read(file).unwrap();
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let (header, values) = rest.split_at(length);
    let header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let entries = header.as_object().unwrap().iter();
    let renamed = entries.map(|(name, entry)| match &**name {
        "__metadata__" => (name.clone(), entry.clone()),
        name => (format!("{prefix}{name}"), entry.clone()),
    });
    let header = serde_json::Value::Object(renamed.collect()).to_string();
    let length = (header.len() as u64).to_le_bytes();
    fs::write(file, [&length, header.as_bytes(), values].concat()).unwrap();
}

#[test]
fn what_is_taken_off_weights_is_told() {
    let runs = short();
    let file = runs.path("model.safetensors");
    runs.run("run", &[]);
    export(&runs.path("run"), &file, false).unwrap();
    let weights = Trained::of_weights(&file, runs.spec(&[])).unwrap();
    assert!(weights.warnings.is_empty());
    prefixed(&file, "model.");
    let sentence = format!(
        "{}: the prefix `model.` is taken off all names",
        file.display()
    );

    // A run that begins with them.
    let init = format!("train.init={:?}", file.display().to_string());
    let again = prepare(runs.spec(&[&init]), &runs.path("again"), Existing::Refuse);
    let (summary, told, _) = warned(again.unwrap());
    assert_eq!(told, [sentence.as_str()]);
    assert_eq!(summary.warnings, told);

    // What is measured of them.
    let subject = Subject {
        spec: Some(runs.spec(&[])),
        ..Subject::run(&file)
    };
    let mut told = Vec::new();
    let measured = FlatnessSpec {
        top: 1,
        sample: Sample {
            samples: 20,
            ..Sample::default()
        },
        ..FlatnessSpec::default()
    };
    let report = flatness(&subject, &measured, &mut |event| {
        if let FlatnessEvent::Warning(warning) = event {
            told.push(warning.to_owned());
        }
    });
    assert_eq!(told, [sentence.as_str()]);
    assert_eq!(report.unwrap().warnings, told);
}

#[test]
fn what_a_run_lacks_is_said() {
    let runs = short();
    let run = runs.path("run");
    let assert_said = |path: &Path, said: &str| {
        let error = Trained::load(path).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    };
    assert_said(&run, "cannot open the directory");
    assert_said(run.parent().unwrap(), "is not a run");

    runs.run("run", &["model.width=16"]);
    assert_said(&run.join("checkpoint"), "is not a run");

    // Another version, the spec of another model, and no spec.
    for (file, was, is, said) in [
        (
            "run/checkpoint/epoch-00002/manifest.json",
            "\"version\":3",
            "\"version\":0",
            concat!(
                "its version is 0, written by xsam ",
                env!("CARGO_PKG_VERSION"),
                ", not 3"
            ),
        ),
        (
            "run/spec.toml",
            "width = 16",
            "width = 8",
            "model.bpk is damaged",
        ),
        (
            "run/spec.toml",
            "width = 16",
            "weight = 8",
            "spec.toml is damaged or not of this program",
        ),
    ] {
        let whole = runs.text(file);
        assert!(whole.contains(was));
        fs::write(runs.path(file), whole.replacen(was, is, 1)).unwrap();
        assert_said(&run, said);
        fs::write(runs.path(file), whole).unwrap();
    }
    Trained::load(&run).unwrap();

    fs::remove_dir_all(run.join("checkpoint")).unwrap();
    assert_said(
        &run,
        "has no checkpoint yet: the first is written after epoch 1",
    );
}

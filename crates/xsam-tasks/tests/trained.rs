//! The model that a run has trained, and its weights in a file.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::FloatDType;
use common::{Spec, Subject, Trained, export, flatness, prepare};
use xsam_data::DatasetName;
use xsam_lab::files::Existing;
use xsam_lab::flatness::{FlatnessEvent, FlatnessSpec};
use xsam_lab::{Error, Event, Sample, StopSignal};
use xsam_models::{Model, cast, load_weights, read_weights, state};

fn spec(settings: &[&str]) -> Spec {
    let settings = ["data.subset=200", "train.epochs=2", "train.batch_size=50"]
        .iter()
        .chain(settings)
        .map(|s| (*s).to_owned())
        .collect::<Vec<_>>();
    Spec::parse("", &settings).unwrap().0
}

/// A run of two epochs.
fn trained(directory: &Path, settings: &[&str]) {
    let run = prepare(spec(settings), directory, Existing::Refuse).unwrap();
    run.train(&StopSignal::default(), &mut |_| {}).unwrap();
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
    let config = spec(&[]).task.model_config(sizes).unwrap();
    config.init(99, &burn::tensor::Device::flex()).unwrap()
}

#[test]
fn the_model_of_a_run_is_that_of_its_checkpoint() {
    let parent = tempfile::tempdir().unwrap();
    for (name, settings, dtype) in [
        ("f32", &["method.name=sam"][..], FloatDType::F32),
        ("f64", &["train.precision=f64"], FloatDType::F64),
    ] {
        let run = parent.path().join(name);
        trained(&run, settings);
        let loaded = Trained::load(&run).unwrap();
        assert_eq!((&loaded.run, loaded.epochs()), (&run, 2));
        assert_eq!(loaded.checkpoint, checkpoint(&run));
        assert_eq!(loaded.spec, spec(settings).resolved().unwrap());

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
    let parent = tempfile::tempdir().unwrap();
    let run = parent.path().join("run");
    trained(&run, &[]);
    let model = Trained::load(&run).unwrap().model;
    for name in ["model.pt", "model.safetensors"] {
        let file = parent.path().join(name);
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
    let error = export(&run, &parent.path().join("model.npz"), false).unwrap_err();
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
    let parent = tempfile::tempdir().unwrap();
    let run = parent.path().join("run");
    trained(&run, &[]);
    let file = parent.path().join("model.safetensors");
    export(&run, &file, false).unwrap();
    assert!(
        Trained::of_weights(&file, spec(&[]))
            .unwrap()
            .warnings
            .is_empty()
    );
    prefixed(&file, "model.");
    let sentence = format!(
        "{}: the prefix `model.` is taken off all names",
        file.display()
    );

    // A run that begins with them.
    let init = format!("train.init={:?}", file.display().to_string());
    let directory = parent.path().join("again");
    let again = prepare(spec(&[&init]), &directory, Existing::Refuse).unwrap();
    let mut told = Vec::new();
    let summary = again.train(&StopSignal::default(), &mut |event| {
        if let Event::Warning(warning) = event {
            told.push(warning.to_owned());
        }
    });
    assert_eq!(told, [sentence.as_str()]);
    assert_eq!(summary.unwrap().warnings, told);

    // What is measured of them.
    let subject = Subject {
        spec: Some(spec(&[])),
        ..Subject::run(&file)
    };
    let sample = Sample {
        samples: 20,
        ..Sample::default()
    };
    let mut told = Vec::new();
    let measured = FlatnessSpec {
        top: 1,
        sample: sample.clone(),
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
    let parent = tempfile::tempdir().unwrap();
    let run = parent.path().join("run");
    let error = |path: &Path| Trained::load(path).unwrap_err().to_string();
    assert!(error(&run).contains("cannot open the directory"));
    assert!(error(parent.path()).contains("is not a run"));

    trained(&run, &["model.width=16"]);
    assert!(error(&run.join("checkpoint")).contains("is not a run"));

    let manifest = checkpoint(&run).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        text.replacen("\"version\":3", "\"version\":0", 1),
    )
    .unwrap();
    assert!(
        error(&run).contains("its version is 0, written by xsam 0.1.0, not 3"),
        "{}",
        error(&run)
    );
    fs::write(&manifest, text).unwrap();

    // The spec of another model.
    let spec = fs::read_to_string(run.join("spec.toml")).unwrap();
    assert!(spec.contains("width = 16"));
    fs::write(
        run.join("spec.toml"),
        spec.replace("width = 16", "width = 8"),
    )
    .unwrap();
    assert!(
        error(&run).contains("model.bpk is damaged"),
        "{}",
        error(&run)
    );
    fs::write(
        run.join("spec.toml"),
        spec.replace("width = 16", "weight = 8"),
    )
    .unwrap();
    assert!(error(&run).contains("spec.toml is damaged or not of this program"));
    fs::write(run.join("spec.toml"), spec).unwrap();
    Trained::load(&run).unwrap();

    fs::remove_dir_all(run.join("checkpoint")).unwrap();
    assert!(error(&run).contains("has no checkpoint yet: the first is written after epoch 1"));
}

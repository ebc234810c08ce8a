//! Saving, loading and going on.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use burn::module::{Module, ParamGroup};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::Bytes;
use common::{Net, batch, bits, device, every_method, momentum};
use xsam::{RecordError, SamConfig, SharpnessAware, SharpnessAwareRecord, XsamConfig};

fn grouped() -> ModuleOptimizer {
    momentum().with_group(
        ParamGroup::from_predicate("last"),
        AdamConfig::new().build(),
        None,
    )
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    let device = device();
    let batch = batch(&device);
    for base in [momentum(), AdamConfig::new().init(), grouped()] {
        for method in every_method() {
            let advance = |optim: &mut SharpnessAware, mut model: Net, steps: usize| {
                for i in 0..steps {
                    if i % 2 == 0 {
                        optim.start_epoch();
                    }
                    model = optim
                        .step(0.1, model, |m: &Net| m.loss(&batch))
                        .unwrap()
                        .model;
                }
                model
            };
            let new = || SharpnessAware::from_method(base.clone(), method.boxed());
            let mut optim = new();
            let model = advance(&mut optim, Net::new(&device, 0.0), 3);
            optim.start_epoch();
            let record = optim.to_record().unwrap();
            let weights = model.valid().into_record();
            let expected = bits(&advance(&mut optim, model, 4));

            let bytes = record.into_bytes().unwrap();
            let mut resumed = new();
            resumed
                .load_record(SharpnessAwareRecord::from_bytes(bytes).unwrap())
                .unwrap();
            assert_eq!(resumed.steps(), 3);
            let model = Net::new(&device, 0.0).try_load_record(weights).unwrap();
            assert_eq!(bits(&advance(&mut resumed, model, 4)), expected);
        }
    }
}

fn trained_record() -> (SharpnessAware, Bytes) {
    let device = device();
    let batch = batch(&device);
    let mut optim = SharpnessAware::new(momentum(), XsamConfig::new()).unwrap();
    let model = Net::new(&device, 0.0);
    optim.step(0.1, model, |m: &Net| m.loss(&batch)).unwrap();
    let bytes = optim.to_record().unwrap().into_bytes().unwrap();
    (optim, bytes)
}

#[test]
fn a_file_holds_the_record_and_is_replaced_as_a_whole() {
    let (optim, _) = trained_record();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("optimizer.state");
    optim.save(&path).unwrap();
    optim.save(&path).unwrap();
    let mut other = SharpnessAware::new(momentum(), XsamConfig::new()).unwrap();
    other.load(&path).unwrap();
    assert_eq!(other.steps(), optim.steps());
    let names: Vec<_> = directory.path().read_dir().unwrap().collect();
    assert_eq!(names.len(), 1);

    let missing = other.load(directory.path().join("missing")).unwrap_err();
    assert!(matches!(missing, RecordError::File { .. }));
    assert!(missing.to_string().contains("missing"));
}

#[test]
fn records_that_do_not_fit_are_refused_and_change_nothing() {
    let (_, bytes) = trained_record();
    let record = || SharpnessAwareRecord::from_bytes(bytes.clone()).unwrap();

    let mut sam = SharpnessAware::new(momentum(), SamConfig::new()).unwrap();
    let error = sam.load_record(record()).unwrap_err();
    let message = "the record is of method `xsam`, this optimizer runs `sam`";
    assert_eq!(error.to_string(), message);

    let mut adam = SharpnessAware::new(AdamConfig::new().init(), XsamConfig::new()).unwrap();
    let error = adam.load_record(record()).unwrap_err();
    assert!(matches!(error, RecordError::OtherBase { .. }), "{error}");
    assert_eq!(adam.steps(), 0);
}

#[test]
fn damaged_records_are_errors() {
    let (_, bytes) = trained_record();
    for length in [0, 1, 16, bytes.len() / 2, bytes.len() - 1] {
        let cut = Bytes::from_bytes_vec(bytes[..length].to_vec());
        assert!(SharpnessAwareRecord::from_bytes(cut).is_err(), "{length}");
    }
    let weights = Net::new(&device(), 0.0).into_record().into_bytes().unwrap();
    let error = SharpnessAwareRecord::from_bytes(weights).unwrap_err();
    assert!(error.to_string().contains("not an xsam optimizer record"));
}

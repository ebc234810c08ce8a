//! Saving, loading and going on.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::{Bytes, DType, FloatDType, Tensor};
use common::{
    Net, Point, assert_close, batch, bits, device, every_method, momentum, optimizer, plain,
};
use xsam::method::{Method, MethodConfig};
use xsam::optim::FusedSgdConfig;
use xsam::{
    Friendly, FriendlySamConfig, LookSamConfig, LookXsamConfig, RecordError, SamConfig,
    SearchSchedule, SgdOnlyConfig, SharpnessAware, SharpnessAwareRecord, StepError, XsamConfig,
};

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

/// A run that is resumed where the method's own state matters, and that goes another way without it.
#[test]
fn what_a_method_keeps_survives() {
    let device = device();
    let batch = batch(&device);
    let friendly = Friendly {
        sigma: 1.0,
        lambda: 0.6,
    };
    let xsam = XsamConfig::new;
    let configs: [(&str, usize, Box<dyn MethodConfig>); 6] = [
        // Between two steps that ascend.
        ("kept", 4, Box::new(LookSamConfig::new().with_every(3))),
        (
            "towards",
            4,
            Box::new(LookXsamConfig::from(xsam()).with_every(3)),
        ),
        (
            "average",
            3,
            Box::new(
                FriendlySamConfig::new()
                    .with_sigma(friendly.sigma)
                    .with_lambda(friendly.lambda),
            ),
        ),
        ("average", 3, Box::new(xsam().with_friendly(friendly))),
        // Alpha, which the first step has searched for.
        ("", 3, Box::new(xsam().with_rho(0.5))),
        // In the middle of a search.
        ("", 2, Box::new(xsam().with_rho(0.5).with_search_batches(4))),
    ];
    for (vector, steps, config) in configs {
        let new = || SharpnessAware::from_method(plain(), config.build().unwrap());
        let mut optim = new();
        let mut model = Net::new(&device, 0.0);
        let mut forgetful = new();
        for _ in 0..steps {
            model = optim
                .step(0.1, model, |m: &Net| m.loss(&batch))
                .unwrap()
                .model;
        }
        let bytes = optim.to_record().unwrap().into_bytes().unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(vector));
        let mut resumed = new();
        resumed
            .load_record(SharpnessAwareRecord::from_bytes(bytes).unwrap())
            .unwrap();
        // The number of steps, but nothing of the method's.
        for _ in 0..steps {
            let nothing = Point::new(&[0.0, 0.0], 1);
            forgetful
                .step(0.1, nothing, |m: &Point| m.linear(&[0.0, 0.0]))
                .unwrap();
        }
        assert_eq!(forgetful.steps(), resumed.steps());

        let on = |optim: &mut SharpnessAware| {
            let mut model = model.valid().train();
            let mut reports = Vec::new();
            for _ in 0..3 {
                let step = optim.step(0.1, model, |m: &Net| m.loss(&batch)).unwrap();
                model = step.model;
                reports.push(step.report);
            }
            (bits(&model), reports)
        };
        let expected = on(&mut optim);
        assert_eq!(on(&mut resumed), expected, "{vector}");
        assert_ne!(on(&mut forgetful), expected, "{vector}");
    }
}

/// A record may be taken up with another schedule, and with searches over fewer batches.
#[test]
fn a_search_goes_on_under_other_hyper_parameters() {
    let point = || Point::new(&[1.0, -0.5, 2.0], 1);
    let loss = |m: &Point| m.quadratic(&[1.0, 4.0, 0.5]);
    let searched = |from: XsamConfig, to: XsamConfig| {
        let mut optim = optimizer(from.with_rho(0.5));
        for _ in 0..2 {
            optim.step(0.0, point(), loss).unwrap();
        }
        let mut other = optimizer(to.with_rho(0.5));
        other.load_record(optim.to_record().unwrap()).unwrap();
        let run = |_| {
            let report = other.step(0.0, point(), loss).unwrap().report;
            usize::from(report.search.is_some())
        };
        (0..8).map(run).collect::<Vec<_>>()
    };
    let adaptive = SearchSchedule::Adaptive {
        shortest: 2,
        longest: 4,
        tolerance: 0.1,
    };
    // The schedule begins anew: alpha stays, so the distances are 2, 4, 4.
    let to = XsamConfig::new().with_search(adaptive);
    assert_eq!(searched(XsamConfig::new(), to), [1, 0, 1, 0, 0, 0, 1, 0]);
    // Two batches of five are seen: with the third the search is at its end.
    let from = XsamConfig::new().with_search_batches(5);
    let to = XsamConfig::new().with_search_batches(2);
    assert_eq!(searched(from, to), [1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_run_goes_on_in_another_precision() {
    let loss = |m: &Point| m.quadratic(&[1.0, 4.0, 0.5]);
    let fixed = || XsamConfig::new().with_alpha(1.3);
    let configs: [Box<dyn MethodConfig>; 3] = [
        Box::new(LookSamConfig::new().with_every(2)),
        Box::new(LookXsamConfig::from(fixed()).with_every(2)),
        Box::new(FriendlySamConfig::new()),
    ];
    for config in configs {
        let mut optim = SharpnessAware::from_method(plain(), config.build().unwrap());
        let start = Point::new(&[1.0, -0.5, 2.0], 1);
        let model = optim.step(0.1, start, loss).unwrap().model;
        let first = model.first.clone();
        let first = first.map(|t| t.cast(FloatDType::F32).detach().require_grad());
        let second = model.second.clone();
        let second = second.map(|t| t.cast(FloatDType::F32).detach().require_grad());
        let cast = Point { first, second };
        let record = optim.to_record().unwrap();
        let expected = optim.step(0.1, model, loss).unwrap().model.values();
        optim.load_record(record).unwrap();
        let found = optim.step(0.1, cast, loss).unwrap().model;
        assert_eq!(found.first.val().dtype(), DType::F32);
        assert_close(&found.values(), &expected, 1e-6);
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

/// The ids of the parameters that are trained.
fn trainable(model: &Net) -> Vec<ParamId> {
    struct Ids(Vec<ParamId>);
    impl ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.val().is_require_grad() {
                self.0.push(param.id);
            }
        }
    }
    let mut ids = Ids(Vec::new());
    model.visit(&mut ids);
    ids.0
}

/// The record of some steps on `model`.
fn record_of(base: &ModuleOptimizer, method: &dyn Method, model: &Net, steps: usize) -> Bytes {
    let batch = batch(&device());
    let mut optim = SharpnessAware::from_method(base.clone(), method.boxed());
    let mut model = model.valid().train();
    for _ in 0..steps {
        let step = optim.step(0.1, model, |m: &Net| m.loss(&batch));
        model = step.unwrap().model;
    }
    optim.to_record().unwrap().into_bytes().unwrap()
}

#[test]
fn a_record_of_other_parameters_is_an_error_at_the_first_step() {
    let device = device();
    let batch = batch(&device);
    let model = Net::new(&device, 0.0);
    let recorded = trainable(&model).len();
    // Weights and norm as they were, another head: its state alone would be lost.
    let new_head = Net {
        last: Net::new(&device, 0.0).last,
        ..model.valid().train()
    };
    for base in [momentum(), AdamConfig::new().init(), grouped()] {
        for method in every_method() {
            let bytes = record_of(&base, &*method, &model, 2);
            let record = || SharpnessAwareRecord::from_bytes(bytes.clone()).unwrap();
            let loaded = |record| {
                let mut optim = SharpnessAware::from_method(base.clone(), method.boxed());
                optim.load_record(record).unwrap();
                optim
            };
            for (other, unknown) in [(Net::new(&device, 0.0), recorded), (new_head.clone(), 2)] {
                let mut optim = loaded(record());
                let before = bits(&other);
                let result = optim.step(0.1, other.valid().train(), |m: &Net| m.loss(&batch));
                let (back, error) = result.unwrap_err().into_parts();
                assert_eq!(error, StepError::OtherParameters { unknown, recorded });
                assert_eq!(bits(&back), before);
                assert_eq!(optim.steps(), 2);
                // Told again, until the model is the right one.
                let result = optim.step(0.1, other, |m: &Net| m.loss(&batch));
                assert!(result.is_err());
                let right = model.valid().train();
                let right = optim.step(0.1, right, |m: &Net| m.loss(&batch)).unwrap();
                assert_eq!(optim.steps(), 3);

                // What is known goes on, as it would with the whole record.
                let part = record().of_model(&right.model).unwrap();
                let on = |record, model: Net| {
                    let step = loaded(record).step(0.1, model, |m: &Net| m.loss(&batch));
                    bits(&step.unwrap().model)
                };
                let start = || model.valid().train();
                assert_eq!(on(part, start()), on(record(), start()), "{method:?}");
            }
            let part = record().of_model(&new_head).unwrap();
            let step = loaded(part).step(0.1, new_head.clone(), |m: &Net| m.loss(&batch));
            assert!(step.is_ok());
        }
    }
}

#[test]
fn state_of_the_method_alone_is_looked_at_too() {
    let device = device();
    let batch = batch(&device);
    let model = Net::new(&device, 0.0);
    // The base optimizer has no state.
    let method = FriendlySamConfig::new().build().unwrap();
    let bytes = record_of(&plain(), &*method, &model, 1);
    let mut optim = SharpnessAware::from_method(plain(), method.boxed());
    optim
        .load_record(SharpnessAwareRecord::from_bytes(bytes).unwrap())
        .unwrap();
    let other = optim.step(0.1, Net::new(&device, 0.0), |m: &Net| m.loss(&batch));
    let error = StepError::from(other.unwrap_err());
    let (unknown, recorded) = (6, 6);
    assert_eq!(error, StepError::OtherParameters { unknown, recorded });
    assert!(error.to_string().contains("6 parameters"), "{error}");

    // Without any state there is nothing that could be lost.
    let method = SgdOnlyConfig::new().build().unwrap();
    let bytes = record_of(&plain(), &*method, &model, 1);
    let mut optim = SharpnessAware::from_method(plain(), method);
    optim
        .load_record(SharpnessAwareRecord::from_bytes(bytes).unwrap())
        .unwrap();
    let other = optim.step(0.1, Net::new(&device, 0.0), |m: &Net| m.loss(&batch));
    assert!(other.is_ok());
}

/// Parameters that have been frozen since keep their state, and those that were frozen then have none yet.
#[test]
fn frozen_parameters_are_no_others() {
    let device = device();
    let batch = batch(&device);
    let model = Net::new(&device, 0.0);
    let half = |mut model: Net| {
        model.first = model.first.freeze();
        model
    };
    let method = XsamConfig::new().build().unwrap();
    for (before, after) in [
        (model.valid().train(), half(model.valid().train())),
        (half(model.valid().train()), model.valid().train()),
    ] {
        let bytes = record_of(&momentum(), &*method, &before, 2);
        let mut optim = SharpnessAware::from_method(momentum(), method.boxed());
        optim
            .load_record(SharpnessAwareRecord::from_bytes(bytes).unwrap())
            .unwrap();
        let step = optim.step(0.1, after, |m: &Net| m.loss(&batch));
        assert!(step.is_ok());
    }
}

/// An optimizer may have got its state by Burn's own means.
#[test]
fn a_base_optimizer_with_state_of_other_parameters_is_an_error_too() {
    let device = device();
    let batch = batch(&device);
    let mut optim = SharpnessAware::new(momentum(), SamConfig::new()).unwrap();
    let model = Net::new(&device, 0.0);
    let model = optim
        .step(0.1, model, |m: &Net| m.loss(&batch))
        .unwrap()
        .model;
    let loaded = || momentum().load_record(optim.base().to_record());
    let step = |model: Net| {
        let mut optim = SharpnessAware::new(loaded(), SamConfig::new()).unwrap();
        let step = optim.step(0.1, model, |m: &Net| m.loss(&batch));
        step.map(|_| ()).map_err(StepError::from)
    };
    let other = step(Net::new(&device, 0.0));
    assert!(
        matches!(other, Err(StepError::OtherParameters { .. })),
        "{other:?}"
    );
    assert_eq!(step(model), Ok(()));
}

/// Whether a record is taken or refused is all the same; nothing may panic, not even a step.
#[test]
fn no_byte_of_a_record_ends_the_program() {
    let device = device();
    let batch = batch(&device);
    let ours = FusedSgdConfig::new().with_momentum(0.9).init().unwrap();
    for base in [momentum(), ours, AdamConfig::new().init()] {
        let new = || {
            let method = LookSamConfig::new().with_every(2).build().unwrap();
            SharpnessAware::from_method(base.clone(), method)
        };
        let mut optim = new();
        let step = |optim: &mut SharpnessAware, model: Net| {
            optim.step(0.1, model, |m: &Net| m.loss(&batch))
        };
        let model = step(&mut optim, Net::new(&device, 0.0)).unwrap().model;
        let bytes = optim.to_record().unwrap().into_bytes().unwrap();
        let (mut taken, mut refused) = (0, 0);
        // Padding says nothing.
        for place in (0..bytes.len()).filter(|&i| bytes[i] != 0) {
            let mut changed = bytes.to_vec();
            changed[place] ^= [0x01, 0x80, 0xff][place % 3];
            let mut other = new();
            let loaded = SharpnessAwareRecord::from_bytes(Bytes::from_bytes_vec(changed))
                .and_then(|record| record.check_model(&model).map(|()| record))
                .and_then(|record| other.load_record(record));
            match loaded {
                Ok(()) => {
                    taken += 1;
                    let _ = step(&mut other, model.clone());
                }
                Err(_) => refused += 1,
            }
        }
        assert!(taken > 100 && refused > 100, "{taken} {refused}");
    }
}

#[test]
fn a_record_of_another_model_is_told_by_its_parameters() {
    let (_, bytes) = trained_record();
    let record = SharpnessAwareRecord::from_bytes(bytes).unwrap();
    let error = record.check_model(&Net::new(&device(), 0.0)).unwrap_err();
    assert!(
        matches!(error, RecordError::OtherParameter { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("of another model"), "{error}");
}

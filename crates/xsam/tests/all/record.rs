//! Saving, loading and going on.

use crate::common::{
    Batch, Net, Point, assert_close, batch, bits, copy, every_method, momentum, net, optimizer,
    record, recorded, resumed, step, trained,
};
use burn::module::{Module, ParamGroup};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::{Bytes, DType};
use burn_pack::{Reader, Scalar, Tensor, Writer};
use xsam::method::MethodSpec;
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
    let batch = batch();
    let epochs = |optim: &mut SharpnessAware, start: Net, steps: &[usize]| {
        steps.iter().fold(start, |model, &steps| {
            optim.start_epoch();
            trained(optim, model, &batch, steps)
        })
    };
    for base in [momentum(), AdamConfig::new().init(), grouped()] {
        for method in every_method() {
            let new = || SharpnessAware::from_method(base.clone(), method.boxed());
            let mut optim = new();
            let model = epochs(&mut optim, net(), &[2, 1]);
            optim.start_epoch();
            let bytes = recorded(&optim);
            let weights = model.valid().into_record();
            let expected = bits(&epochs(&mut optim, model, &[2, 2]));

            let mut resumed = resumed(new(), &bytes);
            assert_eq!(resumed.steps(), 3);
            let model = net().try_load_record(weights).unwrap();
            let found = bits(&epochs(&mut resumed, model, &[2, 2]));
            assert_eq!(found, expected, "{method:?}");
        }
    }
}

/// A run that is resumed where the method's own state matters, and that goes another way without it.
#[test]
fn what_a_method_keeps_survives() {
    let batch = batch();
    let friendly = Friendly {
        sigma: 1.0,
        lambda: 0.6,
    };
    let xsam = || XsamConfig::new().with_rho(0.5);
    let friendly_sam = FriendlySamConfig::new().with_lambda(friendly.lambda);
    let configs: [(&str, usize, MethodSpec); 6] = [
        // Between two steps that ascend.
        ("kept", 4, LookSamConfig::new().with_every(3).into()),
        ("towards", 4, LookXsamConfig::default().with_every(3).into()),
        ("average", 3, friendly_sam.with_sigma(friendly.sigma).into()),
        (
            "average",
            3,
            XsamConfig::new().with_friendly(friendly).into(),
        ),
        // Alpha, which the first step has searched for.
        ("", 3, xsam().into()),
        // In the middle of a search.
        ("", 2, xsam().with_search_batches(4).into()),
    ];
    for (vector, steps, config) in configs {
        let new = || optimizer(&config);
        let mut optim = new();
        let model = trained(&mut optim, net(), &batch, steps);
        let bytes = recorded(&optim);
        assert!(String::from_utf8_lossy(&bytes).contains(vector));
        let mut resumed = resumed(new(), &bytes);
        // The number of steps, but nothing of the method's.
        let mut forgetful = new();
        for _ in 0..steps {
            let nothing = Point::new(&[0.0, 0.0], 1);
            step(&mut forgetful, 0.1, nothing, |m: &Point| {
                m.linear(&[0.0, 0.0])
            });
        }
        assert_eq!(forgetful.steps(), resumed.steps());

        let on = |optim: &mut SharpnessAware| {
            let mut model = copy(&model);
            let mut reports = Vec::new();
            for _ in 0..3 {
                let step = step(optim, 0.1, model, |m: &Net| m.loss(&batch));
                model = step.model;
                reports.push(step.report);
            }
            (bits(&model), reports)
        };
        let expected = on(&mut optim);
        assert_eq!(on(&mut resumed), expected, "{config:?}");
        assert_ne!(on(&mut forgetful), expected, "{config:?}");
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
            step(&mut optim, 0.0, point(), loss);
        }
        let mut other = resumed(optimizer(to.with_rho(0.5)), &recorded(&optim));
        let run = |_| {
            let report = step(&mut other, 0.0, point(), loss).report;
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
    let fixed = LookXsamConfig::from(XsamConfig::new().with_alpha(1.3));
    let configs: [MethodSpec; 3] = [
        LookSamConfig::new().with_every(2).into(),
        fixed.with_every(2).into(),
        FriendlySamConfig::new().into(),
    ];
    for config in configs {
        let mut optim = optimizer(config);
        let start = Point::new(&[1.0, -0.5, 2.0], 1);
        let model = step(&mut optim, 0.1, start, loss).model;
        let cast = model.in_single();
        let bytes = recorded(&optim);
        let expected = step(&mut optim, 0.1, model, loss).model.values();
        let found = step(&mut resumed(optim, &bytes), 0.1, cast, loss).model;
        assert_eq!(found.first.val().dtype(), DType::F32);
        assert_close(&found.values(), &expected, 1e-6);
    }
}

fn xsam() -> SharpnessAware {
    SharpnessAware::new(momentum(), XsamConfig::new()).unwrap()
}

fn trained_record() -> (SharpnessAware, Bytes) {
    let mut optim = xsam();
    trained(&mut optim, net(), &batch(), 1);
    let bytes = recorded(&optim);
    (optim, bytes)
}

#[test]
fn a_file_holds_the_record_and_is_replaced_as_a_whole() {
    let (optim, _) = trained_record();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("optimizer.state");
    optim.save(&path).unwrap();
    optim.save(&path).unwrap();
    let mut other = xsam();
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

    let mut sam = SharpnessAware::new(momentum(), SamConfig::new()).unwrap();
    let error = sam.load_record(record(&bytes)).unwrap_err();
    let message = "the record is of method `xsam`, this optimizer runs `sam`";
    assert_eq!(error.to_string(), message);

    let mut adam = SharpnessAware::new(AdamConfig::new().init(), XsamConfig::new()).unwrap();
    let error = adam.load_record(record(&bytes)).unwrap_err();
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
    let weights = net().into_record().into_bytes().unwrap();
    let error = SharpnessAwareRecord::from_bytes(weights).unwrap_err();
    assert!(error.to_string().contains("not an xsam optimizer record"));
}

/// The optimizer with the record of so many steps on a copy of `model`.
fn after(new: &SharpnessAware, model: &Net, steps: usize) -> SharpnessAware {
    let mut optim = new.clone();
    trained(&mut optim, copy(model), &batch(), steps);
    resumed(new.clone(), &recorded(&optim))
}

fn tried(optim: &mut SharpnessAware, model: Net, batch: &Batch) -> Result<Net, StepError> {
    Ok(optim.step(0.1, model, |m: &Net| m.loss(batch))?.model)
}

/// Weights, gamma, beta and biases.
const TRAINED: usize = 5;

#[test]
fn a_record_of_other_parameters_is_an_error_at_the_first_step() {
    let batch = batch();
    let model = net();
    // Weights and norm as they were, another head: its state alone would be lost.
    let new_head = Net {
        last: net().last,
        ..copy(&model)
    };
    for base in [momentum(), AdamConfig::new().init(), grouped()] {
        for method in every_method() {
            let new = SharpnessAware::from_method(base.clone(), method);
            let loaded = after(&new, &model, 2);
            let bytes = recorded(&loaded);
            let of_model = |model: &Net| {
                let mut optim = new.clone();
                let part = record(&bytes).of_model(model).unwrap();
                optim.load_record(part).unwrap();
                optim
            };
            for (other, unknown) in [(net(), TRAINED), (new_head.clone(), 2)] {
                let mut optim = loaded.clone();
                let before = bits(&other);
                let result = optim.step(0.1, copy(&other), |m: &Net| m.loss(&batch));
                let (back, error) = result.unwrap_err().into_parts();
                let recorded = TRAINED;
                assert_eq!(error, StepError::OtherParameters { unknown, recorded });
                assert_eq!(bits(&back), before);
                assert_eq!(optim.steps(), 2);
                // Told again, until the model is the right one.
                assert!(tried(&mut optim, other, &batch).is_err());
                let right = tried(&mut optim, copy(&model), &batch).unwrap();
                assert_eq!(optim.steps(), 3);

                // What is known goes on, as it would with the whole record.
                let on = |mut optim| bits(&trained(&mut optim, copy(&model), &batch, 1));
                assert_eq!(on(of_model(&right)), on(loaded.clone()), "{new:?}");
            }
            let mut part = of_model(&new_head);
            assert!(tried(&mut part, new_head.clone(), &batch).is_ok());
        }
    }
}

#[test]
fn state_of_the_method_alone_is_looked_at_too() {
    let (batch, model) = (batch(), net());
    // The base optimizer has no state.
    let mut optim = after(&optimizer(FriendlySamConfig::new()), &model, 1);
    let error = tried(&mut optim, net(), &batch).unwrap_err();
    let (unknown, recorded) = (TRAINED, TRAINED);
    assert_eq!(error, StepError::OtherParameters { unknown, recorded });
    assert!(error.to_string().contains("5 parameters"), "{error}");

    // Without any state there is nothing that could be lost.
    let mut optim = after(&optimizer(SgdOnlyConfig::new()), &model, 1);
    assert!(tried(&mut optim, net(), &batch).is_ok());
}

/// Parameters that have been frozen since keep their state, and those that were frozen then have none yet.
#[test]
fn frozen_parameters_are_no_others() {
    let (batch, model) = (batch(), net());
    let half = |mut model: Net| {
        model.first = model.first.freeze();
        model
    };
    for (before, then) in [
        (copy(&model), half(copy(&model))),
        (half(copy(&model)), copy(&model)),
    ] {
        let mut optim = after(&xsam(), &before, 2);
        assert!(tried(&mut optim, then, &batch).is_ok());
    }
}

/// An optimizer may have got its state by Burn's own means.
#[test]
fn a_base_optimizer_with_state_of_other_parameters_is_an_error_too() {
    let batch = batch();
    let mut optim = SharpnessAware::new(momentum(), SamConfig::new()).unwrap();
    let model = trained(&mut optim, net(), &batch, 1);
    let step = |model: Net| {
        let loaded = momentum().load_record(optim.base().to_record());
        let mut optim = SharpnessAware::new(loaded, SamConfig::new()).unwrap();
        tried(&mut optim, model, &batch).map(drop)
    };
    let error = step(net()).unwrap_err();
    assert!(
        matches!(error, StepError::OtherParameters { .. }),
        "{error}"
    );
    assert_eq!(step(model), Ok(()));
}

/// Whether a record is taken or refused is all the same; nothing may panic, not even a step.
#[test]
fn no_byte_of_a_record_ends_the_program() {
    let batch = batch();
    let ours = FusedSgdConfig::new().with_momentum(0.9).init().unwrap();
    for base in [momentum(), ours, AdamConfig::new().init()] {
        let new = || {
            let config = LookSamConfig::new().with_every(2);
            SharpnessAware::new(base.clone(), config).unwrap()
        };
        let mut optim = new();
        let model = trained(&mut optim, net(), &batch, 1);
        let bytes = recorded(&optim);
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
                    let _ = tried(&mut other, model.clone(), &batch);
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
    let error = record(&bytes).check_model(&net()).unwrap_err();
    assert!(matches!(error, RecordError::OtherModel(_)), "{error}");
    assert!(error.to_string().contains("of another model"), "{error}");
}

/// A record with other numbers of axes in the base optimizer's part, which has no tensors.
fn with_ranks(bytes: &Bytes, rank: impl Fn(&str) -> Vec<(String, u64)>) -> Bytes {
    let reader = Reader::from_bytes(bytes.clone()).unwrap();
    let (scalars, method) = (reader.scalars().clone(), reader.metadata().clone());
    let tensors = reader.into_tensors().unwrap().into_iter().map(|tensor| {
        let (name, dtype, shape, id, bytes) = tensor.into_parts().unwrap();
        if name != "base" {
            return Tensor::new(name, dtype, shape, id, bytes);
        }
        let base = Reader::from_bytes(bytes).unwrap();
        let ranks = base.scalars().keys().flat_map(|name| rank(name));
        let writer = ranks.fold(Writer::new(Vec::new()), |writer, (name, rank)| {
            writer.with_scalar(&name, Scalar::from(rank))
        });
        let bytes = writer.into_bytes().unwrap();
        Tensor::new(name, dtype, [bytes.len()], id, bytes)
    });
    let mut writer = Writer::new(tensors.collect());
    for (name, value) in scalars {
        writer = writer.with_scalar(&name, value);
    }
    for (name, value) in method {
        writer = writer.with_metadata(&name, &value);
    }
    writer.into_bytes().unwrap()
}

/// Burn takes the number of axes at its word, though there be no tensor, and panics in the step.
#[test]
fn numbers_of_axes_are_those_of_the_parameters() {
    let batch = batch();
    let mut optim = xsam();
    let model = trained(&mut optim, net(), &batch, 1);
    let bytes = recorded(&optim);
    let checked = |bytes: &Bytes| {
        let record = SharpnessAwareRecord::from_bytes(bytes.clone())?;
        record.check_model(&model)
    };
    checked(&bytes).unwrap();
    let other = with_ranks(&bytes, |name| vec![(name.to_owned(), 5)]);
    let error = checked(&other).unwrap_err();
    assert!(matches!(error, RecordError::OtherModel(_)), "{error}");
    assert!(error.to_string().contains("__rank` is 5"), "{error}");
    let twice = with_ranks(&bytes, |name| {
        vec![(name.to_owned(), 1), (format!("0{name}"), 2)]
    });
    let error = checked(&twice).unwrap_err();
    assert!(error.to_string().contains("twice"), "{error}");
}

/// Burn makes room for what the header says before it reads.
#[test]
fn a_header_that_promises_more_than_the_file_has_is_refused() {
    let (_, bytes) = trained_record();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("optimizer.bpk");
    let mut bytes = bytes.to_vec();
    // Behind the mark and the version.
    bytes[6..10].copy_from_slice(&(100u32 << 20).to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let error = SharpnessAwareRecord::load(&path).unwrap_err().to_string();
    assert!(error.contains("optimizer.bpk"), "{error}");
    assert!(error.contains("promises 104857600 bytes"), "{error}");
}

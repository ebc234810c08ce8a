//! Steps in phases: they are those of the closure, and none can be finished that was not made.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use common::{Net, Point, batch, bits, device, every_method, momentum, optimizer, plain};
use xsam::{
    Descent, LossScale, Phase, Place, SamConfig, SharpnessAware, Step, StepError, StepFailure,
    XsamConfig,
};

fn gradients<M: Module>(loss: &Tensor<1>, model: &M) -> GradientsParams {
    GradientsParams::from_grads(loss.clone().backward(), model)
}

/// Everything up to the descent.
fn ascended<M: Module>(
    optim: &SharpnessAware,
    model: M,
    loss: &dyn Fn(&M) -> Tensor<1>,
) -> Result<Descent<M>, StepFailure<M>> {
    let value = loss(&model);
    let start = gradients(&value, &model);
    let mut phase = optim.ascend(0.1, model, value, start)?;
    loop {
        phase = match phase {
            Phase::Ascended(ascended) => {
                let value = loss(ascended.model());
                let gradients = gradients(&value, ascended.model());
                ascended.answer(value, gradients)?
            }
            Phase::Candidate(candidate) => {
                let value = loss(candidate.model());
                candidate.answer(value)?
            }
            Phase::Ready(descent) => return Ok(descent),
        };
    }
}

fn in_phases<M: Module>(
    optim: &mut SharpnessAware,
    model: M,
    loss: &dyn Fn(&M) -> Tensor<1>,
) -> Result<Step<M>, StepFailure<M>> {
    let descent = ascended(optim, model, loss)?;
    optim.descend(descent)
}

#[test]
fn steps_in_phases_are_those_of_the_closure_bit_for_bit() {
    let device = device();
    let start = Net::new(&device, 0.0);
    let batches = [batch(&device), batch(&device)];
    for method in every_method() {
        let make = || {
            let optim = SharpnessAware::from_method(momentum(), method.boxed());
            optim.with_clip_norm(0.5).unwrap()
        };
        let (mut closure, mut phases) = (make(), make());
        let (mut one, mut other) = (start.valid().train(), start.valid().train());
        for i in 0..5 {
            if i % 3 == 0 {
                closure.start_epoch();
                phases.start_epoch();
            }
            let loss = |m: &Net| m.loss(&batches[i % 2]);
            let step = closure.step(0.1, one, loss).unwrap();
            let found = in_phases(&mut phases, other, &loss).unwrap();
            assert_eq!(found.report, step.report, "{closure:?}");
            // Weights and running statistics.
            assert_eq!(bits(&found.model), bits(&step.model));
            (one, other) = (step.model, found.model);
        }
    }
}

#[test]
fn models_with_gradient_checkpointing_train_in_phases() {
    let device = device().gradient_checkpointing();
    let batch = batch(&device);
    let mut optim = optimizer(XsamConfig::new());
    let mut model = Net::new(&device, 0.0);
    for _ in 0..2 {
        model = in_phases(&mut optim, model, &|m: &Net| m.loss(&batch))
            .unwrap()
            .model;
    }
    let weight = model.first.weight.val();
    assert_eq!(
        weight.gradient_checkpointing_strategy(),
        device.gradient_checkpointing_strategy()
    );
}

#[test]
fn a_step_that_is_left_half_way_changes_nothing() {
    let device = device();
    let batch = batch(&device);
    let loss = |m: &Net| m.loss(&batch);
    for method in every_method() {
        let mut optim = SharpnessAware::from_method(momentum(), method);
        let mut model = Net::new(&device, 0.0);
        for _ in 0..2 {
            model = in_phases(&mut optim, model, &loss).unwrap().model;
        }
        let record = |optim: &SharpnessAware| optim.to_record().unwrap().into_bytes().unwrap();
        let before = record(&optim);
        // All of a step but its descent, and one with a single pass.
        drop(ascended(&optim, model.valid().train(), &loss).unwrap());
        let value = loss(&model);
        let start = gradients(&value, &model);
        drop(
            optim
                .ascend(0.1, model.valid().train(), value, start)
                .unwrap(),
        );
        assert_eq!(&record(&optim)[..], &before[..]);
        assert_eq!(optim.steps(), 2);
    }
}

#[test]
fn a_descent_of_another_state_is_refused() {
    let loss = |m: &Point| m.quadratic(&[1.0, 4.0]);
    let start = Point::new(&[1.0, -0.5], 1);
    let begun = |optim: &SharpnessAware| ascended(optim, start.clone(), &loss).unwrap();
    let refused = |optim: &mut SharpnessAware, descent: Descent<Point>| {
        let steps = optim.steps();
        let (back, error) = optim.descend(descent).unwrap_err().into_parts();
        assert_eq!(error, StepError::Stale);
        assert_eq!((back.values(), optim.steps()), (start.values(), steps));
    };
    let mut optim = optimizer(XsamConfig::new());
    let (first, second) = (begun(&optim), begun(&optim));
    optim.descend(first).unwrap();
    refused(&mut optim, second);
    // An epoch would be lost.
    let descent = begun(&optim);
    optim.start_epoch();
    refused(&mut optim, descent);
    // So would the state of a record be.
    let descent = begun(&optim);
    optim.load_record(optim.to_record().unwrap()).unwrap();
    refused(&mut optim, descent);
    // Two optimizers that both have made one step.
    let mut other = optimizer(XsamConfig::new());
    other.step(0.1, start.clone(), loss).unwrap();
    let descent = begun(&other);
    refused(&mut optim, descent);
}

#[test]
fn what_needs_the_closure_says_so() {
    let point = || Point::new(&[1.0, -0.5], 1);
    let loss = |m: &Point| m.quadratic(&[1.0, 4.0]);
    let scaled = optimizer(SamConfig::new()).with_loss_scale(LossScale::dynamic());
    let (back, error) = ascended(&scaled, point(), &loss).unwrap_err().into_parts();
    assert_eq!(error, StepError::NeedsClosure("loss scaling"));
    assert_eq!(back.values(), point().values());
    let replayed = optimizer(SamConfig::new()).with_replay_dropout(1);
    let (_, error) = ascended(&replayed, point(), &loss)
        .unwrap_err()
        .into_parts();
    assert_eq!(error, StepError::NeedsClosure("replayed dropout"));
}

#[test]
fn an_answer_that_is_not_one_is_an_error_and_gives_the_model_back() {
    let start = || Point::new(&[1.0, -0.5], 1);
    let loss = |m: &Point| m.quadratic(&[1.0, 4.0]);
    let optim = optimizer(XsamConfig::new());
    let begin = || {
        let model = start();
        let value = loss(&model);
        let first = gradients(&value, &model);
        (model, value, first)
    };
    let error = |failure: StepFailure<Point>| {
        let (back, error) = failure.into_parts();
        assert_eq!(back.values(), start().values());
        error
    };

    let (model, value, first) = begin();
    let nan = value * f64::NAN;
    let found = error(optim.ascend(0.1, model, nan, first).unwrap_err());
    let at_weights = |found| {
        matches!(
            found,
            StepError::NonFiniteLoss {
                place: Place::Weights,
                ..
            }
        )
    };
    assert!(at_weights(found));
    let (model, value, _) = begin();
    let found = error(
        optim
            .ascend(0.1, model, value, GradientsParams::new())
            .unwrap_err(),
    );
    assert_eq!(found, StepError::NoGradient);
    let (model, value, first) = begin();
    let found = error(optim.ascend(-0.1, model, value, first).unwrap_err());
    assert_eq!(found, StepError::LearningRate(-0.1));
    let (model, value, first) = begin();
    let found = error(optim.ascend(0.1, model.valid(), value, first).unwrap_err());
    assert_eq!(found, StepError::NotAutodiff);
    let (model, _, first) = begin();
    let vector = model.joined();
    let found = error(optim.ascend(0.1, model, vector, first).unwrap_err());
    assert_eq!(found, StepError::LossNotScalar { elements: 2 });

    let up = || {
        let (model, value, first) = begin();
        match optim.ascend(0.1, model, value, first).unwrap() {
            Phase::Ascended(ascended) => ascended,
            phase => panic!("{phase:?}"),
        }
    };
    let ascended = up();
    let value = loss(ascended.model());
    let above = gradients(&value, ascended.model());
    let found = error(ascended.answer(value * f64::INFINITY, above).unwrap_err());
    let on_the_way = |found| {
        matches!(
            found,
            StepError::NonFiniteLoss {
                place: Place::AscentPoint(1),
                ..
            }
        )
    };
    assert!(on_the_way(found));
    let ascended = up();
    let value = loss(ascended.model());
    let found = error(ascended.answer(value, GradientsParams::new()).unwrap_err());
    assert_eq!(found, StepError::NoGradient);

    let ascended = up();
    let value = loss(ascended.model());
    let above = gradients(&value, ascended.model());
    let Phase::Candidate(candidate) = ascended.answer(value, above).unwrap() else {
        panic!("a search is due");
    };
    assert!(!candidate.model().first.is_require_grad());
    let vector = candidate.model().joined();
    let found = error(candidate.answer(vector).unwrap_err());
    assert_eq!(found, StepError::LossNotScalar { elements: 2 });
}

#[test]
fn candidates_that_are_not_finite_are_skipped_in_phases_too() {
    let mut optim = SharpnessAware::new(plain(), XsamConfig::new()).unwrap();
    let start = Point::new(&[1.0, -0.5], 1);
    // Candidates are farther away than the ascent point.
    let loss = |m: &Point| {
        let values = m.values();
        let far = (values[0] - 1.0).hypot(values[1] + 0.5) > 0.2;
        m.quadratic(&[1.0, 4.0]) * if far { f64::NAN } else { 1.0 }
    };
    let step = in_phases(&mut optim, start, &loss).unwrap();
    assert_eq!(step.report.alpha, Some(1.0));
    assert_eq!(step.report.search.unwrap().skipped, 21);
}

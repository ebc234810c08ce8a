//! Losses that go through a second module: it is handled as the model is, and not trained.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use common::{Net, batch, bits, device, every_method, momentum, optimizer};
use xsam::{Accompanied, SharpnessAware, XsamConfig};

type Both = Accompanied<Net, Net>;

/// The loss of a generator that a critic is to like.
fn loss(both: &Both, (x, _): &(Tensor<2>, Tensor<2>)) -> Tensor<1> {
    criticised(both.companion(), both.model().forward(x.clone()))
}

/// Through a net of four inputs.
fn criticised(critic: &Net, made: Tensor<2>) -> Tensor<1> {
    let inputs = Tensor::cat(vec![made.clone(), made], 1);
    critic.forward(inputs).square().mean()
}

/// A copy that shares nothing.
fn copy(net: &Net) -> Net {
    net.valid().train()
}

/// The critic, with its statistics, after a forward pass for each of `batches`.
fn after_a_pass_each(model: &Net, critic: &Net, batches: &[(Tensor<2>, Tensor<2>)]) -> Net {
    let both = Accompanied::new(copy(model), copy(critic));
    for batch in batches {
        loss(&both, batch);
    }
    both.into_parts().1
}

#[test]
fn the_statistics_of_a_companion_move_once_a_step() {
    let device = device();
    let (batches, critic) = ([batch(&device), batch(&device)], Net::new(&device, 0.0));
    for method in every_method() {
        let new = || SharpnessAware::from_method(momentum(), method.boxed());
        let model = Net::new(&device, 0.0);
        let step = |batch: &(Tensor<2>, Tensor<2>), optim: &mut SharpnessAware, both: Both| {
            let step = optim.step(0.1, both, |both: &Both| loss(both, batch));
            step.unwrap().model
        };
        // Two steps, of which the first one searches.
        let mut optim = new();
        let mut both = Accompanied::new(copy(&model), copy(&critic));
        let mut expected = copy(&critic);
        for batch in &batches {
            expected = after_a_pass_each(both.model(), &expected, std::slice::from_ref(batch));
            both = step(batch, &mut optim, both);
        }
        let (trained, back) = both.into_parts();
        assert_eq!(bits(&back), bits(&expected), "{method:?}");
        assert_ne!(bits(&back), bits(&critic));
        // The model moves, the companion's weights do not.
        assert_ne!(bits(&trained.first), bits(&model.first));
        assert_eq!(bits(&back.first), bits(&critic.first));

        // Each part of a batch counts once.
        let expected = bits(&after_a_pass_each(&model, &critic, &batches));
        let both = || Accompanied::new(copy(&model), copy(&critic));
        let step = new().step_accumulated(0.1, both(), &batches, loss);
        assert_eq!(bits(&step.unwrap().model.into_parts().1), expected);
        let step = new().step_m_sharpness(0.1, both(), &batches, loss);
        assert_eq!(bits(&step.unwrap().model.into_parts().1), expected);
    }
}

/// What the documentation warns of, so that a change of Burn's would be noticed.
#[test]
fn the_statistics_of_a_captured_module_move_in_every_pass() {
    let device = device();
    let (batch, critic, model) = (
        batch(&device),
        Net::new(&device, 0.0),
        Net::new(&device, 0.0),
    );
    let expected = bits(&after_a_pass_each(
        &model,
        &critic,
        std::slice::from_ref(&batch),
    ));
    let mut optim = optimizer(XsamConfig::new());
    let captured = copy(&critic);
    optim
        .step(0.1, model, |m: &Net| {
            criticised(&captured, m.forward(batch.0.clone()))
        })
        .unwrap();
    assert_ne!(bits(&captured), expected);
}

#[test]
fn a_companion_changes_nothing_for_the_model() {
    let device = device();
    let (batch, critic) = (batch(&device), Net::new(&device, 0.0));
    for method in every_method() {
        let start = Net::new(&device, 0.0);
        let new = || SharpnessAware::from_method(momentum(), method.boxed());
        let (mut optim, mut other) = (new(), new());
        let mut alone = copy(&start);
        let mut both = Accompanied::new(copy(&start), copy(&critic));
        for _ in 0..3 {
            let captured = copy(&critic);
            let step = optim.step(0.1, alone, |m: &Net| {
                criticised(&captured, m.forward(batch.0.clone()))
            });
            alone = step.unwrap().model;
            let step = other.step(0.1, both, |both: &Both| loss(both, &batch));
            both = step.unwrap().model;
        }
        assert_eq!(bits(both.model()), bits(&alone), "{method:?}");
        // To records and visitors it is the model.
        assert_eq!(both.num_params(), alone.num_params());
        assert_eq!(bits(&both), bits(&alone));
    }
}

#[test]
fn a_failed_step_leaves_a_companion_as_it_was() {
    let device = device();
    let (batch, critic) = (batch(&device), Net::new(&device, 0.0));
    let mut optim = optimizer(XsamConfig::new());
    let both = Accompanied::new(Net::new(&device, 0.0), copy(&critic));
    let mut pass = 0;
    let failure = optim
        .step(0.1, both, |both: &Both| {
            pass += 1;
            loss(both, &batch) * if pass == 2 { f64::NAN } else { 1.0 }
        })
        .unwrap_err();
    let (_, back) = failure.into_parts().0.into_parts();
    assert_eq!(bits(&back), bits(&critic));
}

#[test]
fn a_companion_comes_back_as_trainable_as_it_was() {
    let device = device();
    let batch = batch(&device);
    let mut critic = Net::new(&device, 0.0);
    critic.last = critic.last.freeze();
    let both = Accompanied::new(Net::new(&device, 0.0), critic);
    let companion = both.companion();
    assert!(!companion.first.weight.val().is_require_grad());
    let mut optim = optimizer(XsamConfig::new());
    let step = optim.step(0.1, both, |both: &Both| loss(both, &batch));
    let (_, critic) = step.unwrap().model.into_parts();
    assert!(critic.first.weight.val().is_require_grad());
    assert!(!critic.last.weight.val().is_require_grad());
    // And it trains.
    let before = bits(&critic.first);
    let loss = |critic: &Net| critic.forward(batch.0.clone()).square().mean();
    let critic = optimizer(XsamConfig::new())
        .step(0.1, critic, loss)
        .unwrap();
    assert_ne!(bits(&critic.model.first), before);
}

#[test]
fn companions_with_gradient_checkpointing_are_run() {
    let device: Device = device().gradient_checkpointing();
    let batch = batch(&device);
    let mut optim = optimizer(XsamConfig::new());
    let mut both = Accompanied::new(Net::new(&device, 0.0), Net::new(&device, 0.0));
    for _ in 0..2 {
        let step = optim.step(0.1, both, |both: &Both| loss(both, &batch));
        both = step.unwrap().model;
    }
    let (_, critic) = both.into_parts();
    assert_eq!(
        critic.first.weight.val().gradient_checkpointing_strategy(),
        device.gradient_checkpointing_strategy()
    );
}

#[test]
fn a_companion_goes_along_in_place() {
    let device = device();
    let (batch, critic, model) = (
        batch(&device),
        Net::new(&device, 0.0),
        Net::new(&device, 0.0),
    );
    let expected = after_a_pass_each(&model, &critic, std::slice::from_ref(&batch));
    let mut optim = optimizer(XsamConfig::new());
    let mut both = Accompanied::new(model, critic);
    let loss = |both: &Both| loss(both, &batch);
    optim.step_mut(0.1, &mut both, loss).unwrap();
    assert_eq!(bits(&both.into_parts().1), bits(&expected));
}

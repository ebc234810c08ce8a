//! Losses that go through a second module: it is handled as the model is, and not trained.

use std::slice::from_ref;

use crate::common::{
    Batch, Net, batch, batch_on, bits, copy, device, every_optimizer, net, net_on, optimizer,
    optimizers_at_the_weights, step,
};
use burn::module::Module;
use burn::tensor::Tensor;
use xsam::{Accompanied, XsamConfig};

type Both = Accompanied<Net, Net>;

/// The loss of a generator that a critic is to like.
fn loss(both: &Both, (x, _): &Batch) -> Tensor<1> {
    criticised(both.companion(), both.model().forward(x.clone()))
}

/// Through a net of four inputs.
fn criticised(critic: &Net, made: Tensor<2>) -> Tensor<1> {
    let inputs = Tensor::cat(vec![made.clone(), made], 1);
    critic.forward(inputs).square().mean()
}

/// Copies of both that share nothing.
fn copies(model: &Net, critic: &Net) -> Both {
    Accompanied::new(copy(model), copy(critic))
}

/// The critic, with its statistics, after a forward pass for each of `batches`.
fn after_a_pass_each(model: &Net, critic: &Net, batches: &[Batch]) -> Net {
    let both = copies(model, critic);
    for batch in batches {
        loss(&both, batch);
    }
    both.into_parts().1
}

#[test]
fn the_statistics_of_a_companion_move_once_a_step() {
    let (batches, critic) = ([batch(), batch()], net());
    for new in optimizers_at_the_weights() {
        let model = net();
        // Two steps, of which the first one searches.
        let mut optim = new.clone();
        let mut both = copies(&model, &critic);
        let mut expected = copy(&critic);
        for batch in &batches {
            expected = after_a_pass_each(both.model(), &expected, from_ref(batch));
            both = step(&mut optim, 0.1, both, |both: &Both| loss(both, batch)).model;
        }
        let (trained, back) = both.into_parts();
        assert_eq!(bits(&back), bits(&expected), "{new:?}");
        assert_ne!(bits(&back), bits(&critic));
        // The model moves, the companion's weights do not.
        assert_ne!(bits(&trained.first), bits(&model.first));
        assert_eq!(bits(&back.first), bits(&critic.first));

        // Each part of a batch counts once.
        let expected = bits(&after_a_pass_each(&model, &critic, &batches));
        let both = || copies(&model, &critic);
        let step = new.clone().step_accumulated(0.1, both(), &batches, loss);
        assert_eq!(bits(&step.unwrap().model.into_parts().1), expected);
        let step = new.clone().step_m_sharpness(0.1, both(), &batches, loss);
        assert_eq!(bits(&step.unwrap().model.into_parts().1), expected);
    }
}

/// What the documentation warns of, so that a change of Burn's would be noticed.
#[test]
fn the_statistics_of_a_captured_module_move_in_every_pass() {
    let (batch, critic, model) = (batch(), net(), net());
    let expected = bits(&after_a_pass_each(&model, &critic, from_ref(&batch)));
    let captured = copy(&critic);
    step(&mut optimizer(XsamConfig::new()), 0.1, model, |m: &Net| {
        criticised(&captured, m.forward(batch.0.clone()))
    });
    assert_ne!(bits(&captured), expected);
}

#[test]
fn a_companion_changes_nothing_for_the_model() {
    let (batch, critic) = (batch(), net());
    for mut optim in every_optimizer() {
        let mut other = optim.clone();
        let start = net();
        let (mut alone, mut both) = (copy(&start), copies(&start, &critic));
        for _ in 0..3 {
            let captured = copy(&critic);
            let loss_alone = |m: &Net| criticised(&captured, m.forward(batch.0.clone()));
            alone = step(&mut optim, 0.1, alone, loss_alone).model;
            both = step(&mut other, 0.1, both, |both: &Both| loss(both, &batch)).model;
        }
        assert_eq!(bits(both.model()), bits(&alone), "{optim:?}");
        // To records and visitors it is the model.
        assert_eq!(both.num_params(), alone.num_params());
        assert_eq!(bits(&both), bits(&alone));
    }
}

#[test]
fn a_failed_step_leaves_a_companion_as_it_was() {
    let (batch, critic) = (batch(), net());
    let mut pass = 0;
    let step = optimizer(XsamConfig::new()).step(0.1, copies(&net(), &critic), |both: &Both| {
        pass += 1;
        loss(both, &batch) * if pass == 2 { f64::NAN } else { 1.0 }
    });
    let (both, _) = step.unwrap_err().into_parts();
    assert_eq!(bits(&both.into_parts().1), bits(&critic));
}

#[test]
fn a_companion_comes_back_as_trainable_as_it_was() {
    let batch = batch();
    let mut critic = net();
    critic.last = critic.last.freeze();
    let both = Accompanied::new(net(), critic);
    assert!(!both.companion().first.weight.val().is_require_grad());
    let mut optim = optimizer(XsamConfig::new());
    let both = step(&mut optim, 0.1, both, |both: &Both| loss(both, &batch)).model;
    let (_, critic) = both.into_parts();
    assert!(critic.first.weight.val().is_require_grad());
    assert!(!critic.last.weight.val().is_require_grad());
    // And it trains.
    let before = bits(&critic.first);
    let loss = |critic: &Net| critic.forward(batch.0.clone()).square().mean();
    let critic = step(&mut optimizer(XsamConfig::new()), 0.1, critic, loss).model;
    assert_ne!(bits(&critic.first), before);
}

#[test]
fn companions_with_gradient_checkpointing_are_run() {
    let device = device().gradient_checkpointing();
    let batch = batch_on(&device);
    let mut optim = optimizer(XsamConfig::new());
    let mut both = Accompanied::new(net_on(&device), net_on(&device));
    for _ in 0..2 {
        both = step(&mut optim, 0.1, both, |both: &Both| loss(both, &batch)).model;
    }
    let weight = both.into_parts().1.first.weight.val();
    let strategy = device.gradient_checkpointing_strategy();
    assert_eq!(weight.gradient_checkpointing_strategy(), strategy);
}

#[test]
fn a_companion_goes_along_in_place() {
    let (batch, critic, model) = (batch(), net(), net());
    let expected = after_a_pass_each(&model, &critic, from_ref(&batch));
    let mut optim = optimizer(XsamConfig::new());
    let mut both = Accompanied::new(model, critic);
    let loss = |both: &Both| loss(both, &batch);
    optim.step_mut(0.1, &mut both, loss).unwrap();
    assert_eq!(bits(&both.into_parts().1), bits(&expected));
}

//! Running statistics and gradient checkpointing: what a pass may leave behind.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::RefCell;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use common::{Net, batch, bits, device, every_method, momentum, plain};
use xsam::{SamConfig, SharpnessAware, XsamConfig};

fn statistics(model: &Net) -> Vec<f64> {
    let norm = model.valid().norm;
    let (mean, var) = (norm.running_mean.value(), norm.running_var.value());
    let read = |t: Tensor<1>| t.into_data().iter::<f64>().collect::<Vec<_>>();
    [read(mean), read(var)].concat()
}

#[test]
fn only_the_pass_at_the_weights_counts() {
    let device = device();
    let batch = batch(&device);
    for method in every_method() {
        let mut optim = SharpnessAware::from_method(momentum(), method);
        let mut model = Net::new(&device, 0.0);
        for _ in 0..3 {
            let plain = model.valid().train();
            plain.loss(&batch);
            let before = statistics(&model);
            model = optim
                .step(0.1, model, |m: &Net| m.loss(&batch))
                .unwrap()
                .model;
            assert_eq!(statistics(&model), statistics(&plain));
            assert_ne!(statistics(&model), before);
        }
    }
}

#[test]
fn clones_of_the_model_keep_their_statistics() {
    let device = device();
    let batch = batch(&device);
    let model = Net::new(&device, 0.0);
    let kept = model.clone();
    let before = bits(&kept);
    let mut optim = SharpnessAware::new(momentum(), XsamConfig::new()).unwrap();
    optim.step(0.1, model, |m: &Net| m.loss(&batch)).unwrap();
    assert_eq!(bits(&kept), before);
}

#[test]
fn a_failed_step_leaves_the_statistics() {
    let device = device();
    let batch = batch(&device);
    let model = Net::new(&device, 0.0);
    let before = statistics(&model);
    let mut optim = SharpnessAware::new(plain(), SamConfig::new()).unwrap();
    let failure = optim
        .step(0.1, model, |m: &Net| m.loss(&batch) * f64::NAN)
        .unwrap_err();
    assert_eq!(statistics(&failure.into_parts().0), before);
}

#[test]
fn every_pass_is_in_training_mode() {
    let device = device();
    let (x, y) = batch(&device);
    // Far from the running statistics: normalised by those the outputs would be large.
    let x = x * 100.0 + 1000.0;
    for method in every_method() {
        let seen = RefCell::new(Vec::new());
        let model = Net::new(&device, 0.0);
        let mut optim = SharpnessAware::from_method(plain(), method);
        let step = optim
            .step(0.1, model, |m: &Net| {
                let normed = m.norm.forward(m.first.forward(x.clone()));
                let largest = normed.clone().abs().max().into_scalar::<f32>();
                seen.borrow_mut().push(largest);
                let out = m.last.forward(normed);
                ((out - y.clone()).square().mean(), largest)
            })
            .unwrap();
        let seen = seen.into_inner();
        let passes = step.report.passes;
        assert_eq!(seen.len(), passes.gradients + passes.losses);
        assert!(seen.iter().all(|largest| *largest < 10.0), "{seen:?}");
        assert_eq!(step.output, seen[0]);
    }
}

#[test]
fn models_with_gradient_checkpointing_train() {
    let device: Device = device().gradient_checkpointing();
    let batch = batch(&device);
    for method in every_method() {
        let mut optim = SharpnessAware::from_method(momentum(), method);
        let mut model = Net::new(&device, 0.0);
        for _ in 0..2 {
            model = optim
                .step(0.1, model, |m: &Net| m.loss(&batch))
                .unwrap()
                .model;
        }
        let weight = model.first.weight.val();
        assert_eq!(
            weight.gradient_checkpointing_strategy(),
            device.gradient_checkpointing_strategy()
        );
    }
}

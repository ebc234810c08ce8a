//! Running statistics and gradient checkpointing: what a pass may leave behind.

use std::cell::RefCell;

use crate::common::{
    Net, batch, batch_on, bits, copy, device, every_optimizer, net, net_on, optimizer,
    optimizers_at_the_weights, step, trained,
};
use burn::module::Module;
use burn::tensor::Tensor;
use xsam::{MomentumSamConfig, SamConfig, XsamConfig};

fn statistics(model: &Net) -> Vec<f64> {
    let norm = model.valid().norm;
    let (mean, var) = (norm.running_mean.value(), norm.running_var.value());
    let read = |t: Tensor<1>| t.into_data().iter::<f64>().collect::<Vec<_>>();
    [read(mean), read(var)].concat()
}

#[test]
fn only_the_pass_at_the_weights_counts() {
    let batch = batch();
    for mut optim in optimizers_at_the_weights() {
        let mut model = net();
        for _ in 0..3 {
            let plain = copy(&model);
            plain.loss(&batch);
            let before = statistics(&model);
            model = trained(&mut optim, model, &batch, 1);
            assert_eq!(statistics(&model), statistics(&plain));
            assert_ne!(statistics(&model), before);
        }
    }
}

#[test]
fn a_pass_off_the_weights_counts_where_it_is_made() {
    let (batch, start) = (batch(), net());
    let mut optim = optimizer(MomentumSamConfig::new());
    let model = trained(&mut optim, copy(&start), &batch, 1);
    // The first step has no momentum: its pass is at the weights, and the second one's is not.
    let plain = copy(&start);
    plain.loss(&batch);
    assert_eq!(statistics(&model), statistics(&plain));
    let plain = copy(&model);
    plain.loss(&batch);
    let before = statistics(&model);
    let model = trained(&mut optim, model, &batch, 1);
    assert_ne!(statistics(&model), statistics(&plain));
    assert_ne!(statistics(&model), before);
}

#[test]
fn clones_of_the_model_keep_their_statistics() {
    let model = net();
    let kept = model.clone();
    let before = bits(&kept);
    trained(&mut optimizer(XsamConfig::new()), model, &batch(), 1);
    assert_eq!(bits(&kept), before);
}

#[test]
fn a_failed_step_leaves_the_statistics() {
    let (batch, model) = (batch(), net());
    let before = statistics(&model);
    let loss = |m: &Net| m.loss(&batch) * f64::NAN;
    let result = optimizer(SamConfig::new()).step(0.1, model, loss);
    assert_eq!(statistics(&result.unwrap_err().into_parts().0), before);
}

#[test]
fn every_pass_is_in_training_mode() {
    let (x, y) = batch();
    // Far from the running statistics: normalised by those the outputs would be large.
    let x = x * 100.0 + 1000.0;
    for mut optim in every_optimizer() {
        let seen = RefCell::new(Vec::new());
        let step = step(&mut optim, 0.1, net(), |m: &Net| {
            let normed = m.norm.forward(m.first.forward(x.clone()));
            let largest = normed.clone().abs().max().into_scalar::<f32>();
            seen.borrow_mut().push(largest);
            let out = m.last.forward(normed);
            ((out - y.clone()).square().mean(), largest)
        });
        let seen = seen.into_inner();
        let passes = step.report.passes;
        assert_eq!(seen.len(), passes.gradients + passes.losses);
        assert!(seen.iter().all(|largest| *largest < 10.0), "{seen:?}");
        assert_eq!(step.output, seen[0]);
    }
}

#[test]
fn models_with_gradient_checkpointing_train() {
    let device = device().gradient_checkpointing();
    let batch = batch_on(&device);
    let strategy = device.gradient_checkpointing_strategy();
    for mut optim in every_optimizer() {
        let model = trained(&mut optim, net_on(&device), &batch, 2);
        let weight = model.first.weight.val();
        assert_eq!(weight.gradient_checkpointing_strategy(), strategy);
    }
}

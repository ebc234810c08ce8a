//! Dropout masks. In a file, and so a process, of its own: masks are drawn from the device's random
//! numbers, which the tests of one process share.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use burn::tensor::Tensor;
use common::{Net, device, every_method, overflowing, plain};
use xsam::{LossScale, Method, MethodConfig, SharpnessAware, XsamConfig};

/// Tests that draw from the device's random numbers take turns.
static ALONE: Mutex<()> = Mutex::new(());

/// The masks of all passes of two steps, step by step.
fn masks(method: Box<dyn Method>, replay: bool) -> Vec<Vec<Vec<f64>>> {
    let device = device();
    let optim = SharpnessAware::from_method(plain(), method);
    let mut optim = if replay {
        optim.with_replay_dropout(7)
    } else {
        optim
    };
    let mut model = Net::new(&device, 0.5);
    let mut steps = Vec::new();
    for _ in 0..2 {
        let seen = RefCell::new(Vec::new());
        let step = optim
            .step(0.1, model, |m: &Net| {
                let ones = Tensor::<2>::ones([8, 8], &device);
                let mask = m.dropout.forward(ones).into_data();
                seen.borrow_mut()
                    .push(mask.iter::<f64>().collect::<Vec<_>>());
                m.last.weight.val().square().sum()
            })
            .unwrap();
        let passes = step.report.passes;
        let seen = seen.into_inner();
        assert_eq!(seen.len(), passes.gradients + passes.losses);
        model = step.model;
        steps.push(seen);
    }
    steps
}

#[test]
fn dropout_masks_are_fresh_or_replayed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for method in every_method() {
        let replayed = masks(method.boxed(), true);
        for step in &replayed {
            assert!(step.iter().all(|mask| mask == &step[0]));
        }
        assert_ne!(replayed[0][0], replayed[1][0]);
        let fresh = masks(method, false).concat();
        assert!(
            fresh
                .iter()
                .enumerate()
                .all(|(i, mask)| !fresh[..i].contains(mask))
        );
    }
    // The first step searches.
    let xsam = masks(XsamConfig::new().build().unwrap(), true);
    assert_eq!([xsam[0].len(), xsam[1].len()], [2 + 21, 2]);
}

#[test]
fn a_pass_that_is_repeated_has_the_masks_of_the_first() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let device = device();
    let scale = LossScale::dynamic().with_start(512.0).unwrap();
    let optim = SharpnessAware::new(plain(), XsamConfig::new()).unwrap();
    let mut optim = optim.with_replay_dropout(7).with_loss_scale(scale);
    let seen = RefCell::new(Vec::new());
    let step = optim
        .step(0.1, Net::new(&device, 0.5), |m: &Net| {
            let mask = m
                .dropout
                .forward(Tensor::<2>::ones([8, 8], &device))
                .into_data();
            seen.borrow_mut()
                .push(mask.iter::<f64>().collect::<Vec<_>>());
            overflowing(m.last.weight.val().square().sum())
        })
        .unwrap();
    // Twice too large at the weights.
    assert_eq!(step.report.passes.gradients, 2 + 2);
    let seen = seen.into_inner();
    assert!(seen.iter().all(|mask| mask == &seen[0]));
}

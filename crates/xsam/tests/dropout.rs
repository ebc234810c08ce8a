//! Dropout masks. In a file, and so a process, of its own: masks are drawn from the device's random
//! numbers, which the tests of one process share.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::RefCell;

use burn::tensor::Tensor;
use common::{Net, device, plain};
use xsam::{SharpnessAware, XsamConfig};

#[test]
fn dropout_masks_are_fresh_or_replayed() {
    let device = device();
    let masks = |replay: bool| {
        let optim = SharpnessAware::new(plain(), XsamConfig::new()).unwrap();
        let mut optim = if replay {
            optim.with_replay_dropout(7)
        } else {
            optim
        };
        let mut model = Net::new(&device, 0.5);
        let seen = RefCell::new(Vec::new());
        for _ in 0..2 {
            model = optim
                .step(0.1, model, |m: &Net| {
                    let ones = Tensor::<2>::ones([8, 8], &device);
                    let mask = m.dropout.forward(ones).into_data();
                    seen.borrow_mut()
                        .push(mask.iter::<f64>().collect::<Vec<_>>());
                    m.last.weight.val().square().sum()
                })
                .unwrap()
                .model;
        }
        seen.into_inner()
    };
    let replayed = masks(true);
    // The first step searches.
    let (first, second) = replayed.split_at(2 + 21);
    assert_eq!(second.len(), 2);
    assert!(first.iter().all(|mask| mask == &first[0]));
    assert!(second.iter().all(|mask| mask == &second[0]));
    assert_ne!(first[0], second[0]);
    let fresh = masks(false);
    assert_ne!(fresh[0], fresh[1]);
}

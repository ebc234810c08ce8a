//! Linear combinations and SGD round as the composed form does: the same bits from either. In a
//! process of its own: the choice of kernels is for all threads.

use crate::common::{numbers, read};
use burn::tensor::{DType, Device, Tensor};
use xsam_kernels::{Kernels, SgdStep, combine, set_kernels, sgd_update};

/// More than one piece, and no multiple of any vector.
const LENGTH: usize = 150_003;

fn input(seed: u64) -> Tensor<1> {
    numbers([LENGTH], seed, (&Device::flex(), DType::F32))
}

fn on_both(run: impl Fn() -> Vec<f64>) {
    let [fast, composed] = [Kernels::Fast, Kernels::Composed].map(|kernels| {
        set_kernels(kernels);
        run()
    });
    let differs = fast.iter().zip(&composed).position(|(x, y)| x != y);
    assert_eq!(differs, None);
}

#[test]
fn the_kernels_round_as_the_composed_form() {
    for factor in [1.0, 0.3] {
        on_both(|| {
            let rest = [(0.7, input(2)), (-0.1, input(3))];
            read(combine((factor, input(1)), &rest))
        });
    }
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
        let step = SgdStep {
            learning_rate: 0.1,
            momentum,
            weight_decay: 1e-3,
            nesterov,
        };
        on_both(|| {
            let (mut weight, mut velocity) = (input(1), None);
            for seed in 2..5 {
                (weight, velocity) = sgd_update(weight, input(seed), velocity, &step);
            }
            read(weight)
        });
    }
}

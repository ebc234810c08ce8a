//! Concatenation of channels against Burn's own in double precision.
#![allow(missing_docs)]

mod common;

use burn::tensor::{DType, Device, Tensor};
use common::{random, read, tensor, turned};
use proptest::prelude::*;
use xsam_kernels::concat_channels;

type Join = fn(Tensor<4>, Tensor<4>) -> Tensor<4>;

#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    channels: [usize; 2],
    size: [usize; 2],
    view: bool,
    seed: u64,
}

/// The joined tensor and the gradients of both parts, which the two are used in differently.
fn run(case: &Case, at: (&Device, DType), join: Join) -> [Vec<f64>; 3] {
    let [height, width] = case.size;
    let parts = [0, 1].map(|i| {
        let shape = [case.batch, case.channels[i], height, width];
        let part = tensor(
            &random(shape.iter().product(), case.seed ^ i as u64),
            shape,
            at,
        );
        let part = if case.view { turned(part) } else { part };
        part.require_grad()
    });
    let [a, b] = parts.clone();
    let joined = join(a, b);
    let slope = random(joined.dims().iter().product(), case.seed ^ 2);
    let slope = tensor(&slope, joined.dims(), at);
    let slope = if case.view { turned(slope) } else { slope };
    let grads = (joined.clone() * slope).sum().backward();
    // Burn leaves an empty part out altogether.
    let [a, b] = parts.map(|part| part.grad(&grads).map_or_else(Vec::new, read));
    [read(joined.inner()), a, b]
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = (0usize..40, 0usize..40);
    (
        0usize..6,
        channels,
        1usize..20,
        1usize..20,
        any::<bool>(),
        any::<u64>(),
    )
        .prop_filter_map(
            "something to join",
            |(batch, (a, b), height, width, view, seed)| {
                (batch * (a + b) > 0).then_some(Case {
                    batch,
                    channels: [a, b],
                    size: [height, width],
                    view,
                    seed,
                })
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn values_and_gradients_are_moved_and_nothing_else(case in cases()) {
        let device = Device::flex().autodiff();
        let exact = run(&case, (&device, DType::F64), |a, b| Tensor::cat(vec![a, b], 1));
        // Copies are exact: all numbers here are so in single precision.
        prop_assert_eq!(&run(&case, (&device, DType::F32), concat_channels), &exact);
        prop_assert_eq!(&run(&case, (&device, DType::F64), concat_channels), &exact);
    }
}

#[test]
fn large_tensors_are_split_over_threads() {
    let device = Device::flex().autodiff();
    let case = Case {
        batch: 33,
        channels: [70, 32],
        size: [16, 16],
        view: false,
        seed: 3,
    };
    let exact = run(&case, (&device, DType::F64), |a, b| {
        Tensor::cat(vec![a, b], 1)
    });
    assert_eq!(run(&case, (&device, DType::F32), concat_channels), exact);
}

#[test]
#[should_panic(expected = "differ in more than channels")]
fn another_size() {
    let device = Device::flex();
    concat_channels(
        Tensor::<4>::zeros([2, 3, 4, 4], &device),
        Tensor::zeros([2, 3, 4, 5], &device),
    );
}

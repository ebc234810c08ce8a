//! Batch norm in training, with and without a residual, forward and backward.
//!
//! `cargo bench --workspace --bench batch_norm`
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use burn::tensor::{Device, Distribution, Tensor};
use divan::Bencher;
use xsam_kernels::{BatchNormParams, BatchNormTail, batch_norm_train};

/// Of ResNet-18 and DenseNet-121, batch 32.
const SHAPES: [[usize; 4]; 4] = [
    [32, 64, 32, 32],
    [32, 128, 16, 16],
    [32, 512, 4, 4],
    [32, 256, 32, 32],
];

/// As in the program: fresh memory from the system would cost more than the kernels.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

struct Inputs {
    x: Tensor<4>,
    residual: Tensor<4>,
    params: BatchNormParams,
}

impl Inputs {
    fn new(shape: [usize; 4]) -> Self {
        let device = Device::flex().autodiff();
        let random = || Tensor::random(shape, Distribution::Default, &device).require_grad();
        Self {
            x: random(),
            residual: random(),
            params: BatchNormParams {
                weight: Tensor::ones([shape[1]], &device).require_grad(),
                bias: Tensor::zeros([shape[1]], &device).require_grad(),
                epsilon: 1e-5,
            },
        }
    }

    fn forward(&self, residual: bool) -> Tensor<4> {
        let tail = BatchNormTail {
            residual: residual.then(|| self.residual.clone()),
            relu: true,
        };
        batch_norm_train(self.x.clone(), self.params.clone(), tail).0
    }
}

#[divan::bench(args = SHAPES, consts = [false, true], max_time = 0.5)]
fn forward<const RESIDUAL: bool>(bencher: Bencher<'_, '_>, shape: [usize; 4]) {
    let inputs = Inputs::new(shape);
    bencher.bench_local(|| black_box(inputs.forward(RESIDUAL)));
}

/// From the gradient of the output to those of the inputs, and a pass that makes that gradient.
#[divan::bench(args = SHAPES, consts = [false, true], max_time = 0.5)]
fn backward<const RESIDUAL: bool>(bencher: Bencher<'_, '_>, shape: [usize; 4]) {
    let inputs = Inputs::new(shape);
    bencher
        .with_inputs(|| inputs.forward(RESIDUAL))
        .bench_local_values(|output| black_box(output.backward()));
}

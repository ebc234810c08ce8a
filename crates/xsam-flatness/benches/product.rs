//! What a product with the Hessian costs, in gradients: ResNet-18 of width 16 and 256 images of 32x32 pixels in
//! batches of 128, in both modes. Both sides in turn, so that a machine whose speed drifts treats them alike.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use burn::tensor::{Device, Int, Tensor, TensorData};
use xsam::method::Objective;
use xsam_flatness::{
    DifferenceStep, Elements, Hessian, LossSurface, Mode, SymmetricOperator, random_vector,
};
use xsam_kernels::cross_entropy;
use xsam_models::{ClassifierName, ImageClassifier, Model, ModelConfig, reference};

const BATCHES: usize = 2;
const BATCH: usize = 128;
const CLASSES: usize = 10;
const ROUNDS: usize = 9;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    xsam_kernels::keep_freed_memory();
    println!("mode        gradient s  product s  ratio   (medians of {ROUNDS} rounds)");
    rayon::scope(|_| {
        for mode in [Mode::Evaluation, Mode::Training] {
            measure(mode);
        }
    });
}

fn measure(mode: Mode) {
    let device = Device::flex().autodiff();
    let config = ModelConfig::new(ClassifierName::Resnet18, 3, 32, CLASSES).with_width(16);
    let model = config.init(1, &device).unwrap();
    let batches: Vec<(Tensor<4>, Tensor<1, Int>)> = (0..BATCHES as u64)
        .map(|seed| {
            let images = reference::images(seed, BATCH * 3 * 32 * 32);
            let images = TensorData::new(images, [BATCH, 3, 32, 32]);
            let targets = reference::targets(seed, BATCH, CLASSES);
            let targets = TensorData::new(targets, [BATCH]);
            (
                Tensor::from_data(images, &device),
                Tensor::from_data(targets, &device),
            )
        })
        .collect();
    let loss = |model: &Model, i: usize| {
        let (images, targets) = &batches[i];
        cross_entropy(model.forward(images.clone()), targets.clone(), 0.0)
    };
    let surface = || LossSurface::new(&model, mode, &[BATCH; BATCHES], loss).unwrap();
    let (mut plain, mut second) = (surface(), surface());
    let mut hessian = Hessian::new(&mut second, None, DifferenceStep::Auto).unwrap();
    let vector = random_vector(hessian.space(), Elements::Normal, 1, 0);
    // The first product notes the kinks, and buffers are taken.
    hessian.apply(&vector).unwrap();
    plain.evaluate().unwrap();
    let (mut gradients, mut products, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        plain.evaluate().unwrap();
        let gradient = start.elapsed().as_secs_f64();
        let start = Instant::now();
        hessian.apply(&vector).unwrap();
        let product = start.elapsed().as_secs_f64();
        gradients.push(gradient);
        products.push(product);
        ratios.push(product / gradient);
    }
    println!(
        "{:<10}  {:>10.3}  {:>9.3}  {:>5.2}",
        format!("{mode:?}").to_lowercase(),
        median(gradients),
        median(products),
        median(ratios)
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

//! What the examples share: the digits that are built into `xsam-data`, and a small net for them.
// Every example uses a part of it.
#![allow(dead_code)]

use std::error::Error;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use xsam_data::{Images, Normalization, batches, gather, order};

/// A batch of images of 8x8 pixels, and which digits they are.
#[derive(Clone, Debug)]
pub struct Batch {
    pub images: Tensor<4>,
    pub targets: Tensor<1, Int>,
}

impl Batch {
    pub fn new(pixels: Vec<f32>, labels: Vec<i64>, device: &Device) -> Self {
        let n = labels.len();
        Self {
            images: Tensor::from_data(TensorData::new(pixels, [n, 1, 8, 8]), device),
            targets: Tensor::from_data(TensorData::new(labels, [n]), device),
        }
    }
}

/// Two convolutions and a linear layer: 1,898 weights for ten digits.
#[derive(Module, Debug)]
pub struct Net {
    pub conv1: Conv2d,
    pub conv2: Conv2d,
    pub pool: MaxPool2d,
    pub head: Linear,
}

impl Net {
    pub fn new(classes: usize, device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 8], [3, 3]).init(device),
            conv2: Conv2dConfig::new([8, 16], [3, 3]).init(device),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            head: LinearConfig::new(64, classes).init(device),
        }
    }

    /// Logits.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu(self.conv1.forward(images));
        let x = relu(self.conv2.forward(x));
        self.head.forward(self.pool.forward(x).flatten(1, 3))
    }

    pub fn loss(&self, batch: &Batch) -> Tensor<1> {
        let logits = self.forward(batch.images.clone());
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        loss.forward(logits, batch.targets.clone())
    }

    /// Share of the images that are told rightly.
    pub fn accuracy(&self, batch: &Batch) -> Result<f64, Box<dyn Error>> {
        let told = self.valid().forward(batch.images.clone().inner()).argmax(1);
        let right = told.flatten::<1>(0, 1).equal(batch.targets.clone().inner());
        Ok(right.float().mean().try_into_scalar::<f64>()?)
    }
}

/// The batches of an epoch, in an order of its own.
pub fn epoch(
    images: &Images,
    normalization: &Normalization,
    epoch: usize,
    device: &Device,
) -> Result<Vec<Batch>, Box<dyn Error>> {
    let order = order(images.len(), 42, epoch as u64);
    batches(&order, 100)?
        .map(|batch| {
            let (pixels, labels) = gather(images, normalization, batch)?;
            Ok(Batch::new(pixels, labels, device))
        })
        .collect()
}

/// All images as one batch.
pub fn whole(
    images: &Images,
    normalization: &Normalization,
    device: &Device,
) -> Result<Batch, Box<dyn Error>> {
    let all: Vec<usize> = (0..images.len()).collect();
    let (pixels, labels) = gather(images, normalization, &all)?;
    Ok(Batch::new(pixels, labels, device))
}

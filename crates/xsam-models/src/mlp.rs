//! A network with one hidden layer.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use xsam_kernels::kinks::relu;

use crate::ImageClassifier;
use crate::layers::linear;

/// Flattened image, linear, ReLU, linear.
#[derive(Module, Debug)]
pub struct Mlp {
    /// Pixels to hidden units.
    pub fc1: Linear,
    /// Hidden units to classes.
    pub fc2: Linear,
}

impl Mlp {
    pub(crate) fn zeroed(pixels: usize, width: usize, classes: usize, device: &Device) -> Self {
        Self {
            fc1: linear(pixels, width, device),
            fc2: linear(width, classes, device),
        }
    }
}

impl ImageClassifier for Mlp {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.fc2
            .forward(relu(self.fc1.forward(images.flatten::<2>(1, 3))))
    }
}

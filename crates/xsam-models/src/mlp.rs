//! A network with one hidden layer.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use xsam_kernels::kinks::relu;

use crate::ImageClassifier;
use crate::classifier::{Facts, Sizes};
use crate::layers::linear;

/// Flattened image, linear, ReLU, linear.
#[derive(Module, Debug)]
pub struct Mlp {
    /// Pixels to hidden units.
    pub fc1: Linear,
    /// Hidden units to classes.
    pub fc2: Linear,
}

impl Facts for Mlp {
    const NAME: &'static str = "mlp";
    const WIDTH: Option<usize> = Some(32);

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let Sizes {
            channels,
            image_size,
            classes,
            width,
        } = sizes;
        let pixels = channels * image_size * image_size;
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

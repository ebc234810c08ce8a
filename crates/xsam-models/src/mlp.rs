//! A network with one hidden layer.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use xsam_kernels::kinks::relu;

use crate::ImageClassifier;
use crate::classifier::{Architecture, Sizes};
use crate::layers::{connect, linear};

/// Flattened image, linear, ReLU, linear.
#[derive(Module, Debug)]
pub struct Mlp {
    /// Pixels to hidden units.
    pub fc1: Linear,
    /// Hidden units to classes.
    pub fc2: Linear,
}

impl Architecture for Mlp {
    const NAME: &'static str = "mlp";
    const WIDTH: Option<usize> = Some(32);

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let pixels = sizes.channels * sizes.image_size.pow(2);
        Self {
            fc1: linear(pixels, sizes.width, device),
            fc2: linear(sizes.width, sizes.classes, device),
        }
    }
}

impl ImageClassifier for Mlp {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let hidden = relu(connect(&self.fc1, images.flatten::<2>(1, 3)));
        connect(&self.fc2, hidden)
    }
}

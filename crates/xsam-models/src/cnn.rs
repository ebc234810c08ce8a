//! Small convolutional networks with batch normalization.

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use xsam_kernels::global_avg_pool;

use crate::classifier::{Architecture, Sizes};
use crate::layers::{connect, conv3x3, convolve, linear};
use crate::{BatchNorm, ImageClassifier};

/// Two 3x3 convolutions (strides 1 and 2), each with batch normalization and ReLU, then the mean
/// over space and a linear layer.
#[derive(Module, Debug)]
pub struct SmallCnn {
    /// Image to `width` channels.
    pub conv1: Conv2d,
    /// Normalizes the output of `conv1`.
    pub bn1: BatchNorm,
    /// `width` to `2 width` channels, halving the image.
    pub conv2: Conv2d,
    /// Normalizes the output of `conv2`.
    pub bn2: BatchNorm,
    /// Linear layer from the channels to the classes.
    pub fc: Linear,
}

impl Architecture for SmallCnn {
    const NAME: &'static str = "small_cnn";
    const WIDTH: Option<usize> = Some(8);

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let width = sizes.width;
        Self {
            conv1: conv3x3(sizes.channels, width, 1, device),
            bn1: BatchNorm::new(width, device),
            conv2: conv3x3(width, 2 * width, 2, device),
            bn2: BatchNorm::new(2 * width, device),
            fc: linear(2 * width, sizes.classes, device),
        }
    }
}

impl ImageClassifier for SmallCnn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.bn1.forward_relu(convolve(&self.conv1, images));
        let x = self.bn2.forward_relu(convolve(&self.conv2, x));
        connect(&self.fc, global_avg_pool(x))
    }
}

/// Three 3x3 convolutions (strides 1, 2 and 2), each with batch normalization and ReLU, then the
/// mean over space and a linear layer.
#[derive(Module, Debug)]
pub struct Cnn {
    /// Image to `width` channels.
    pub conv1: Conv2d,
    /// Normalizes the output of `conv1`.
    pub bn1: BatchNorm,
    /// `width` to `2 width` channels, halving the image.
    pub conv2: Conv2d,
    /// Normalizes the output of `conv2`.
    pub bn2: BatchNorm,
    /// `2 width` to `4 width` channels, halving the image.
    pub conv3: Conv2d,
    /// Normalizes the output of `conv3`.
    pub bn3: BatchNorm,
    /// Linear layer from the channels to the classes.
    pub fc: Linear,
}

impl Architecture for Cnn {
    const NAME: &'static str = "cnn";
    const WIDTH: Option<usize> = Some(16);

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let width = sizes.width;
        Self {
            conv1: conv3x3(sizes.channels, width, 1, device),
            bn1: BatchNorm::new(width, device),
            conv2: conv3x3(width, 2 * width, 2, device),
            bn2: BatchNorm::new(2 * width, device),
            conv3: conv3x3(2 * width, 4 * width, 2, device),
            bn3: BatchNorm::new(4 * width, device),
            fc: linear(4 * width, sizes.classes, device),
        }
    }
}

impl ImageClassifier for Cnn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.bn1.forward_relu(convolve(&self.conv1, images));
        let x = self.bn2.forward_relu(convolve(&self.conv2, x));
        let x = self.bn3.forward_relu(convolve(&self.conv3, x));
        connect(&self.fc, global_avg_pool(x))
    }
}

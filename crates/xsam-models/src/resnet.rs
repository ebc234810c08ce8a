//! ResNet-18 in its form for small images (He et al., <https://arxiv.org/abs/1512.03385>).

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use xsam_kernels::global_avg_pool;

use crate::classifier::{Architecture, Sizes};
use crate::layers::{connect, conv1x1, conv3x3, convolve, linear};
use crate::{BatchNorm, ImageClassifier};

/// Two 3x3 convolutions around which the input is added.
#[derive(Module, Debug)]
pub struct BasicBlock {
    /// First convolution; carries the stride of the block.
    pub conv1: Conv2d,
    /// Normalizes the output of `conv1`.
    pub bn1: BatchNorm,
    /// Second convolution, 3x3, of stride 1.
    pub conv2: Conv2d,
    /// Normalizes the output of `conv2`.
    pub bn2: BatchNorm,
    /// Projection of the input where the block changes its shape.
    pub shortcut: Option<(Conv2d, BatchNorm)>,
}

impl BasicBlock {
    fn zeroed(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Self {
        let reshapes = stride != 1 || inputs != outputs;
        Self {
            conv1: conv3x3(inputs, outputs, stride, device),
            bn1: BatchNorm::new(outputs, device),
            conv2: conv3x3(outputs, outputs, 1, device),
            bn2: BatchNorm::new(outputs, device),
            shortcut: reshapes.then(|| {
                (
                    conv1x1(inputs, outputs, stride, device),
                    BatchNorm::new(outputs, device),
                )
            }),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let residual = self.bn1.forward_relu(convolve(&self.conv1, x.clone()));
        let residual = convolve(&self.conv2, residual);
        let identity = match &self.shortcut {
            Some((conv, bn)) => bn.forward(convolve(conv, x)),
            None => x,
        };
        self.bn2.forward_add_relu(residual, identity)
    }
}

/// ResNet-18 with a 3x3 stem and no pooling before the blocks.
///
/// The four stages have `width`, `2 width`, `4 width` and `8 width` channels; the original has a
/// width of 64.
#[derive(Module, Debug)]
pub struct Resnet18 {
    /// Convolution of the image, 3x3.
    pub conv1: Conv2d,
    /// Normalizes the output of `conv1`.
    pub bn1: BatchNorm,
    /// First stage, full resolution.
    pub layer1: Vec<BasicBlock>,
    /// Second stage, half resolution.
    pub layer2: Vec<BasicBlock>,
    /// Third stage, a quarter.
    pub layer3: Vec<BasicBlock>,
    /// Fourth stage, an eighth.
    pub layer4: Vec<BasicBlock>,
    /// Linear layer from the channels to the classes.
    pub linear: Linear,
}

impl Architecture for Resnet18 {
    const NAME: &'static str = "resnet18";
    const WIDTH: Option<usize> = Some(64);

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let width = sizes.width;
        let stage = |inputs, outputs, stride| {
            vec![
                BasicBlock::zeroed(inputs, outputs, stride, device),
                BasicBlock::zeroed(outputs, outputs, 1, device),
            ]
        };
        Self {
            conv1: conv3x3(sizes.channels, width, 1, device),
            bn1: BatchNorm::new(width, device),
            layer1: stage(width, width, 1),
            layer2: stage(width, 2 * width, 2),
            layer3: stage(2 * width, 4 * width, 2),
            layer4: stage(4 * width, 8 * width, 2),
            linear: linear(8 * width, sizes.classes, device),
        }
    }
}

impl ImageClassifier for Resnet18 {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let stem = self.bn1.forward_relu(convolve(&self.conv1, images));
        let features = [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
            .into_iter()
            .flatten()
            .fold(stem, |x, block| block.forward(x));
        connect(&self.linear, global_avg_pool(features))
    }
}

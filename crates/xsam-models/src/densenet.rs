//! DenseNet-121 in its form for small images (Huang et al., <https://arxiv.org/abs/1608.06993>).

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use xsam_kernels::{FeatureStack, avg_pool2d, global_avg_pool};

use crate::classifier::{Architecture, Sizes};
use crate::layers::{connect, conv1x1, conv3x3, convolve, linear};
use crate::{BatchNorm, ImageClassifier};

/// Channels that each dense layer adds.
const GROWTH: usize = 32;
/// Dense layers per block.
const BLOCKS: [usize; 4] = [6, 12, 24, 16];
const STEM: usize = 2 * GROWTH;
/// The 1x1 convolution of a dense layer has this many times [`GROWTH`] outputs.
const BOTTLENECK: usize = 4;

/// Appends 32 new channels to its input.
#[derive(Module, Debug)]
pub struct DenseLayer {
    /// Normalizes the input, before its activation.
    pub bn1: BatchNorm,
    /// 1x1 convolution to four times as many channels as the layer appends.
    pub conv1: Conv2d,
    /// Normalizes `conv1`, before its activation.
    pub bn2: BatchNorm,
    /// 3x3 convolution that makes the new channels.
    pub conv2: Conv2d,
}

impl DenseLayer {
    fn zeroed(inputs: usize, device: &Device) -> Self {
        let hidden = BOTTLENECK * GROWTH;
        Self {
            bn1: BatchNorm::new(inputs, device),
            conv1: conv1x1(inputs, hidden, 1, device),
            bn2: BatchNorm::new(hidden, device),
            conv2: conv3x3(hidden, GROWTH, 1, device),
        }
    }

    fn append(&self, stack: &mut FeatureStack<4>) {
        let new = convolve(&self.conv1, self.bn1.forward_stack(stack, true));
        stack.push(convolve(&self.conv2, self.bn2.forward_relu(new)));
    }
}

/// Halves channels and resolution between two blocks.
///
/// There is no rectifier between `bn` and `conv`, unlike in some other ports: the reference logits
/// come out only without it.
#[derive(Module, Debug)]
pub struct Transition {
    /// Normalizes the input, before its activation.
    pub bn: BatchNorm,
    /// 1x1 convolution to half the channels.
    pub conv: Conv2d,
}

impl Transition {
    fn zeroed(inputs: usize, device: &Device) -> Self {
        Self {
            bn: BatchNorm::new(inputs, device),
            conv: conv1x1(inputs, inputs / 2, 1, device),
        }
    }

    fn forward(&self, mut stack: FeatureStack<4>) -> Tensor<4> {
        let x = self.bn.forward_stack(&mut stack, false);
        // A mean of positions and a 1x1 convolution commute; in this order the convolution has a quarter
        // of the positions.
        let x = avg_pool2d(x, [2, 2], [2, 2], [0, 0], true);
        convolve(&self.conv, x)
    }
}

/// DenseNet-121 with growth 32, compression one half, and a plain 3x3 convolution as its stem.
#[derive(Module, Debug)]
pub struct Densenet121 {
    /// Convolution of the image, 3x3.
    pub conv1: Conv2d,
    /// First block, full resolution.
    pub dense1: Vec<DenseLayer>,
    /// After the first block.
    pub trans1: Transition,
    /// Second block, half resolution.
    pub dense2: Vec<DenseLayer>,
    /// After the second block.
    pub trans2: Transition,
    /// Third block, a quarter.
    pub dense3: Vec<DenseLayer>,
    /// After the third block.
    pub trans3: Transition,
    /// Fourth block, an eighth.
    pub dense4: Vec<DenseLayer>,
    /// Normalizes the features of the last block.
    pub bn: BatchNorm,
    /// Linear layer from the channels to the classes.
    pub linear: Linear,
}

impl Architecture for Densenet121 {
    const NAME: &'static str = "densenet121";
    const WIDTH: Option<usize> = None;
    const SMALLEST_IMAGE: usize = 8;

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let block = |inputs: usize, layers: usize| -> (Vec<DenseLayer>, usize) {
            let stack = (0..layers)
                .map(|i| DenseLayer::zeroed(inputs + i * GROWTH, device))
                .collect();
            (stack, inputs + layers * GROWTH)
        };
        let (dense1, width1) = block(STEM, BLOCKS[0]);
        let (dense2, width2) = block(width1 / 2, BLOCKS[1]);
        let (dense3, width3) = block(width2 / 2, BLOCKS[2]);
        let (dense4, width4) = block(width3 / 2, BLOCKS[3]);
        Self {
            conv1: conv3x3(sizes.channels, STEM, 1, device),
            dense1,
            trans1: Transition::zeroed(width1, device),
            dense2,
            trans2: Transition::zeroed(width2, device),
            dense3,
            trans3: Transition::zeroed(width3, device),
            dense4,
            bn: BatchNorm::new(width4, device),
            linear: linear(width4, sizes.classes, device),
        }
    }
}

impl ImageClassifier for Densenet121 {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let dense = |layers: &[DenseLayer], x| {
            let mut stack = FeatureStack::new(x);
            for layer in layers {
                layer.append(&mut stack);
            }
            stack
        };
        let stack = dense(&self.dense1, convolve(&self.conv1, images));
        let stack = dense(&self.dense2, self.trans1.forward(stack));
        let stack = dense(&self.dense3, self.trans2.forward(stack));
        let mut stack = dense(&self.dense4, self.trans3.forward(stack));
        let x = self.bn.forward_stack(&mut stack, true);
        connect(&self.linear, global_avg_pool(x))
    }
}

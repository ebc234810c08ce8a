//! Wide residual networks (Zagoruyko and Komodakis, <https://arxiv.org/abs/1605.07146>).

#![allow(non_snake_case, reason = "a name in PyTorch's state dict")]

use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use xsam_kernels::global_avg_pool;
use xsam_weights::state::{Entry, Kind};

use crate::classifier::{Architecture, Sizes};
use crate::error::unless;
use crate::init::normal;
use crate::layers::{connect, conv1x1, conv3x3, convolve, linear};
use crate::variant::Variant;
use crate::{BatchNorm, ImageClassifier, ModelError};

/// Channels of the stem, and of the first stage where the widening factor is 1.
const STEM: usize = 16;
/// Layers of a net without blocks: the stem, two projections and the linear layer.
const FIXED_LAYERS: usize = 4;
/// Layers that one more block in each of the three stages adds.
const LAYERS_A_BLOCK: usize = 6;

/// Two 3x3 convolutions, each after its normalization, around which the input is added.
#[derive(Module, Debug)]
pub struct WideBlock {
    /// Normalizes the input.
    pub bn1: BatchNorm,
    /// First convolution; carries the stride of the block.
    pub conv1: Conv2d,
    /// Normalizes the output of `conv1`.
    pub bn2: BatchNorm,
    /// Second convolution, of stride 1.
    pub conv2: Conv2d,
    /// Projection of the normalized input where the block changes its shape.
    pub convShortcut: Option<Conv2d>,
}

impl WideBlock {
    fn zeroed(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Self {
        let reshapes = inputs != outputs;
        Self {
            bn1: BatchNorm::new(inputs, device),
            conv1: conv3x3(inputs, outputs, stride, device),
            bn2: BatchNorm::new(outputs, device),
            conv2: conv3x3(outputs, outputs, 1, device),
            convShortcut: reshapes.then(|| conv1x1(inputs, outputs, stride, device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let normalized = self.bn1.forward_relu(x.clone());
        let identity = match &self.convShortcut {
            Some(conv) => convolve(conv, normalized.clone()),
            None => x,
        };
        let residual = self.bn2.forward_relu(convolve(&self.conv1, normalized));
        identity + convolve(&self.conv2, residual)
    }
}

/// Blocks of as many channels.
#[derive(Module, Debug)]
pub struct WideStage {
    /// The blocks, in the order of the pass; the first one changes resolution and channels.
    pub layer: Vec<WideBlock>,
}

/// WRN-d-k without dropout: `depth` d, which is 6 n + 4 for n blocks a stage, and `width` k, the widening factor. By default it is
/// WRN-28-10.
///
/// The three stages have `16 k`, `32 k` and `64 k` channels. Initial values of convolutions are He's, normal of variance 2 over
/// their outputs; the bias of the linear layer is 0.
#[derive(Module, Debug)]
pub struct WideResnet {
    /// Convolution of the image, 3x3.
    pub conv1: Conv2d,
    /// First stage, full resolution.
    pub block1: WideStage,
    /// Second stage, half resolution.
    pub block2: WideStage,
    /// Third stage, a quarter.
    pub block3: WideStage,
    /// Normalizes the output of the last stage.
    pub bn1: BatchNorm,
    /// Linear layer from the channels to the classes.
    pub fc: Linear,
}

impl Architecture for WideResnet {
    const NAME: &'static str = "wide_resnet";
    const WIDTH: Option<usize> = Some(10);

    fn besides(_width: usize) -> Variant {
        Variant {
            depth: Some(28),
            ..Variant::default()
        }
    }

    fn check(sizes: Sizes) -> Result<(), ModelError> {
        let depth = sizes.depth;
        let layers = depth.checked_sub(FIXED_LAYERS);
        let fits = layers.is_some_and(|n| n > 0 && n.is_multiple_of(LAYERS_A_BLOCK));
        unless(fits, "depth", || {
            format!(
                "depth = {depth} is none of 10, 16, 22, 28 and so on: 6 times the blocks of a stage, and 4"
            )
        })
    }

    fn initial(tensor: &Entry, rng: &mut ChaCha8Rng) -> Option<Vec<f64>> {
        let count = tensor.numel();
        match (tensor.kind, &tensor.shape[..]) {
            (Kind::Weight, &[outputs, _, height, width]) => {
                let outputs = outputs * height * width;
                Some(normal(rng, (2.0 / outputs as f64).sqrt(), count))
            }
            (Kind::Bias, _) => Some(vec![0.0; count]),
            _ => None,
        }
    }

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let blocks = (sizes.depth - FIXED_LAYERS) / LAYERS_A_BLOCK;
        let channels = [1, 2, 4].map(|factor| factor * STEM * sizes.width);
        let stage = |inputs, outputs, stride| {
            let first = WideBlock::zeroed(inputs, outputs, stride, device);
            let rest = (1..blocks).map(|_| WideBlock::zeroed(outputs, outputs, 1, device));
            WideStage {
                layer: std::iter::once(first).chain(rest).collect(),
            }
        };
        Self {
            conv1: conv3x3(sizes.channels, STEM, 1, device),
            block1: stage(STEM, channels[0], 1),
            block2: stage(channels[0], channels[1], 2),
            block3: stage(channels[1], channels[2], 2),
            bn1: BatchNorm::new(channels[2], device),
            fc: linear(channels[2], sizes.classes, device),
        }
    }
}

impl ImageClassifier for WideResnet {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let features = [&self.block1, &self.block2, &self.block3]
            .into_iter()
            .flat_map(|stage| &stage.layer)
            .fold(convolve(&self.conv1, images), |x, block| block.forward(x));
        connect(&self.fc, global_avg_pool(self.bn1.forward_relu(features)))
    }
}

//! VGG-11 with batch normalization (Simonyan and Zisserman, <https://arxiv.org/abs/1409.1556>).

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, Relu};
use burn::tensor::{Device, Tensor};
use xsam_kernels::{global_avg_pool, max_pool2d};

use crate::classifier::{Architecture, Sizes};
use crate::layers::{connect, conv3x3_with_bias, convolve, convolve_without_bias, linear};
use crate::{BatchNorm, ImageClassifier};

/// Stands for a pooling in [`PLAN`].
const POOL: usize = 0;
/// Output channels of each convolution.
const PLAN: [usize; 13] = [
    64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL,
];
const FEATURES: usize = 512;
const HIDDEN: usize = 4096;
const DROPOUT: f64 = 0.5;

/// One element of the convolutional part. Layers without parameters are elements too, so that
/// positions, and with them names, equal the original's.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a few dozen per model")]
pub enum Feature {
    /// A 3x3 convolution with bias.
    Conv(Conv2d),
    /// Normalizes the convolution before it.
    Norm(BatchNorm),
    /// Sets negative values to zero.
    Relu(Relu),
    /// Halves height and width by the maximum of each 2x2.
    Pool(MaxPool2d),
}

impl Feature {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv(layer) => convolve(layer, x),
            Self::Norm(layer) => layer.forward(x),
            Self::Relu(layer) => layer.forward(x),
            Self::Pool(layer) => max_pool2d(x, layer.kernel_size, layer.stride, [0, 0]),
        }
    }
}

/// One element of the classifier.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "seven per model")]
pub enum Head {
    /// A fully connected layer.
    Linear(Linear),
    /// Sets negative values to zero.
    Relu(Relu),
    /// Dropout, active in training only.
    Dropout(Dropout),
}

impl Head {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Linear(layer) => connect(layer, x),
            Self::Relu(layer) => layer.forward(x),
            Self::Dropout(layer) => layer.forward(x),
        }
    }
}

/// Eight convolutions in five groups, each group ended by a max-pooling, and three fully connected
/// layers with dropout.
///
/// The groups reduce a 32x32 image to one position. What larger images leave is averaged, so that
/// the classifier always sees 512 features. The dropout masks come from the device's generator:
/// call `device.seed` before a pass that must be repeatable.
#[derive(Module, Debug)]
pub struct Vgg11Bn {
    /// Convolutions, their norms, activations and pools.
    pub features: Vec<Feature>,
    /// The fully connected part.
    pub classifier: Vec<Head>,
}

impl Architecture for Vgg11Bn {
    const NAME: &'static str = "vgg11_bn";
    const WIDTH: Option<usize> = None;
    const SMALLEST_IMAGE: usize = 32;

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let mut features = Vec::new();
        let mut inputs = sizes.channels;
        for outputs in PLAN {
            if outputs == POOL {
                features.push(Feature::Pool(MaxPool2dConfig::new([2, 2]).init()));
                continue;
            }
            features.push(Feature::Conv(conv3x3_with_bias(inputs, outputs, device)));
            features.push(Feature::Norm(BatchNorm::new(outputs, device)));
            features.push(Feature::Relu(Relu::new()));
            inputs = outputs;
        }
        let dropout = || Head::Dropout(DropoutConfig::new(DROPOUT).init());
        let classifier = vec![
            Head::Linear(linear(FEATURES, HIDDEN, device)),
            Head::Relu(Relu::new()),
            dropout(),
            Head::Linear(linear(HIDDEN, HIDDEN, device)),
            Head::Relu(Relu::new()),
            dropout(),
            Head::Linear(linear(HIDDEN, sizes.classes, device)),
        ];
        Self {
            features,
            classifier,
        }
    }
}

impl ImageClassifier for Vgg11Bn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = images;
        let mut rest = self.features.as_slice();
        loop {
            (x, rest) = match rest {
                [] => break,
                [
                    Feature::Conv(conv),
                    Feature::Norm(norm),
                    Feature::Relu(_),
                    rest @ ..,
                ] => {
                    let y = convolve_without_bias(conv, x);
                    let y = match &conv.bias {
                        Some(bias) => norm.forward_shifted_relu(y, bias.val()),
                        None => norm.forward_relu(y),
                    };
                    (y, rest)
                }
                [layer, rest @ ..] => (layer.forward(x), rest),
            };
        }
        self.classifier
            .iter()
            .fold(global_avg_pool(x), |x, layer| layer.forward(x))
    }
}

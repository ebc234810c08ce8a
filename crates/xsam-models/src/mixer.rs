//! MLP-Mixer (Tolstikhin et al., <https://arxiv.org/abs/2105.01601>), as timm has it.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use xsam_weights::state::{Entry, Kind};

use crate::classifier::{Architecture, Sizes};
use crate::init::{normal, truncated_normal, uniform};
use crate::layers::{linear, through};
use crate::patches::{FeedForward, PatchEmbedding, check_patches, norm, patches};
use crate::variant::Variant;
use crate::{ImageClassifier, LayerNorm, ModelError};

/// Hidden units of the network over columns, in widths.
const HIDDEN: usize = 4;
/// Deviation of the initial biases of the networks.
const DEVIATION: f64 = 1e-6;

/// A network over the patches and one over the columns, each normalized before and added to its input.
#[derive(Module, Debug)]
pub struct MixerBlock {
    /// Normalizes what goes into `mlp_tokens`.
    pub norm1: LayerNorm,
    /// From patch to patch, column by column; half as many hidden units as columns.
    pub mlp_tokens: FeedForward,
    /// Normalizes what goes into `mlp_channels`.
    pub norm2: LayerNorm,
    /// From column to column, patch by patch; four times as many hidden units as columns.
    pub mlp_channels: FeedForward,
}

impl MixerBlock {
    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let width = sizes.width;
        Self {
            norm1: norm(width, device),
            mlp_tokens: FeedForward::zeroed(patches(sizes), (width / 2).max(1), device),
            norm2: norm(width, device),
            mlp_channels: FeedForward::zeroed(width, HIDDEN * width, device),
        }
    }

    fn forward(&self, x: Tensor<2>, batch: usize) -> Tensor<2> {
        let [rows, width] = x.dims();
        let count = rows / batch.max(1);
        let columns = self.norm1.forward(x.clone());
        let columns = columns
            .reshape([batch, count, width])
            .swap_dims(1, 2)
            .reshape([batch * width, count]);
        let mixed = self.mlp_tokens.forward(columns);
        let mixed = mixed
            .reshape([batch, width, count])
            .swap_dims(1, 2)
            .reshape([rows, width]);
        let x = x + mixed;
        x.clone() + self.mlp_channels.forward(self.norm2.forward(x))
    }
}

/// MLP-Mixer without dropout. By default it is Mixer-S of 8 blocks and 512 columns, on patches of 4 pixels.
///
/// Initial values are timm's: weights of the networks by Xavier's uniform distribution, their biases normal of deviation
/// 1e-6, the convolution normal, cut off at two deviations, of variance one over its inputs, the layer to the classes 0.
#[derive(Module, Debug)]
pub struct Mixer {
    /// Makes the vectors of the patches.
    pub stem: PatchEmbedding,
    /// The blocks, in the order of the pass.
    pub blocks: Vec<MixerBlock>,
    /// Normalizes the output of the last block.
    pub norm: LayerNorm,
    /// Linear layer from the mean over the patches to the classes.
    pub head: Linear,
}

impl Architecture for Mixer {
    const NAME: &'static str = "mixer";
    const WIDTH: Option<usize> = Some(512);

    fn besides(_width: usize) -> Variant {
        Variant {
            depth: Some(8),
            patch: Some(4),
            ..Variant::default()
        }
    }

    fn check(sizes: Sizes) -> Result<(), ModelError> {
        check_patches(sizes)
    }

    fn initial(tensor: &Entry, rng: &mut ChaCha8Rng) -> Option<Vec<f64>> {
        let count = tensor.numel();
        let inputs: usize = tensor.shape.iter().skip(1).product();
        let part = |name| tensor.name.starts_with(name);
        match tensor.kind {
            Kind::Weight | Kind::Bias if part("head") => Some(vec![0.0; count]),
            Kind::Weight if part("stem") => {
                let deviation = 1.0 / (inputs as f64).sqrt();
                Some(truncated_normal(rng, deviation, count))
            }
            Kind::Bias if part("stem") => Some(vec![0.0; count]),
            Kind::Weight => {
                let all = inputs + tensor.shape.first().copied().unwrap_or_default();
                Some(uniform(rng, (6.0 / all as f64).sqrt(), count))
            }
            Kind::Bias => Some(normal(rng, DEVIATION, count)),
            _ => None,
        }
    }

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        Self {
            stem: PatchEmbedding::zeroed(sizes, device),
            blocks: (0..sizes.depth)
                .map(|_| MixerBlock::zeroed(sizes, device))
                .collect(),
            norm: norm(sizes.width, device),
            head: linear(sizes.width, sizes.classes, device),
        }
    }
}

impl ImageClassifier for Mixer {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let batch = images.dims()[0];
        let x = self.stem.forward(images);
        let [rows, width] = x.dims();
        let x = self
            .blocks
            .iter()
            .fold(x, |x, block| block.forward(x, batch));
        let x = self.norm.forward(x);
        let mean = x.reshape([batch, rows / batch.max(1), width]).mean_dim(1);
        through(&self.head, mean.reshape([batch, width]))
    }
}

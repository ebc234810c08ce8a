//! The Vision Transformer (Dosovitskiy et al., <https://arxiv.org/abs/2010.11929>), as timm has it.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, FloatDType, Tensor};
use rand_chacha::ChaCha8Rng;
use xsam_weights::state::{Entry, Kind};

use crate::classifier::{Architecture, Sizes};
use crate::error::unless;
use crate::init::normal;
use crate::layers::{linear, through};
use crate::patches::{FeedForward, PatchEmbedding, check_patches, norm, patches};
use crate::variant::{Pooling, Variant};
use crate::{ImageClassifier, LayerNorm, ModelError};

/// Columns of a head, by which the number of heads goes with the width.
const HEAD: usize = 64;
/// Hidden units of a feed-forward network, in widths.
const HIDDEN: usize = 4;
/// Deviation of the initial weights of linear layers, and of the places.
const DEVIATION: f64 = 0.02;
/// That of the class token.
const TOKEN_DEVIATION: f64 = 1e-6;

/// Attention of the tokens of an image to each other.
#[derive(Module, Debug)]
pub struct VitAttention {
    /// Makes queries, keys and values, one after the other.
    pub qkv: Linear,
    /// Joins the heads.
    pub proj: Linear,
    heads: usize,
}

impl VitAttention {
    fn zeroed(width: usize, heads: usize, device: &Device) -> Self {
        Self {
            qkv: linear(width, 3 * width, device),
            proj: linear(width, width, device),
            heads,
        }
    }

    fn forward(&self, x: Tensor<2>, batch: usize) -> Tensor<2> {
        let [rows, width] = x.dims();
        let (tokens, columns) = (rows / batch.max(1), width / self.heads);
        // A product each: the weights are smaller than what one product for all would have to be cut from.
        let part = |i: usize| {
            let weight = self.qkv.weight.val().narrow(1, i * width, width);
            let bias = self.qkv.bias.as_ref().map(Param::val);
            let bias = bias.map(|bias| bias.narrow(0, i * width, width));
            xsam_kernels::linear(x.clone(), weight, bias)
                .reshape([batch, tokens, self.heads, columns])
                .swap_dims(1, 2)
        };
        let scale = 1.0 / (columns as f64).sqrt();
        let heads = xsam_kernels::attention(part(0), part(1), part(2), None, scale, false);
        through(&self.proj, heads.swap_dims(1, 2).reshape([rows, width]))
    }
}

/// Attention and a feed-forward network, each normalized before and added to its input.
#[derive(Module, Debug)]
pub struct VitBlock {
    /// Normalizes what goes into `attn`.
    pub norm1: LayerNorm,
    /// Attention.
    pub attn: VitAttention,
    /// Normalizes what goes into `mlp`.
    pub norm2: LayerNorm,
    /// Feed-forward network with four times as many hidden units as columns.
    pub mlp: FeedForward,
}

impl VitBlock {
    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let width = sizes.width;
        Self {
            norm1: norm(width, device),
            attn: VitAttention::zeroed(width, sizes.heads, device),
            norm2: norm(width, device),
            mlp: FeedForward::zeroed(width, HIDDEN * width, device),
        }
    }

    fn forward(&self, x: Tensor<2>, batch: usize) -> Tensor<2> {
        let x = x.clone() + self.attn.forward(self.norm1.forward(x), batch);
        x.clone() + self.mlp.forward(self.norm2.forward(x))
    }
}

/// Vision Transformer without dropout. By default it is ViT-Ti of 12 blocks and 192 columns, on patches of 4 pixels; a head has
/// 64 columns unless the number of heads is given.
///
/// Initial values are timm's: weights of linear layers and places normal of deviation 0.02, their biases 0.
#[derive(Module, Debug)]
pub struct Vit {
    /// The token whose vector the classes are told from, `[1, 1, width]`; none if they are told from the mean.
    pub cls_token: Option<Param<Tensor<3>>>,
    /// A vector for each place, `[1, tokens, width]`.
    pub pos_embed: Param<Tensor<3>>,
    /// Makes the tokens of an image.
    pub patch_embed: PatchEmbedding,
    /// The blocks, in the order of the pass.
    pub blocks: Vec<VitBlock>,
    /// Normalizes the class token.
    pub norm: Option<LayerNorm>,
    /// Normalizes the mean.
    pub fc_norm: Option<LayerNorm>,
    /// Linear layer to the classes.
    pub head: Linear,
}

impl Architecture for Vit {
    const NAME: &'static str = "vit";
    const WIDTH: Option<usize> = Some(192);

    fn besides(width: usize) -> Variant {
        Variant {
            width: None,
            depth: Some(12),
            patch: Some(4),
            heads: Some((width / HEAD).max(1)),
            pooling: Some(Pooling::ClassToken),
        }
    }

    fn check(sizes: Sizes) -> Result<(), ModelError> {
        let Sizes { width, heads, .. } = sizes;
        unless(width.is_multiple_of(heads), "heads", || {
            format!("heads = {heads} does not divide the width, {width}")
        })?;
        check_patches(sizes)
    }

    fn initial(tensor: &Entry, rng: &mut ChaCha8Rng) -> Option<Vec<f64>> {
        let count = tensor.numel();
        match (tensor.kind, &*tensor.name) {
            (_, name) if name.starts_with("patch_embed") => None,
            (_, "cls_token") => Some(normal(rng, TOKEN_DEVIATION, count)),
            (Kind::Weight, _) => Some(normal(rng, DEVIATION, count)),
            (Kind::Bias, _) => Some(vec![0.0; count]),
            _ => None,
        }
    }

    fn zeroed(sizes: Sizes, device: &Device) -> Self {
        let width = sizes.width;
        let has_token = sizes.pooling == Pooling::ClassToken;
        let zeros = |tokens| Initializer::Zeros.init([1, tokens, width], device);
        let last = || norm(width, device);
        Self {
            cls_token: has_token.then(|| zeros(1)),
            pos_embed: zeros(patches(sizes) + usize::from(has_token)),
            patch_embed: PatchEmbedding::zeroed(sizes, device),
            blocks: (0..sizes.depth)
                .map(|_| VitBlock::zeroed(sizes, device))
                .collect(),
            norm: has_token.then(last),
            fc_norm: (!has_token).then(last),
            head: linear(width, sizes.classes, device),
        }
    }
}

impl ImageClassifier for Vit {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let batch = images.dims()[0];
        let patches = self.patch_embed.forward(images);
        let [rows, width] = patches.dims();
        let dtype = FloatDType::from(patches.dtype());
        let mut x = patches.reshape([batch, rows / batch.max(1), width]);
        if let Some(token) = &self.cls_token {
            let token = token.val().cast(dtype).expand([batch, 1, width]);
            x = Tensor::cat(vec![token, x], 1);
        }
        let x = x + self.pos_embed.val().cast(dtype);
        let tokens = x.dims()[1];
        let x = x.reshape([batch * tokens, width]);
        let x = self
            .blocks
            .iter()
            .fold(x, |x, block| block.forward(x, batch));
        let x = x.reshape([batch, tokens, width]);
        let x = match self.cls_token {
            Some(_) => x.narrow(1, 0, 1),
            None => x.mean_dim(1),
        };
        let x = x.reshape([batch, width]);
        let last = self.norm.as_ref().or(self.fc_norm.as_ref());
        let x = match last {
            Some(norm) => norm.forward(x),
            None => x,
        };
        through(&self.head, x)
    }
}

//! An image as a sequence of patches, and what the models of such sequences share.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use xsam_kernels::Activation;

use crate::classifier::Sizes;
use crate::error::unless;
use crate::layers::{conv_of_patches, feed_forward, linear};
use crate::{LayerNorm, ModelError};

/// Added to the variance before the square root in layer norms of these models.
const EPSILON: f64 = 1e-6;

/// The most patches of an image.
const MOST_PATCHES: usize = 1 << 16;

/// Patches of an image, `[patch, patch]` pixels each, as vectors.
#[derive(Module, Debug)]
pub struct PatchEmbedding {
    /// Convolution whose filters are as large as a patch, and lie side by side.
    pub proj: Conv2d,
}

impl PatchEmbedding {
    pub(crate) fn zeroed(sizes: Sizes, device: &Device) -> Self {
        Self {
            proj: conv_of_patches(sizes.channels, sizes.width, sizes.patch, device),
        }
    }

    /// Rows `[batch * patches, width]` of images, the patches line by line.
    pub(crate) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let weight = self.proj.weight.val();
        let [width, channels, patch, _] = weight.dims();
        let [batch, _, height, columns] = images.dims();
        let (down, across) = (height / patch, columns / patch);
        let values = channels * patch * patch;
        // As a product: patches that do not overlap are rows of another view.
        let rows = images
            .reshape([batch, channels, down, patch, across, patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch * down * across, values]);
        let weight = weight.reshape([width, values]).transpose();
        xsam_kernels::linear(rows, weight, self.proj.bias.as_ref().map(Param::val))
    }
}

/// Two linear layers with a GELU between them.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Into the hidden units.
    pub fc1: Linear,
    /// Back to as many columns as before.
    pub fc2: Linear,
}

impl FeedForward {
    pub(crate) fn zeroed(columns: usize, hidden: usize, device: &Device) -> Self {
        Self {
            fc1: linear(columns, hidden, device),
            fc2: linear(hidden, columns, device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        feed_forward((&self.fc1, &self.fc2), Activation::Gelu, x)
    }
}

pub(crate) fn norm(width: usize, device: &Device) -> LayerNorm {
    LayerNorm::new(width, device).with_epsilon(EPSILON)
}

/// How many patches an image has.
pub(crate) fn patches(sizes: Sizes) -> usize {
    (sizes.image_size / sizes.patch).pow(2)
}

/// Refuses images that cannot be cut into patches.
pub(crate) fn check_patches(sizes: Sizes) -> Result<(), ModelError> {
    let Sizes {
        image_size, patch, ..
    } = sizes;
    unless(image_size.is_multiple_of(patch), "patch", || {
        format!("patch = {patch} does not divide the image, which is {image_size} pixels wide")
    })?;
    let count = patches(sizes);
    unless(count <= MOST_PATCHES, "patch", || {
        format!("patch = {patch} makes {count} patches of an image, more than {MOST_PATCHES}")
    })
}

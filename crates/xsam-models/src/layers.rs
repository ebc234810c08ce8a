//! Layers shared by the models. Weights start at zero: [`crate::init`] fills them from a seed.

use burn::module::Initializer;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

/// A 3x3 convolution, padding 1, without bias: a batch normalization follows and would cancel it.
pub(crate) fn conv3x3(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Conv2d {
    conv(inputs, outputs, 3, device, |config| {
        config
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
    })
}

/// A 3x3 convolution, padding 1, with bias.
pub(crate) fn conv3x3_with_bias(inputs: usize, outputs: usize, device: &Device) -> Conv2d {
    conv(inputs, outputs, 3, device, |config| {
        config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
    })
}

/// A 1x1 convolution without bias.
pub(crate) fn conv1x1(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Conv2d {
    conv(inputs, outputs, 1, device, |config| {
        config.with_stride([stride, stride]).with_bias(false)
    })
}

fn conv(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    device: &Device,
    options: impl FnOnce(Conv2dConfig) -> Conv2dConfig,
) -> Conv2d {
    options(Conv2dConfig::new([inputs, outputs], [kernel, kernel]))
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// A fully connected layer with bias.
pub(crate) fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    LinearConfig::new(inputs, outputs)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// The mean over both spatial axes, `[batch, channels, height, width]` to `[batch, channels]`.
pub(crate) fn global_average(x: Tensor<4>) -> Tensor<2> {
    x.flatten::<3>(2, 3).mean_dim(2).squeeze_dim::<2>(2)
}

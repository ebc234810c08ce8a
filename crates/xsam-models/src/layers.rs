//! Layers shared by the models. Weights start at zero: [`crate::init`] fills them from a seed.

use burn::module::{Initializer, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, FloatDType, Tensor};
use xsam_kernels::{Activation, bias_gelu, bias_relu, conv2d, kinks::relu};

/// A 3x3 convolution, padding 1, without bias: a batch normalization follows and would cancel it.
pub(crate) fn conv3x3(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([inputs, outputs], [3, 3]).with_bias(false);
    let config = config.with_padding(AROUND);
    zeroed(config.with_stride([stride, stride]), device)
}

/// A 3x3 convolution, padding 1, with bias.
pub(crate) fn conv3x3_with_bias(inputs: usize, outputs: usize, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([inputs, outputs], [3, 3]);
    zeroed(config.with_padding(AROUND), device)
}

/// A 1x1 convolution without bias.
pub(crate) fn conv1x1(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([inputs, outputs], [1, 1]).with_bias(false);
    zeroed(config.with_stride([stride, stride]), device)
}

/// A convolution with bias whose filters lie side by side.
pub(crate) fn conv_of_patches(
    inputs: usize,
    outputs: usize,
    patch: usize,
    device: &Device,
) -> Conv2d {
    let config = Conv2dConfig::new([inputs, outputs], [patch, patch]);
    zeroed(config.with_stride([patch, patch]), device)
}

/// A padding of 1.
const AROUND: PaddingConfig2d = PaddingConfig2d::Explicit(1, 1, 1, 1);

fn zeroed(config: Conv2dConfig, device: &Device) -> Conv2d {
    config.with_initializer(Initializer::Zeros).init(device)
}

/// The convolution of `x` with the layer's filters, by the fast kernels.
pub(crate) fn convolve(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let y = convolve_without_bias(layer, x);
    match &layer.bias {
        Some(bias) => {
            let channels = y.dims()[1];
            let bias = bias.val().cast(FloatDType::from(y.dtype()));
            y + bias.reshape([1, channels, 1, 1])
        }
        None => y,
    }
}

/// [`convolve`], of a layer as it would be without its bias.
pub(crate) fn convolve_without_bias(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let padding = match layer.padding {
        PaddingConfig2d::Valid => [(0, 0), (0, 0)],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
        // Depends on the input's size, which Burn works out.
        PaddingConfig2d::Same => {
            let plain = Conv2d {
                bias: None,
                ..layer.clone()
            };
            return plain.forward(x);
        }
    };
    let (stride, dilation) = (layer.stride, layer.dilation);
    let options = ConvOptions::new_with_padding(stride, padding, dilation, layer.groups);
    conv2d(x, layer.weight.val(), options)
}

/// What a fully connected layer makes of `x`; of one in half precision the products are in its format.
pub(crate) fn connect(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    match x.dtype() == layer.weight.val().dtype() {
        true => layer.forward(x),
        false => xsam_kernels::linear(x, layer.weight.val(), layer.bias.as_ref().map(Param::val)),
    }
}

/// A vector for each id of a vocabulary.
pub(crate) fn embedding(vocabulary: usize, dim: usize, device: &Device) -> Embedding {
    let config = EmbeddingConfig::new(vocabulary, dim);
    config.with_initializer(Initializer::Zeros).init(device)
}

/// A fully connected layer with bias.
pub(crate) fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    LinearConfig::new(inputs, outputs)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// The rows of `x` through a linear layer, by the fast kernels.
pub(crate) fn through(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    let bias = layer.bias.as_ref().map(Param::val);
    xsam_kernels::linear(x, layer.weight.val(), bias)
}

/// Two linear layers and what is between them.
pub(crate) fn feed_forward(
    (fc1, fc2): (&Linear, &Linear),
    activation: Activation,
    x: Tensor<2>,
) -> Tensor<2> {
    // The bias of the first goes together with the activation.
    let hidden = xsam_kernels::linear(x, fc1.weight.val(), None);
    let hidden = match (&fc1.bias, activation) {
        (Some(bias), Activation::Relu) => bias_relu(hidden, bias.val()),
        (Some(bias), Activation::Gelu) => bias_gelu(hidden, bias.val()),
        (None, Activation::Relu) => relu(hidden),
        (None, Activation::Gelu) => burn::tensor::activation::gelu(hidden),
    };
    through(fc2, hidden)
}

//! One type for all models.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::{Cnn, Densenet121, Mlp, Resnet18, SmallCnn, Vgg11Bn};

/// A module that tells classes of images apart.
pub trait ImageClassifier: Module {
    /// Logits `[batch, classes]` of images `[batch, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the images have another number of channels, or another size where the model fixes it.
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
}

/// Any of the models, as [`ModelConfig::init`](crate::ModelConfig::init) makes them.
///
/// The variant does not appear in tensor names, see [`crate::state`].
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a program holds a handful")]
pub enum Model {
    /// See [`Mlp`].
    Mlp(Mlp),
    /// See [`SmallCnn`].
    SmallCnn(SmallCnn),
    /// See [`Cnn`].
    Cnn(Cnn),
    /// See [`Resnet18`].
    Resnet18(Resnet18),
    /// See [`Vgg11Bn`].
    Vgg11Bn(Vgg11Bn),
    /// See [`Densenet121`].
    Densenet121(Densenet121),
}

impl ImageClassifier for Model {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Mlp(model) => model.forward(images),
            Self::SmallCnn(model) => model.forward(images),
            Self::Cnn(model) => model.forward(images),
            Self::Resnet18(model) => model.forward(images),
            Self::Vgg11Bn(model) => model.forward(images),
            Self::Densenet121(model) => model.forward(images),
        }
    }
}

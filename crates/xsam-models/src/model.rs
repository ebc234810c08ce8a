//! The models by name, and one type for all.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use xsam_names::named_enum;

use crate::classifier::{Architecture, ImageClassifier, Sizes};
use crate::{Cnn, Densenet121, Mlp, Resnet18, SmallCnn, Vgg11Bn};

macro_rules! models {
    ($($(#[$doc:meta])* $model:ident,)+) => {
        named_enum! {
            /// The models of this crate, from the smallest to the deepest.
            pub enum ClassifierName ("model") {
                $($(#[$doc])* $model = <$model as Architecture>::NAME,)+
            }
        }

        impl ClassifierName {
            /// The width used if none is given, or `None` for a model of fixed width.
            pub const fn default_width(self) -> Option<usize> {
                match self {
                    $(Self::$model => <$model as Architecture>::WIDTH,)+
                }
            }

            /// Height and width of the smallest image that leaves at least one position after pooling.
            pub const fn smallest_image(self) -> usize {
                match self {
                    $(Self::$model => <$model as Architecture>::SMALLEST_IMAGE,)+
                }
            }

            /// The model before it has its initial values.
            pub(crate) fn zeroed(self, sizes: Sizes, device: &Device) -> Model {
                match self {
                    $(Self::$model => Model::$model(Architecture::zeroed(sizes, device)),)+
                }
            }
        }

        /// Any of the models, as [`ModelConfig::init`](crate::ModelConfig::init) makes them.
        ///
        /// The variant does not appear in tensor names, see [`crate::state`].
        #[derive(Module, Debug)]
        #[allow(clippy::large_enum_variant, reason = "a program holds a handful")]
        pub enum Model {
            $($(#[$doc])* $model($model),)+
        }

        impl ImageClassifier for Model {
            fn forward(&self, images: Tensor<4>) -> Tensor<2> {
                match self {
                    $(Self::$model(model) => model.forward(images),)+
                }
            }
        }
    };
}

models! {
    /// [`Mlp`](crate::Mlp); its width is the number of hidden units.
    Mlp,
    /// [`SmallCnn`](crate::SmallCnn); its width is the channels of the first convolution.
    SmallCnn,
    /// [`Cnn`](crate::Cnn); its width is the channels of the first convolution.
    Cnn,
    /// [`Resnet18`](crate::Resnet18); its width is the channels of the first stage.
    Resnet18,
    /// [`Vgg11Bn`](crate::Vgg11Bn), of fixed width.
    Vgg11Bn,
    /// [`Densenet121`](crate::Densenet121), of fixed width.
    Densenet121,
}

//! The models by name, and one type for all.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use xsam_names::named_enum;
use xsam_weights::state::Entry;

use crate::classifier::{Architecture, ImageClassifier, Sizes};
use crate::variant::Variant;
use crate::{
    Cnn, Densenet121, Mixer, Mlp, ModelError, Resnet18, SmallCnn, Vgg11Bn, Vit, WideResnet,
};

macro_rules! models {
    ($($(#[$doc:meta])* $model:ident,)+) => {
        named_enum! {
            /// The models of this crate, in the order in which they came.
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

            /// What a variant of the model comes to, with defaults for what it leaves open and is not given.
            ///
            /// # Errors
            /// Names the first field that the model does not have, or whose value cannot be.
            pub fn resolved(self, variant: &Variant) -> Result<Variant, ModelError> {
                let width = variant.width.or(self.default_width());
                let besides = match self {
                    $(Self::$model => <$model as Architecture>::besides(width.unwrap_or(1)),)+
                };
                let defaults = Variant { width: self.default_width(), ..besides };
                variant.resolved(&defaults, self.as_str())
            }

            /// Refuses sizes that do not go together.
            pub(crate) fn check(self, sizes: Sizes) -> Result<(), ModelError> {
                match self {
                    $(Self::$model => <$model as Architecture>::check(sizes),)+
                }
            }

            /// What a tensor of the model holds at first; nothing for PyTorch's default.
            pub(crate) fn initial(self, tensor: &Entry, rng: &mut ChaCha8Rng) -> Option<Vec<f64>> {
                match self {
                    $(Self::$model => <$model as Architecture>::initial(tensor, rng),)+
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
    /// [`WideResnet`](crate::WideResnet); its width is the widening factor.
    WideResnet,
    /// [`Vit`](crate::Vit); its width is the columns of a token's vector.
    Vit,
    /// [`Mixer`](crate::Mixer); its width is the columns of a patch's vector.
    Mixer,
}

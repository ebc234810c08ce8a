//! `[model]`: the model and its sizes.

use std::fmt;

use xsam_data::DatasetName;
use xsam_models::{
    ClassifierName as ImageModel, ModelError, NormPlacement, Pooling, SharedEmbeddings,
    TransformerConfig, Variant,
};

use xsam_lab::sections;
use xsam_lab::spec::SpecError;
use xsam_names::Named;

/// Every model that a spec may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelName {
    /// One that tells classes of images apart.
    Image(ImageModel),
    /// The Transformer, which translates.
    Transformer,
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(model) => model.fmt(f),
            Self::Transformer => f.pad("transformer"),
        }
    }
}

impl Named for ModelName {
    const WHAT: &'static str = "model";

    fn all() -> Vec<Self> {
        let images = ImageModel::ALL.into_iter().map(Self::Image);
        images.chain([Self::Transformer]).collect()
    }
}

xsam_names::parsed_by_name!(ModelName);

/// The tokens that every vocabulary has, and one more.
const SMALLEST_VOCABULARY: usize = 4;

sections! {
    /// `[model]`: the model. Fields that a model does not have are left out of the resolved spec.
    pub struct ModelSpec {
        /// The model that learns.
        pub name: ModelName = ModelName::Image(ImageModel::Cnn),
        /// Its width, for models that can be scaled; of the transformer, columns of the vector of a token:
        /// 512.
        pub width: Option<usize>,
        /// wide_resnet: its layers, 28; vit and mixer: blocks, 12 and 8.
        pub depth: Option<usize>,
        /// vit and mixer: height and width of the patches that an image is cut into, in pixels; 4.
        pub patch: Option<usize>,
        /// vit: what the classes are told from; class-token.
        pub pooling: Option<Pooling>,
        /// transformer: layers of the encoder, and of the decoder; 6.
        pub layers: Option<usize>,
        /// transformer and vit: heads of every attention; 4, and of vit one for 64 columns.
        pub heads: Option<usize>,
        /// transformer: hidden units of a feed-forward network; twice the width.
        pub feed_forward: Option<usize>,
        /// transformer: probability to drop an element of a residual branch or an embedded token; 0.3.
        pub dropout: Option<f64>,
        /// transformer: where a residual branch is normalized; post.
        pub norm: Option<NormPlacement>,
        /// transformer: which tables of the vocabulary are one; target.
        pub shared: Option<SharedEmbeddings>,
    }
}

/// Why a model of images cannot be, by the key of the spec.
pub(super) fn at_fault(error: ModelError) -> SpecError {
    let key = match error.field() {
        // Of the data.
        None | Some("channels" | "classes" | "image_size") => "model".to_owned(),
        Some(field) => format!("model.{field}"),
    };
    SpecError::new(key, error.to_string())
}

impl ModelSpec {
    /// Fills in what is not given, and refuses what the model does not have or `data` is not for.
    pub(super) fn resolve(&mut self, data: DatasetName) -> Result<(), SpecError> {
        let (name, error) = (self.name, |message| SpecError::new("model.name", message));
        match name {
            ModelName::Image(image) => {
                if data.is_text() {
                    let message =
                        format!("{name} tells classes of images apart, and {data} is text");
                    return Err(error(message + ": choose transformer"));
                }
                self.refuse_sizes_of_the_transformer()?;
                let variant = image.resolved(&self.variant()).map_err(at_fault)?;
                self.width = variant.width;
                self.depth = variant.depth;
                self.patch = variant.patch;
                self.heads = variant.heads;
                self.pooling = variant.pooling;
                Ok(())
            }
            ModelName::Transformer => {
                if !data.is_text() {
                    let message = format!("{name} translates, and {data} is of images");
                    return Err(error(message + ": choose another model"));
                }
                self.refuse_sizes_of_images()?;
                let plain = TransformerConfig::new(SMALLEST_VOCABULARY, 0);
                let width = *self.width.get_or_insert(plain.dim);
                self.layers.get_or_insert(plain.encoder_layers);
                self.heads.get_or_insert(plain.heads);
                self.feed_forward.get_or_insert(width.saturating_mul(2));
                self.dropout.get_or_insert(plain.dropout);
                self.norm.get_or_insert(plain.norm_placement);
                self.shared.get_or_insert(plain.shared_embeddings);
                self.check_transformer()
            }
        }
    }

    /// Which variant of its model of images it is.
    pub(super) fn variant(&self) -> Variant {
        Variant {
            width: self.width,
            depth: self.depth,
            patch: self.patch,
            heads: self.heads,
            pooling: self.pooling,
        }
    }

    fn refuse_sizes_of_the_transformer(&self) -> Result<(), SpecError> {
        let given = [
            ("layers", self.layers.is_some()),
            ("feed_forward", self.feed_forward.is_some()),
            ("dropout", self.dropout.is_some()),
            ("norm", self.norm.is_some()),
            ("shared", self.shared.is_some()),
        ];
        self.refuse(&given, "is of the transformer")
    }

    fn refuse_sizes_of_images(&self) -> Result<(), SpecError> {
        let given = [
            ("depth", self.depth.is_some()),
            ("patch", self.patch.is_some()),
            ("pooling", self.pooling.is_some()),
        ];
        self.refuse(&given, "is of models of images")
    }

    fn refuse(&self, given: &[(&str, bool)], whose: &str) -> Result<(), SpecError> {
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((field, _)) => {
                let message = format!("{whose}, not of {}: leave it out", self.name);
                Err(SpecError::new(format!("model.{field}"), message))
            }
        }
    }

    /// Checks what does not depend on the vocabulary.
    fn check_transformer(&self) -> Result<(), SpecError> {
        // Of any vocabulary: the smallest one, as how large the model is goes with it.
        self.transformer_config(SMALLEST_VOCABULARY, 0)
            .check()
            .map_err(|error| {
                let key = match error.field() {
                    Some("dim") => "model.width",
                    Some("encoder_layers" | "decoder_layers") => "model.layers",
                    Some("feed_forward") => "model.feed_forward",
                    Some("heads") => "model.heads",
                    Some("dropout") => "model.dropout",
                    _ => "model",
                };
                SpecError::new(key, error.to_string())
            })
    }

    /// The transformer of a resolved spec.
    pub(crate) fn transformer_config(
        &self,
        vocabulary: usize,
        padding: usize,
    ) -> TransformerConfig {
        let mut config = TransformerConfig::new(vocabulary, padding);
        config.dim = self.width.unwrap_or(config.dim);
        config.feed_forward = self.feed_forward.unwrap_or(config.feed_forward);
        config.heads = self.heads.unwrap_or(config.heads);
        if let Some(layers) = self.layers {
            config = config.with_layers(layers, layers);
        }
        config.dropout = self.dropout.unwrap_or(config.dropout);
        config.norm_placement = self.norm.unwrap_or(config.norm_placement);
        config.shared_embeddings = self.shared.unwrap_or(config.shared_embeddings);
        config
    }
}

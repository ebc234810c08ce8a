//! `[model]`: the model and its sizes.

use std::fmt;

use xsam_data::DatasetName;
use xsam_models::{
    ClassifierName as ImageModel, NormPlacement, SharedEmbeddings, TransformerConfig,
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
        /// transformer: layers of the encoder, and of the decoder; 6.
        pub layers: Option<usize>,
        /// transformer: heads of every attention; 4.
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
                self.width = self.width.or(image.default_width());
                self.refuse_sizes_of_the_transformer()
            }
            ModelName::Transformer => {
                if !data.is_text() {
                    let message = format!("{name} translates, and {data} is of images");
                    return Err(error(message + ": choose another model"));
                }
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

    fn refuse_sizes_of_the_transformer(&self) -> Result<(), SpecError> {
        let given = [
            ("layers", self.layers.is_some()),
            ("heads", self.heads.is_some()),
            ("feed_forward", self.feed_forward.is_some()),
            ("dropout", self.dropout.is_some()),
            ("norm", self.norm.is_some()),
            ("shared", self.shared.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((field, _)) => {
                let message = format!("is of the transformer, not of {}: leave it out", self.name);
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

//! How large a Transformer is, and the check that it can be built.

use std::ops::RangeInclusive;

use burn::tensor::Device;
use xsam_kernels::Activation;
use xsam_names::named_enum;

use super::layers::NormPlacement;
use super::{Transformer, init};
use crate::LayerNorm;
use crate::ModelError;
use crate::error::{not_too_large, unless, within};

/// Ids a vocabulary may have: those of the special tokens and one word at least.
pub(super) const VOCABULARIES: RangeInclusive<usize> = 4..=1 << 24;
/// Columns of a vector, and hidden units.
const WIDTHS: RangeInclusive<usize> = 1..=1 << 16;
/// Layers of either half.
const LAYERS: RangeInclusive<usize> = 1..=1024;

named_enum! {
    /// Which of the three tables of the vocabulary are one: the embedding of the source, that of the
    /// target, and the weight before the logits.
    pub enum SharedEmbeddings ("choice of shared tables") {
        /// Source, target and output have a table each.
        None = "none",
        /// Target and logits share one, as is customary for IWSLT.
        Target = "target",
        /// Source, target and output share one table.
        All = "all",
    }
}

/// The sizes of a [`Transformer`].
///
/// | field | default | range |
/// |---|---|---|
/// | `vocabulary` | | 4 to 2^24 |
/// | `padding` | | an id |
/// | `dim` | 512 | 1 to 65536, a multiple of `heads` |
/// | `feed_forward` | 1024 | 1 to 65536 |
/// | `heads` | 4 | 1 to `dim` |
/// | `encoder_layers`, `decoder_layers` | 6 | 1 to 1024 |
/// | `dropout` | 0.3 | at least 0 and below 1 |
/// | `activation` | ReLU | |
/// | `norm_placement` | after the branch | |
/// | `shared_embeddings` | target and logits | |
///
/// The defaults are those customary for IWSLT 2014 German to English, `transformer_iwslt_de_en` of
/// fairseq.
#[derive(Clone, Debug, PartialEq)]
pub struct TransformerConfig {
    /// Number of ids, the same for source and target.
    pub vocabulary: usize,
    /// The id that fills up a row of a batch.
    pub padding: usize,
    /// Columns of the vector of a token.
    pub dim: usize,
    /// Hidden units between the two linear layers of a layer.
    pub feed_forward: usize,
    /// Heads of every attention.
    pub heads: usize,
    /// Layers of the encoder.
    pub encoder_layers: usize,
    /// Layers of the decoder.
    pub decoder_layers: usize,
    /// Probability to drop an element of an embedded token or of a residual branch.
    pub dropout: f64,
    /// What is between the two linear layers of a layer.
    pub activation: Activation,
    /// Where a residual branch is normalized.
    pub norm_placement: NormPlacement,
    /// Which tables of the vocabulary are one.
    pub shared_embeddings: SharedEmbeddings,
}

impl TransformerConfig {
    /// The default sizes for a vocabulary of so many ids, one of which is the `padding`.
    pub fn new(vocabulary: usize, padding: usize) -> Self {
        Self {
            vocabulary,
            padding,
            dim: 512,
            feed_forward: 1024,
            heads: 4,
            encoder_layers: 6,
            decoder_layers: 6,
            dropout: 0.3,
            activation: Activation::Relu,
            norm_placement: NormPlacement::Post,
            shared_embeddings: SharedEmbeddings::Target,
        }
    }

    /// The same with vectors of `dim` columns and so many hidden units and heads.
    #[must_use]
    pub fn with_sizes(mut self, dim: usize, feed_forward: usize, heads: usize) -> Self {
        (self.dim, self.feed_forward, self.heads) = (dim, feed_forward, heads);
        self
    }

    /// The same with so many layers in encoder and decoder.
    #[must_use]
    pub fn with_layers(mut self, encoder_layers: usize, decoder_layers: usize) -> Self {
        (self.encoder_layers, self.decoder_layers) = (encoder_layers, decoder_layers);
        self
    }

    /// Checks every field, and that the model is not too large as a whole. Allocates nothing.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot be, its value and its range.
    pub fn check(&self) -> Result<(), ModelError> {
        self.zeroed(&Device::flex()).map(drop)
    }

    fn check_fields(&self) -> Result<(), ModelError> {
        within("vocabulary", self.vocabulary, VOCABULARIES)?;
        within("padding", self.padding, 0..=self.vocabulary - 1)?;
        within("dim", self.dim, WIDTHS)?;
        within("feed_forward", self.feed_forward, WIDTHS)?;
        within("heads", self.heads, 1..=self.dim)?;
        within("encoder_layers", self.encoder_layers, LAYERS)?;
        within("decoder_layers", self.decoder_layers, LAYERS)?;
        let (heads, dim, dropout) = (self.heads, self.dim, self.dropout);
        unless(dim.is_multiple_of(heads), "heads", || {
            format!("heads = {heads} does not divide dim = {dim}")
        })?;
        unless((0.0..1.0).contains(&dropout), "dropout", || {
            format!("dropout = {dropout} is outside its range, at least 0 and below 1")
        })
    }

    /// Builds the model on `device` with initial values customary for translation.
    ///
    /// Weights of linear layers are uniform as Glorot and Bengio have it (2010), within
    /// `sqrt(6 / (inputs + outputs))` of zero, and those of keys, values and queries within
    /// `1 / sqrt(2)` of that, as in fairseq: what a single layer for all three, twice as wide, would
    /// have. Embeddings, and with them the weight before the logits, are normal with deviation
    /// `1 / sqrt(dim)`, and that of the padding is zero. Biases are zero and normalizations the
    /// identity.
    ///
    /// Equal seeds give equal bits on every device. To train the model, `device` must have autodiff
    /// enabled, or [`Module::train`](burn::module::Module::train) be called on the result.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    pub fn init(&self, seed: u64, device: &Device) -> Result<Transformer, ModelError> {
        Ok(init::seeded(self.zeroed(device)?, self.padding, seed)?)
    }

    /// The model before it has its initial values, if it can be.
    fn zeroed(&self, device: &Device) -> Result<Transformer, ModelError> {
        self.check_fields()?;
        let model = Transformer::zeroed(self, device);
        not_too_large(model, "a Transformer", Some("dim"))
    }

    /// What stands after the last layer of either half.
    pub(super) fn last_norm(&self, device: &Device) -> Option<LayerNorm> {
        match self.norm_placement {
            NormPlacement::Post => None,
            NormPlacement::Pre => Some(LayerNorm::new(self.dim, device)),
        }
    }
}

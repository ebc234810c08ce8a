//! The half that reads.

use burn::module::Module;
use burn::nn::{Embedding, Linear};
use burn::tensor::{Bool, Device, Tensor};
use xsam_kernels::Activation;

use super::attention::MultiheadAttention;
use super::dropout::Dropout;
use super::layers::{NormPlacement, normalized};
use super::{SharedEmbeddings, TransformerConfig};
use crate::LayerNorm;
use crate::layers::{embedding, feed_forward, linear};

/// A layer of the encoder.
#[derive(Module, Debug)]
pub struct TransformerEncoderLayer {
    /// Attention of the source to itself.
    pub self_attn: MultiheadAttention,
    /// Layer norm that goes with `self_attn`.
    pub self_attn_layer_norm: LayerNorm,
    /// Into the hidden units.
    pub fc1: Linear,
    /// Linear layer back to the width of the model.
    pub fc2: Linear,
    /// Layer norm that goes with `fc1` and `fc2`.
    pub final_layer_norm: LayerNorm,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    placement: NormPlacement,
}

impl TransformerEncoderLayer {
    fn zeroed(config: &TransformerConfig, device: &Device) -> Self {
        let (dim, hidden) = (config.dim, config.feed_forward);
        Self {
            self_attn: MultiheadAttention::zeroed(dim, config.heads, device),
            self_attn_layer_norm: LayerNorm::new(dim, device),
            fc1: linear(dim, hidden, device),
            fc2: linear(hidden, dim, device),
            final_layer_norm: LayerNorm::new(dim, device),
            activation: config.activation,
            placement: config.norm_placement,
        }
    }

    fn forward(&self, x: Tensor<2>, padding: &Tensor<2, Bool>, dropout: &mut Dropout) -> Tensor<2> {
        let [batch, _] = padding.dims();
        let norm = &self.self_attn_layer_norm;
        let x = self.placement.residual(norm, dropout, x, |x| {
            let seen = self.self_attn.keys_values(x.clone(), batch);
            let mask = Some(padding.clone());
            self.self_attn.attend(x, seen, mask, false)
        });
        let norm = &self.final_layer_norm;
        self.placement.residual(norm, dropout, x, |x| {
            feed_forward((&self.fc1, &self.fc2), self.activation, x)
        })
    }
}

/// The encoder: from source ids to a vector for each of them.
#[derive(Module, Debug)]
pub struct TransformerEncoder {
    /// Vectors of the source ids; none if they are those of the decoder.
    pub embed_tokens: Option<Embedding>,
    /// The layers, in the order of the pass.
    pub layers: Vec<TransformerEncoderLayer>,
    /// Normalizes the output of the last layer; none with [`NormPlacement::Post`].
    pub layer_norm: Option<LayerNorm>,
}

impl TransformerEncoder {
    pub(super) fn zeroed(config: &TransformerConfig, device: &Device) -> Self {
        let layers = 0..config.encoder_layers;
        Self {
            embed_tokens: (config.shared_embeddings != SharedEmbeddings::All)
                .then(|| embedding(config.vocabulary, config.dim, device)),
            layers: layers
                .map(|_| TransformerEncoderLayer::zeroed(config, device))
                .collect(),
            layer_norm: config.last_norm(device),
        }
    }

    /// Embedded tokens through all layers; `padding` is true where there is none.
    pub(super) fn forward(
        &self,
        mut x: Tensor<2>,
        padding: &Tensor<2, Bool>,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        for layer in &self.layers {
            x = layer.forward(x, padding, dropout);
        }
        normalized(self.layer_norm.as_ref(), x)
    }
}

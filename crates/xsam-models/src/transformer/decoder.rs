//! The half that writes.

use burn::module::{Initializer, Module};
use burn::nn::{Embedding, Linear, LinearConfig};
use burn::tensor::{Bool, Device, FloatDType, Int, Tensor};
use xsam_kernels::{Activation, tied_linear};

use super::attention::{KeysValues, MultiheadAttention};
use super::dropout::Dropout;
use super::layers::{NormPlacement, normalized};
use super::{SharedEmbeddings, TransformerConfig};
use crate::LayerNorm;
use crate::layers::{embedding, feed_forward, linear, through};

/// A layer of the decoder.
#[derive(Module, Debug)]
pub struct TransformerDecoderLayer {
    /// Attention of the target to itself, up to each token.
    pub self_attn: MultiheadAttention,
    /// Layer norm that goes with `self_attn`.
    pub self_attn_layer_norm: LayerNorm,
    /// Attention to the encoded source.
    pub encoder_attn: MultiheadAttention,
    /// Layer norm that goes with `encoder_attn`.
    pub encoder_attn_layer_norm: LayerNorm,
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

/// The encoded source: its tokens as rows, and true where there is none.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) states: Tensor<2>,
    pub(super) padding: Tensor<2, Bool>,
}

/// What a layer need not compute again for the next token.
#[derive(Clone, Debug)]
struct LayerCache {
    source: KeysValues,
    /// Of the tokens so far; nothing before the first.
    target: Option<KeysValues>,
}

/// What all layers need not compute again for the next token.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    layers: Vec<LayerCache>,
    padding: Tensor<2, Bool>,
}

impl Cache {
    /// Keeps these sources, and of the targets so far the ones at `targets`, equally many of each source.
    pub(super) fn select(&mut self, sources: Option<&Tensor<1, Int>>, targets: &Tensor<1, Int>) {
        if let Some(sources) = sources {
            let padding = self.padding.clone().int().select(0, sources.clone());
            self.padding = padding.not_equal_elem(0);
        }
        for layer in &mut self.layers {
            if let Some(sources) = sources {
                layer.source = layer.source.clone().select(sources);
            }
            layer.target = layer.target.take().map(|seen| seen.select(targets));
        }
    }
}

impl TransformerDecoderLayer {
    fn zeroed(config: &TransformerConfig, device: &Device) -> Self {
        let (dim, hidden) = (config.dim, config.feed_forward);
        Self {
            self_attn: MultiheadAttention::zeroed(dim, config.heads, device),
            self_attn_layer_norm: LayerNorm::new(dim, device),
            encoder_attn: MultiheadAttention::zeroed(dim, config.heads, device),
            encoder_attn_layer_norm: LayerNorm::new(dim, device),
            fc1: linear(dim, hidden, device),
            fc2: linear(hidden, dim, device),
            final_layer_norm: LayerNorm::new(dim, device),
            activation: config.activation,
            placement: config.norm_placement,
        }
    }

    /// `x` after this layer, given the source's keys and values and how rows see one another.
    fn forward(
        &self,
        x: Tensor<2>,
        (source, padding): (KeysValues, &Tensor<2, Bool>),
        dropout: &mut Dropout,
        attend_to_itself: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let norm = &self.self_attn_layer_norm;
        let x = self.placement.residual(norm, dropout, x, attend_to_itself);
        let norm = &self.encoder_attn_layer_norm;
        let x = self.placement.residual(norm, dropout, x, |x| {
            let mask = Some(padding.clone());
            self.encoder_attn.attend(x, source, mask, false)
        });
        let norm = &self.final_layer_norm;
        self.placement.residual(norm, dropout, x, |x| {
            feed_forward((&self.fc1, &self.fc2), self.activation, x)
        })
    }
}

/// The decoder: from the source's vectors and target ids to a vector for each of these.
#[derive(Module, Debug)]
pub struct TransformerDecoder {
    /// Vectors of the target ids, and perhaps more, see
    /// [`SharedEmbeddings`](super::SharedEmbeddings).
    pub embed_tokens: Embedding,
    /// The layers, in the order of the pass.
    pub layers: Vec<TransformerDecoderLayer>,
    /// Normalizes the output of the last layer; none with [`NormPlacement::Post`].
    pub layer_norm: Option<LayerNorm>,
    /// From a vector to logits; none if the embedding serves.
    pub output_projection: Option<Linear>,
}

impl TransformerDecoder {
    pub(super) fn zeroed(config: &TransformerConfig, device: &Device) -> Self {
        let layers = 0..config.decoder_layers;
        Self {
            embed_tokens: embedding(config.vocabulary, config.dim, device),
            layers: layers
                .map(|_| TransformerDecoderLayer::zeroed(config, device))
                .collect(),
            layer_norm: config.last_norm(device),
            output_projection: (config.shared_embeddings == SharedEmbeddings::None).then(|| {
                LinearConfig::new(config.dim, config.vocabulary)
                    .with_bias(false)
                    .with_initializer(Initializer::Zeros)
                    .init(device)
            }),
        }
    }

    /// Embedded tokens through all layers; `padding` is true where there is none.
    pub(super) fn forward(
        &self,
        mut x: Tensor<2>,
        padding: &Tensor<2, Bool>,
        memory: &Memory,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        let [batch, _] = memory.padding.dims();
        for layer in &self.layers {
            let states = memory.states.clone();
            let source = layer.encoder_attn.keys_values(states, batch);
            x = layer.forward(x, (source, &memory.padding), dropout, |x| {
                let seen = layer.self_attn.keys_values(x.clone(), batch);
                let mask = Some(padding.clone());
                layer.self_attn.attend(x, seen, mask, true)
            });
        }
        normalized(self.layer_norm.as_ref(), x)
    }

    /// What is known before the first token.
    pub(super) fn start(&self, memory: Memory) -> Cache {
        let [batch, _] = memory.padding.dims();
        let layers = self.layers.iter().map(|layer| {
            let states = memory.states.clone();
            LayerCache {
                source: layer.encoder_attn.keys_values(states, batch),
                target: None,
            }
        });
        Cache {
            layers: layers.collect(),
            padding: memory.padding,
        }
    }

    /// The next embedded token of every target, a row each and equally many for each source, through all
    /// layers.
    pub(super) fn next(&self, mut x: Tensor<2>, cache: &mut Cache) -> Tensor<2> {
        let [targets, _] = x.dims();
        let mut dropout = Dropout::new(0.0, None);
        for (layer, known) in self.layers.iter().zip(&mut cache.layers) {
            // The targets of a source are so many queries of it: its keys and values are there once.
            let source = (known.source.clone(), &cache.padding);
            x = layer.forward(x, source, &mut dropout, |x| {
                let own = layer.self_attn.keys_values(x.clone(), targets);
                let seen = match known.target.take() {
                    Some(earlier) => earlier.followed_by(own),
                    None => own,
                };
                known.target = Some(seen.clone());
                layer.self_attn.attend(x, seen, None, false)
            });
        }
        normalized(self.layer_norm.as_ref(), x)
    }

    /// The logits of rows, `[rows, vocabulary]`, in the number format of the weights.
    pub(super) fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        let table = self.embed_tokens.weight.val();
        let format = FloatDType::from(table.dtype());
        let logits = match &self.output_projection {
            Some(projection) => through(projection, x),
            None => tied_linear(x, table),
        };
        logits.cast(format)
    }
}

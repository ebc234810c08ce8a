//! An encoder and a decoder of attention, for translation.

mod attention;
mod config;
mod decoder;
mod dropout;
mod encoder;
mod init;
mod layers;
mod positions;
mod search;

pub use attention::MultiheadAttention;
pub use config::{SharedEmbeddings, TransformerConfig};
pub use decoder::{TransformerDecoder, TransformerDecoderLayer};
pub use encoder::{TransformerEncoder, TransformerEncoderLayer};
pub use layers::NormPlacement;
pub use search::{Hypothesis, SearchConfig};

use burn::module::Module;
use burn::nn::Embedding;
use burn::tensor::{Bool, Device, FloatDType, Int, Tensor, TensorData};
use xsam_kernels::{cross_entropy, embedding};

use decoder::Memory;
use dropout::Dropout;
use positions::sinusoidal;

/// The Transformer of "Attention Is All You Need" (Vaswani et al. 2017, arXiv 1706.03762), in the form
/// in which fairseq trains it.
///
/// A token is its embedding times `sqrt(dim)` plus the vector of its place. The encoder's layers are
/// attention of the source to itself and a feed-forward network; the decoder's are attention of the
/// target to itself, up to each token, attention to the encoded source, and a feed-forward network. Each
/// of these is a residual branch with dropout and a layer norm. The dot products of the decoder's vectors
/// with the embeddings are the logits.
///
/// Names, places and memory order of the tensors are fairseq's, see [`crate::state`]; a table that serves
/// twice is listed once.
///
/// # Padding
///
/// Rows of a batch are filled up at the end with the id `padding`, which nothing attends to and no loss
/// counts: whatever stands there, the rest of the result is the same up to rounding. A row of nothing but
/// padding is allowed. The first token of a row has the place `padding + 1`, as in fairseq.
///
/// The vector of the padding is zero at first and gets no gradient as an embedding. Where the table also
/// makes the logits, the same vector says how likely the padding is as a next token, and is learned as
/// such, as in fairseq.
///
/// # Dropout
///
/// A pass drops only if it is given a seed, which decides every mask: the passes of one step of a
/// sharpness-aware optimizer see the same network if they are given the same seed. A seed a step is
/// enough; the masks of a pass are independent.
///
/// ```
/// use burn::module::Module;
/// use burn::tensor::{Device, Tensor};
/// use xsam_models::{SearchConfig, TargetBatch, TransformerConfig};
///
/// let device = Device::flex().autodiff();
/// // 0 is padding, 1 begins a sentence, 2 ends it.
/// let config = TransformerConfig::new(10, 0).with_sizes(16, 32, 2).with_layers(1, 1);
/// let model = config.init(42, &device)?;
/// let source = Tensor::from_ints([[5, 6, 7, 2], [8, 2, 0, 0]], &device);
/// let target = TargetBatch {
///     input: Tensor::from_ints([[1, 7, 6], [1, 8, 0]], &device),
///     output: Tensor::from_ints([[7, 6, 2], [8, 2, 0]], &device),
/// };
/// let result = model.loss(source.clone(), target, 0.1, Some(7));
/// let gradients = result.loss.backward();
///
/// let translations = model.search(source, &SearchConfig::new(1, 2).with_beam(3))?;
/// println!("{:?} {:.2}", translations[0][0].tokens, translations[0][0].score);
/// # Ok::<(), xsam_models::ModelError>(())
/// ```
#[derive(Module, Debug)]
pub struct Transformer {
    /// Reads the sentences of the source language.
    pub encoder: TransformerEncoder,
    /// Writes the sentences of the target language.
    pub decoder: TransformerDecoder,
    padding: usize,
    dropout: f64,
    /// The number format of what is between its layers; logits are in single precision at least.
    #[module(skip)]
    activations: Option<FloatDType>,
}

/// Target sentences of a batch, each `[batch, tokens]`.
#[derive(Clone, Debug)]
pub struct TargetBatch {
    /// What the decoder reads: the sentence after the id that begins one.
    pub input: Tensor<2, Int>,
    /// What it should say next at each place: the sentence and the id that ends it.
    pub output: Tensor<2, Int>,
}

impl TargetBatch {
    /// What the decoder should say but the `padding`, one token after another, `[tokens]`. One read-back.
    pub fn tokens(&self, padding: usize) -> Tensor<1, Int> {
        self.real(padding).1
    }

    /// Where there is no padding, `[1, tokens]`, if there is any elsewhere; and the tokens there.
    fn real(&self, padding: usize) -> (Option<Tensor<2, Int>>, Tensor<1, Int>) {
        let device = self.output.device();
        let ids: Vec<i64> = self.output.to_data().iter::<i64>().collect();
        let real = |id: &i64| usize::try_from(*id) != Ok(padding);
        let places = ids.iter().enumerate().filter(|(_, id)| real(id));
        let (rows, targets): (Vec<i64>, Vec<i64>) =
            places.map(|(place, id)| (place as i64, *id)).unzip();
        let tokens = targets.len();
        if tokens == ids.len() {
            return (None, self.output.clone().flatten::<1>(0, 1));
        }
        let rows = TensorData::new(rows, [1, tokens]);
        let targets = TensorData::new(targets, [tokens]);
        let rows = Tensor::from_data(rows, &device);
        (Some(rows), Tensor::from_data(targets, &device))
    }
}

/// The loss of a batch, and what it was computed from.
#[derive(Clone, Debug)]
pub struct TransformerLoss {
    /// The mean loss of the tokens that are not padding, one element; NaN if there are none.
    pub loss: Tensor<1>,
    /// Their logits, `[tokens, vocabulary]`, without gradient.
    pub logits: Tensor<2>,
    /// What they should be, `[tokens]`.
    pub targets: Tensor<1, Int>,
}

impl TransformerLoss {
    /// The loss of logits `[tokens, vocabulary]` that should be of `targets`, `[tokens]`.
    ///
    /// # Panics
    ///
    /// If they are not as many, or `label_smoothing` is not in `0..=1`.
    pub fn new(logits: Tensor<2>, targets: Tensor<1, Int>, label_smoothing: f64) -> Self {
        Self {
            loss: cross_entropy(logits.clone(), targets.clone(), label_smoothing),
            logits: logits.detach(),
            targets,
        }
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.targets.dims()[0]
    }

    /// For how many of them the right one has the largest logit, one element.
    pub fn correct(&self) -> Tensor<1, Int> {
        let likeliest = self.logits.clone().argmax(1).flatten::<1>(0, 1);
        likeliest.equal(self.targets.clone()).int().sum()
    }
}

impl Transformer {
    pub(crate) fn zeroed(config: &TransformerConfig, device: &Device) -> Self {
        Self {
            encoder: TransformerEncoder::zeroed(config, device),
            decoder: TransformerDecoder::zeroed(config, device),
            padding: config.padding,
            dropout: config.dropout,
            activations: None,
        }
    }

    /// Computes in this number format, half precision as a rule, between the embeddings and the logits. Weights stay in theirs.
    #[must_use]
    pub fn with_activations(mut self, format: FloatDType) -> Self {
        self.activations = Some(format);
        self
    }

    /// The logits of the token after each one of `target`, `[batch, tokens, vocabulary]`, given `source`,
    /// both `[batch, tokens]`. Nothing is dropped.
    ///
    /// # Panics
    ///
    /// If the batches differ or are empty, or an id is not in the vocabulary.
    pub fn forward(&self, source: Tensor<2, Int>, target: Tensor<2, Int>) -> Tensor<3> {
        let [batch, tokens] = target.dims();
        let states = self.states(source, target, None);
        let logits = self.decoder.logits(states);
        let [_, vocabulary] = logits.dims();
        logits.reshape([batch, tokens, vocabulary])
    }

    /// The mean cross entropy of `target`, given `source`, over the tokens that are not padding.
    ///
    /// With `label_smoothing` s a token is to have the probability `1 - s`, and every id of the vocabulary
    /// `s / vocabulary` more, as in PyTorch. (fairseq spreads s over the other ids only, which is the same
    /// with a slightly smaller s.) Logits are computed for the tokens alone, not for padding.
    ///
    /// `dropout_seed` decides the dropout; without one nothing is dropped.
    ///
    /// # Panics
    ///
    /// If shapes differ or are empty, an id is not in the vocabulary, or `label_smoothing` is not in
    /// `0..=1`.
    pub fn loss(
        &self,
        source: Tensor<2, Int>,
        target: TargetBatch,
        label_smoothing: f64,
        dropout_seed: Option<u64>,
    ) -> TransformerLoss {
        let (logits, targets) = self.logits(source, target, dropout_seed);
        TransformerLoss::new(logits, targets, label_smoothing)
    }

    /// The logits of the tokens of `target` that are not padding, `[tokens, vocabulary]`, and the tokens: the two that
    /// [`TransformerLoss::new`] is of.
    ///
    /// # Panics
    ///
    /// As [`loss`](Self::loss).
    pub fn logits(
        &self,
        source: Tensor<2, Int>,
        target: TargetBatch,
        dropout_seed: Option<u64>,
    ) -> (Tensor<2>, Tensor<1, Int>) {
        assert_eq!(
            target.input.dims(),
            target.output.dims(),
            "input and output of the decoder differ in shape"
        );
        let (rows, targets) = target.real(self.padding);
        let states = self.states(source, target.input, dropout_seed);
        let states = match rows {
            None => states,
            // Rows of a matrix by number are what an embedding is.
            Some(rows) => embedding(states, rows, None).squeeze_dim(0),
        };
        (self.decoder.logits(states), targets)
    }

    /// The decoder's vectors of every place of `target`, as rows.
    fn states(
        &self,
        source: Tensor<2, Int>,
        target: Tensor<2, Int>,
        dropout_seed: Option<u64>,
    ) -> Tensor<2> {
        let ([sources, _], [targets, tokens]) = (source.dims(), target.dims());
        assert_eq!(sources, targets, "as many sources as targets are needed");
        assert!(tokens > 0, "the targets have no tokens");
        let mut dropout = Dropout::new(self.dropout, dropout_seed);
        let memory = self.encode(source, &mut dropout);
        let padding = self.padding_of(&target);
        let embedded = self.embed(&self.decoder.embed_tokens, target, 0);
        let embedded = dropout.apply(embedded);
        self.decoder
            .forward(embedded, &padding, &memory, &mut dropout)
    }

    fn encode(&self, source: Tensor<2, Int>, dropout: &mut Dropout) -> Memory {
        let [sources, tokens] = source.dims();
        assert!(sources > 0 && tokens > 0, "there are no source tokens");
        let table = self.encoder.embed_tokens.as_ref();
        let padding = self.padding_of(&source);
        let embedded = self.embed(table.unwrap_or(&self.decoder.embed_tokens), source, 0);
        let embedded = dropout.apply(embedded);
        Memory {
            states: self.encoder.forward(embedded, &padding, dropout),
            padding,
        }
    }

    /// True where there is padding.
    fn padding_of(&self, ids: &Tensor<2, Int>) -> Tensor<2, Bool> {
        ids.clone().equal_elem(self.padding as i64)
    }

    /// The vectors of tokens, as rows; the first of a sentence is its token `first`.
    fn embed(&self, table: &Embedding, ids: Tensor<2, Int>, first: usize) -> Tensor<2> {
        let [batch, tokens] = ids.dims();
        // The vector of the padding gets no gradient.
        let embedded = embedding(table.weight.val(), ids, Some(self.padding));
        let [_, _, dim] = embedded.dims();
        let (device, dtype) = (embedded.device(), embedded.dtype());
        let places = sinusoidal(self.padding + 1 + first, tokens, dim, &device, dtype);
        let placed = embedded * (dim as f64).sqrt() + places.unsqueeze::<3>();
        let placed = placed.reshape([batch * tokens, dim]);
        match self.activations {
            Some(format) => placed.cast(format),
            None => placed,
        }
    }
}

//! Image classifiers and a Transformer on Burn that agree with their PyTorch originals: in logits, in
//! tensor names and order, in initial distribution, and in the running statistics of batch
//! normalization.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use xsam_models::{ImageClassifier, ModelConfig, ClassifierName, parameter_count};
//!
//! let device = Device::flex().autodiff();
//! let model = ModelConfig::new(ClassifierName::SmallCnn, 1, 8, 10).init(42, &device)?;
//! let logits = model.forward(Tensor::zeros([5, 1, 8, 8], &device));
//! assert_eq!(logits.dims(), [5, 10]);
//! assert_eq!(parameter_count(&model), 1442);
//! # Ok::<(), xsam_models::ModelError>(())
//! ```
//!
//! Nothing random depends on shared state: a seed alone decides the initial values, to the bit.

mod classifier;
mod cnn;
mod config;
mod densenet;
mod error;
mod init;
mod layers;
mod mlp;
mod model;
mod norm;
pub mod reference;
mod resnet;
mod transformer;
mod vgg;

pub use classifier::ImageClassifier;
pub use cnn::{Cnn, SmallCnn};
pub use config::ModelConfig;
pub use densenet::{DenseLayer, Densenet121, Transition};
pub use error::ModelError;
pub use mlp::Mlp;
pub use model::{ClassifierName, Model};
pub use norm::BatchNorm;
pub use resnet::{BasicBlock, Resnet18};
pub use transformer::{
    Hypothesis, LayerNorm, MultiheadAttention, NormPlacement, SearchConfig, SharedEmbeddings,
    TargetBatch, Transformer, TransformerConfig, TransformerDecoder, TransformerDecoderLayer,
    TransformerEncoder, TransformerEncoderLayer, TransformerLoss,
};
pub use vgg::{Feature, Head, Vgg11Bn};
pub use xsam_kernels::Activation;
pub use xsam_weights::{
    StateError, Unwrapped, Weights, WeightsError, WeightsFormat, cast, load_weights,
    parameter_count, read_weights, state, weights, write_weights,
};

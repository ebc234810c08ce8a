#![doc = include_str!("../README.md")]

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

#![doc = include_str!("../README.md")]

mod classifier;
mod cnn;
mod config;
mod densenet;
mod error;
mod init;
mod layer_norm;
mod layers;
mod mixer;
mod mlp;
mod model;
mod norm;
mod patches;
pub mod reference;
mod resnet;
mod transformer;
mod variant;
mod vgg;
mod vit;
mod wide_resnet;

pub use classifier::ImageClassifier;
pub use cnn::{Cnn, SmallCnn};
pub use config::ModelConfig;
pub use densenet::{DenseLayer, Densenet121, Transition};
pub use error::ModelError;
pub use layer_norm::LayerNorm;
pub use mixer::{Mixer, MixerBlock};
pub use mlp::Mlp;
pub use model::{ClassifierName, Model};
pub use norm::BatchNorm;
pub use patches::{FeedForward, PatchEmbedding};
pub use resnet::{BasicBlock, Resnet18};
pub use transformer::{
    Hypothesis, MultiheadAttention, NormPlacement, SearchConfig, SharedEmbeddings, TargetBatch,
    Transformer, TransformerConfig, TransformerDecoder, TransformerDecoderLayer,
    TransformerEncoder, TransformerEncoderLayer, TransformerLoss,
};
pub use variant::{Pooling, Variant};
pub use vgg::{Feature, Head, Vgg11Bn};
pub use vit::{Vit, VitAttention, VitBlock};
pub use wide_resnet::{WideBlock, WideResnet, WideStage};
pub use xsam_kernels::Activation;
pub use xsam_weights::{
    StateError, Unwrapped, Weights, WeightsError, WeightsFormat, cast, load_weights,
    parameter_count, read_weights, state, weights, write_weights,
};

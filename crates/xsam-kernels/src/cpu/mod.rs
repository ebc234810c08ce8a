//! Kernels on slices of `f32`; nothing here knows Burn.

pub(crate) mod attention;
pub(crate) mod batch_norm;
pub(crate) mod cross_entropy;
pub(crate) mod direct;
pub(crate) mod dropout;
pub(crate) mod embedding;
pub(crate) mod exp;
pub(crate) mod feed_forward;
pub(crate) mod fresh;
pub(crate) mod gelu;
pub(crate) mod im2col;
pub(crate) mod isa;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod map;
pub(crate) mod matrix;
mod panels;
pub(crate) mod pool;
mod product;
pub(crate) mod reduce;
pub(crate) mod shape;
pub(crate) mod softmax;
pub(crate) mod split;
mod transpose;
pub(crate) mod update;
pub(crate) mod vector;
pub(crate) mod winograd;

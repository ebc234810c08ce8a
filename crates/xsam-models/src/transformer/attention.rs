//! Attention of several heads.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Bool, Device, Int, Tensor};

use crate::layers::{linear, through};

/// Attention between tokens, with linear layers around it.
///
/// Query, key and value have a product each. One product for all three is no faster here, and its
/// result would have to be cut up: the gradients of the parts would be put together again by full-size
/// copies.
#[derive(Module, Debug)]
pub struct MultiheadAttention {
    /// Linear layer that makes the keys.
    pub k_proj: Linear,
    /// Linear layer that makes the values.
    pub v_proj: Linear,
    /// Linear layer that makes the queries.
    pub q_proj: Linear,
    /// Linear layer that joins the heads.
    pub out_proj: Linear,
    heads: usize,
}

/// What is attended to: keys and values, each `[batch, heads, tokens, width]`.
#[derive(Clone, Debug)]
pub(super) struct KeysValues {
    keys: Tensor<4>,
    values: Tensor<4>,
}

impl KeysValues {
    /// With those of later tokens behind them.
    pub(super) fn followed_by(self, later: Self) -> Self {
        Self {
            keys: Tensor::cat(vec![self.keys, later.keys], 2),
            values: Tensor::cat(vec![self.values, later.values], 2),
        }
    }

    /// Those of the given sequences.
    pub(super) fn select(self, sequences: &Tensor<1, Int>) -> Self {
        Self {
            keys: self.keys.select(0, sequences.clone()),
            values: self.values.select(0, sequences.clone()),
        }
    }
}

impl MultiheadAttention {
    pub(super) fn zeroed(dim: usize, heads: usize, device: &Device) -> Self {
        Self {
            k_proj: linear(dim, dim, device),
            v_proj: linear(dim, dim, device),
            q_proj: linear(dim, dim, device),
            out_proj: linear(dim, dim, device),
            heads,
        }
    }

    /// Keys and values of `batch` sequences, whose tokens are the rows of `x`.
    pub(super) fn keys_values(&self, x: Tensor<2>, batch: usize) -> KeysValues {
        KeysValues {
            keys: self.split(through(&self.k_proj, x.clone()), batch),
            values: self.split(through(&self.v_proj, x), batch),
        }
    }

    /// What the rows of `x`, equally many for each sequence, see of it. Padding, where `mask` is true, is
    /// not seen, and with `causal` no later token than a row's own.
    pub(super) fn attend(
        &self,
        x: Tensor<2>,
        seen: KeysValues,
        mask: Option<Tensor<2, Bool>>,
        causal: bool,
    ) -> Tensor<2> {
        let shape = x.dims();
        let [batch, _, _, width] = seen.keys.dims();
        let queries = self.split(through(&self.q_proj, x), batch);
        let scale = 1.0 / (width as f64).sqrt();
        let heads = xsam_kernels::attention(queries, seen.keys, seen.values, mask, scale, causal);
        through(&self.out_proj, heads.swap_dims(1, 2).reshape(shape))
    }

    /// Rows `[batch * tokens, dim]` as `[batch, heads, tokens, width]`, a view.
    fn split(&self, rows: Tensor<2>, batch: usize) -> Tensor<4> {
        let [count, dim] = rows.dims();
        let tokens = count / batch.max(1);
        rows.reshape([batch, tokens, self.heads, dim / self.heads])
            .swap_dims(1, 2)
    }
}

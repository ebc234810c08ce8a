//! Initial values customary for translation.

use super::Transformer;
use crate::init::{drawn, normal, uniform};
use xsam_weights::state::{Kind, StateError};

/// Fills `model` as [`TransformerConfig::init`](super::TransformerConfig::init) says.
pub(super) fn seeded(
    model: Transformer,
    padding: usize,
    seed: u64,
) -> Result<Transformer, StateError> {
    drawn(model, seed, |entry, rng| {
        let count = entry.numel();
        let [rows, columns] = match entry.shape[..] {
            [rows, columns] => [rows, columns],
            _ => [count, 1],
        };
        let part = |name| entry.name.contains(name);
        if part("embed_tokens") || part("output_projection") {
            let deviation = 1.0 / (columns as f64).sqrt();
            let mut values = normal(rng, deviation, count);
            if part("embed_tokens") {
                values[padding * columns..][..columns].fill(0.0);
            }
            return values;
        }
        match entry.kind {
            Kind::NormWeight => vec![1.0; count],
            Kind::Weight => {
                let joined = part("k_proj") || part("v_proj") || part("q_proj");
                let gain = if joined { 0.5_f64.sqrt() } else { 1.0 };
                let bound = gain * (6.0 / (rows + columns) as f64).sqrt();
                uniform(rng, bound, count)
            }
            _ => vec![0.0; count],
        }
    })
}

//! The share of each batch in a mean over samples.

use std::ops::Range;

use xsam::ConfigError;

/// How many samples each batch has.
#[derive(Clone, Debug)]
pub(crate) struct Shares(Vec<usize>);

impl Shares {
    /// Of batches of which number `i` has `samples[i]` samples; at least one, and none without samples.
    pub(crate) fn new(samples: &[usize]) -> Result<Self, ConfigError> {
        if samples.is_empty() || samples.contains(&0) {
            let range = "at least one batch, and none without samples";
            return Err(ConfigError::new("samples", format!("{samples:?}"), range));
        }
        Ok(Self(samples.to_vec()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The share of batch `i` in the mean over the batches `active`.
    pub(crate) fn share(&self, i: usize, active: Range<usize>) -> f64 {
        self.0[i] as f64 / self.0[active].iter().sum::<usize>() as f64
    }
}

//! Base optimizers that pass over memory once a step.
//!
//! SGD, Adam and AdamW with the conventions and defaults of PyTorch, as Burn optimizers: they work
//! with Burn's parameter groups, gradient clipping, records and learning rates, and with
//! [`SharpnessAware`](crate::SharpnessAware). On the Flex back end and in `f32` a step is one pass over
//! the weights, in place; elsewhere it is composed of Burn's operations, in the weights' own precision.

mod adam;
mod sgd;

use burn::optim::StateSource;
use burn::tensor::{Device, FloatDType, Tensor};

pub use adam::{Adam, AdamState, FusedAdamConfig};
pub use sgd::{FusedSgdConfig, Sgd, SgdState};

/// A tensor of a record, in the precision in which it was saved, in the processor's memory: Burn moves the state to the
/// weights' device at the next step.
fn recorded<const D: usize>(from: &mut StateSource, prefix: &str, name: &str) -> Option<Tensor<D>> {
    let data = from.take_tensor(prefix, name)?;
    let dtype = data.dtype();
    (data.rank() == D).then(|| Tensor::from_data(data, (&Device::flex(), dtype)))
}

/// State of a record, for weights that may have been cast since.
fn in_precision_of<const D: usize>(weight: &Tensor<D>, state: Tensor<D>) -> Tensor<D> {
    state.cast(FloatDType::from(weight.dtype()))
}

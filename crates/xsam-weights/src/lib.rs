#![doc = include_str!("../README.md")]
//!
//! [`state`] lists, reads and replaces the float tensors of a module; [`weights`] reads and writes `.safetensors` files and
//! state dicts of `torch.save`; [`cast`] changes the number format.

mod precision;
pub mod state;
pub mod weights;

pub use precision::cast;
pub use state::{StateError, parameter_count};
pub use weights::{
    Unwrapped, Weights, WeightsError, WeightsFormat, load_weights, read_weights, write_weights,
};

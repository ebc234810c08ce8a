//! What is read back from a device.

use std::cell::Cell;

use burn::tensor::{Tensor, TensorData, Transaction};

use crate::error::StepError;

thread_local! {
    static READ_BACKS: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has read from a device, by this crate.
pub(crate) fn read_backs() -> u64 {
    READ_BACKS.get()
}

/// The tensors' values, by one read-back. All that this crate reads from a device goes through here.
pub(crate) fn read(tensors: Vec<Tensor<1>>) -> Result<Vec<TensorData>, StepError> {
    READ_BACKS.set(READ_BACKS.get() + 1);
    tensors
        .into_iter()
        .fold(Transaction::default(), Transaction::register)
        .try_execute()
        .map_err(|error| StepError::Device(error.to_string()))
}

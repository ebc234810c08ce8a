//! Whether vectors will fit into memory, before they are there.

use burn::tensor::Tensor;
use xsam::method::ParamVector;

use crate::error::FlatnessError;

const MEGABYTE: u64 = 1 << 20;

/// Bytes of memory that can still be taken without swapping, where the system says (Linux).
pub fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Bytes of so many vectors of the space of `like`.
pub(crate) fn bytes(like: &ParamVector, vectors: usize) -> u64 {
    let size = |tensor: &Tensor<1>| tensor.dtype().size() * tensor.shape().num_elements();
    let sizes = like.entries().iter().map(|(_, tensor)| size(tensor) as u64);
    let each: u64 = sizes.sum();
    each.saturating_mul(vectors as u64)
}

/// Refuses more vectors than are free memory.
pub(crate) fn check(like: &ParamVector, vectors: usize) -> Result<(), FlatnessError> {
    let needed = bytes(like, vectors);
    match available_memory() {
        Some(available) if needed > available => Err(FlatnessError::Memory {
            vectors,
            needed: needed / MEGABYTE,
            available: available / MEGABYTE,
        }),
        _ => Ok(()),
    }
}

//! Output buffers that are written once and never cleared.

use std::mem::MaybeUninit;

/// A vector of `len` elements that `fill` writes in place.
///
/// Clearing a buffer that is overwritten at once would cost a pass over memory of its own, which for
/// the memory-bound operations here is a good part of their time.
///
/// # Safety
/// `fill` must write every element of the slice it is given.
pub(crate) unsafe fn written<T: Copy>(
    len: usize,
    fill: impl FnOnce(&mut [MaybeUninit<T>]),
) -> Vec<T> {
    let mut buffer = Vec::with_capacity(len);
    fill(&mut buffer.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len`, and the caller vouches that all of it was written.
    unsafe { buffer.set_len(len) };
    buffer
}

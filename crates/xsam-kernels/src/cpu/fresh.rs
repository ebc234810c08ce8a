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

/// How many of `items` equal pieces of work one task takes, when each touches `size` elements.
///
/// The answer depends on the shape and the number of threads alone. Four tasks a thread even out
/// threads that are slowed by other programs; work too small to be worth waking a thread for stays
/// in one task.
pub(crate) fn items_per_task(items: usize, size: usize) -> usize {
    const WORTH_A_THREAD: usize = 1 << 14;
    if items * size < 2 * WORTH_A_THREAD {
        return items.max(1);
    }
    let tasks = 4 * rayon::current_num_threads();
    let least = WORTH_A_THREAD.div_ceil(4 * size.max(1));
    items.div_ceil(tasks).max(least).max(1)
}

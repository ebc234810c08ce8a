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

/// [`written`], of several vectors at once.
///
/// # Safety
/// `fill` must write every element of every slice.
pub(crate) unsafe fn written_all<T: Copy>(
    lens: &[usize],
    fill: impl FnOnce(Vec<&mut [MaybeUninit<T>]>),
) -> Vec<Vec<T>> {
    let mut buffers: Vec<Vec<T>> = lens.iter().map(|&len| Vec::with_capacity(len)).collect();
    let open = buffers.iter_mut().zip(lens);
    fill(
        open.map(|(buffer, &len)| &mut buffer.spare_capacity_mut()[..len])
            .collect(),
    );
    for (buffer, &len) in buffers.iter_mut().zip(lens) {
        // SAFETY: as in `written`.
        unsafe { buffer.set_len(len) };
    }
    buffers
}

//! How work is split over threads: by position alone, so that the same number of threads gives the
//! same bits.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::fresh::written;

/// Images for each thread; for a thread that is alone, half of them at a time, so that its sums over
/// images have the same bits as those of two.
pub(crate) fn images_per_thread(batch: usize) -> usize {
    batch.div_ceil(rayon::current_num_threads().max(2)).max(1)
}

/// Images side by side, and the numbers of each.
pub(crate) type Batch<'a> = (&'a [f32], usize);

/// A vector of `len` numbers, of which `fill` writes `chunk` at a time from what `inputs` has for them; and what
/// it returns.
///
/// # Safety
/// `fill` must write every element of the slice it is given.
///
/// # Panics
/// If there are more or fewer inputs than chunks.
pub(crate) unsafe fn written_by_chunks<I: IndexedParallelIterator, R: Send>(
    len: usize,
    chunk: usize,
    inputs: I,
    fill: impl Fn(&mut [MaybeUninit<f32>], I::Item) -> R + Sync,
) -> (Vec<f32>, Vec<R>) {
    assert_eq!(inputs.len(), len.div_ceil(chunk), "an input for each chunk");
    let mut results = Vec::new();
    // SAFETY: the chunks cover the buffer, and the caller vouches that all of each is written.
    let output = unsafe {
        written(len, |output| {
            let chunks = output.par_chunks_mut(chunk).zip(inputs);
            results = chunks.map(|(output, input)| fill(output, input)).collect();
        })
    };
    (output, results)
}

/// As many images of `image` numbers as `input` has, which `fill` writes from those of the input, the
/// images of each thread in one call.
///
/// # Safety
/// `fill` must write every element of the slice it is given.
pub(crate) unsafe fn written_by_images(
    batch: usize,
    image: usize,
    (input, input_image): Batch<'_>,
    fill: impl Fn(&mut [MaybeUninit<f32>], &[f32]) + Sync,
) -> Vec<f32> {
    let images = images_per_thread(batch);
    let input = input.par_chunks(images * input_image);
    // SAFETY: the caller vouches for the same.
    unsafe { written_by_chunks(batch * image, images * image, input, fill) }.0
}

/// The sum of a vector over all images, of which `run` takes those of a thread at a time; added in the
/// order of the images.
pub(crate) fn sum_over_images(
    batch: usize,
    (x, x_image): Batch<'_>,
    (dy, dy_image): Batch<'_>,
    run: impl Fn(&[f32], &[f32]) -> Vec<f32> + Sync,
) -> Vec<f32> {
    let images = images_per_thread(batch);
    let parts = x
        .par_chunks(images * x_image)
        .zip(dy.par_chunks(images * dy_image))
        .map(|(x, dy)| run(x, dy));
    sum_in_order(parts.collect())
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

/// The sum of vectors of one length, added in their order; empty if there are none.
pub(crate) fn sum_in_order(parts: Vec<Vec<f32>>) -> Vec<f32> {
    /// Long enough to be worth a task, short enough to stay in the cache.
    const STRETCH: usize = 1 << 15;
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        total
            .par_chunks_mut(STRETCH)
            .zip(part.par_chunks(STRETCH))
            .for_each(|(total, part)| {
                for (t, p) in total.iter_mut().zip(part) {
                    *t += p;
                }
            });
    }
    total
}

/// Elements of one piece of a long vector. A fixed number, so that sums over pieces do not depend on
/// the number of threads; large enough to be worth a task.
pub(crate) const PIECE: usize = 1 << 16;

/// The results of `run` for every piece, in their order.
///
/// A single piece stays on this thread: most of a model's tensors are small, and waking another
/// thread takes longer than they do.
pub(crate) fn each_piece<T: Send, R: Send>(pieces: Vec<T>, run: impl Fn(T) -> R + Sync) -> Vec<R> {
    if pieces.len() <= 1 {
        return pieces.into_iter().map(run).collect();
    }
    pieces.into_par_iter().map(&run).collect()
}

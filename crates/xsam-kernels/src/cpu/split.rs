//! How work is split over threads: by position alone, so that the same number of threads gives the
//! same bits.

use rayon::prelude::*;

/// Images for each thread.
pub(crate) fn images_per_thread(batch: usize) -> usize {
    batch.div_ceil(rayon::current_num_threads()).max(1)
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

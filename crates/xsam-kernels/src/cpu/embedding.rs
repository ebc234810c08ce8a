//! Rows of a table, by number.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::split::{items_per_task, written_by_chunks};

/// The rows of `weight`, each `width` elements, that `ids` name, in their order.
///
/// Every id must be that of a row.
pub(crate) fn forward(weight: &[f32], ids: &[usize], width: usize) -> Vec<f32> {
    if ids.is_empty() || width == 0 {
        return Vec::new();
    }
    let group = items_per_task(ids.len(), width);
    let chunks = ids.par_chunks(group);
    // SAFETY: each id has its whole row written.
    let written = unsafe {
        written_by_chunks(ids.len() * width, group * width, chunks, |output, ids| {
            for (output, &id) in output.chunks_exact_mut(width).zip(ids) {
                output.write_copy_of_slice(&weight[id * width..(id + 1) * width]);
            }
        })
    };
    written.0
}

/// The gradient of a table of `count` rows: for each row the sum, in order, of the rows of `gradient`
/// whose id is its number, but zero for the row `padding`.
///
/// The table is split over threads, not the ids, so that the result is the same for any number of them.
pub(crate) fn backward(
    gradient: &[f32],
    ids: &[usize],
    count: usize,
    width: usize,
    padding: Option<usize>,
) -> Vec<f32> {
    assert_eq!(gradient.len(), ids.len() * width, "a row for each id");
    if count * width == 0 {
        return Vec::new();
    }
    let places = Places::new(ids, count);
    let group = items_per_task(count, width);
    let tasks = (0..count.div_ceil(group)).into_par_iter();
    // SAFETY: each row of the table is either filled or copied to.
    let written = unsafe {
        written_by_chunks(count * width, group * width, tasks, |rows, i| {
            for (r, row) in rows.chunks_exact_mut(width).enumerate() {
                let id = i * group + r;
                let mut places = places.of(id).iter();
                let row_at = |place: &usize| &gradient[place * width..(place + 1) * width];
                let Some(first) = places.next().filter(|_| padding != Some(id)) else {
                    row.fill(MaybeUninit::new(0.0));
                    continue;
                };
                let row = row.write_copy_of_slice(row_at(first));
                for place in places {
                    for (total, x) in row.iter_mut().zip(row_at(place)) {
                        *total += x;
                    }
                }
            }
        })
    };
    written.0
}

/// Where each id occurs.
struct Places {
    /// The places, those of one id after those of the one before it.
    sorted: Vec<usize>,
    /// Where in `sorted` the places of each id begin, and the end.
    starts: Vec<usize>,
}

impl Places {
    fn new(ids: &[usize], count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        for &id in ids {
            starts[id + 1] += 1;
        }
        for id in 0..count {
            starts[id + 1] += starts[id];
        }
        let mut next = starts.clone();
        let mut sorted = vec![0; ids.len()];
        for (place, &id) in ids.iter().enumerate() {
            sorted[next[id]] = place;
            next[id] += 1;
        }
        Self { sorted, starts }
    }

    fn of(&self, id: usize) -> &[usize] {
        &self.sorted[self.starts[id]..self.starts[id + 1]]
    }
}

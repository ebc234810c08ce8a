//! Products of whole matrices: what a linear layer computes, forward and backward.
//!
//! The right matrix is cut into slabs that stay in the last cache, and a slab is packed by all threads into
//! panels of a few columns. Then each thread takes rows of the left matrix through the slab: a panel of a
//! block of the common dimension stays in the first cache while the rows go by. Every element of the result is summed in one
//! order, whatever the number of threads.

mod pack;
mod rows;

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fresh::written;
use super::map::update;
use super::matrix::Matrix;
use super::product::panel_width_on;
use super::split::{items_per_task, sum_in_order};
use crate::cpu::isa::arch;
use pack::PackPanels;
use rows::{Block, MultiplyRows};

/// Of the common dimension, what is summed in registers: a panel of it is half of a first-level cache.
const DEPTH: usize = 256;

/// Blocks of [`DEPTH`] in a slab.
const BLOCKS: usize = 8;

/// Elements of a slab, 4 MiB of them.
const SLAB: usize = 1 << 20;

/// Rows below which the panels would pass by too fast.
const FEW_ROWS: usize = 24;

thread_local! {
    /// The last slab of this thread: the next one takes its place in memory.
    static PANELS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// `a b`, plus `bias` in every row, dense.
///
/// # Panics
/// If the sizes do not fit.
pub(crate) fn product(a: Matrix<'_>, b: Matrix<'_>, bias: Option<&[f32]>) -> Vec<f32> {
    let (rows, depth, columns) = (a.rows, b.rows, b.columns);
    assert_eq!(a.columns, depth, "the matrices do not fit");
    assert!(
        bias.is_none_or(|bias| bias.len() == columns),
        "the bias has another length"
    );
    if rows * columns == 0 {
        return Vec::new();
    }
    if depth == 0 {
        let row = bias.map_or_else(|| vec![0.0; columns], <[f32]>::to_vec);
        return row.repeat(rows);
    }
    let sizes = Sizes::new(rows, depth, columns);
    let mut panels = PANELS.take();
    // SAFETY: the slabs cover all columns and the whole depth, and `multiply` writes every element of its
    // columns in the first blocks.
    let c = unsafe {
        written(rows * columns, |c| {
            for first in (0..columns).step_by(sizes.slab_columns) {
                let slab = first..columns.min(first + sizes.slab_columns);
                multiply(a, b, bias, &sizes, slab, &mut panels, c);
            }
        })
    };
    PANELS.set(panels);
    c
}

/// How a product is cut.
struct Sizes {
    /// Of the common dimension in a block.
    depth: usize,
    /// Columns of a slab, a multiple of those of a panel.
    slab_columns: usize,
    /// Rows of a task.
    task_rows: usize,
    /// Columns of a task, a multiple of those of a panel.
    task_columns: usize,
    /// Columns of a panel.
    panel: usize,
}

impl Sizes {
    fn new(rows: usize, depth: usize, columns: usize) -> Self {
        let panel = panel_width_on(arch());
        let whole = columns.next_multiple_of(panel);
        // Blocks of one size, rather than a last one that is short.
        let block = depth.div_ceil(depth.div_ceil(DEPTH));
        let slab_depth = depth.min(BLOCKS * block);
        let slab_columns = (SLAB / slab_depth / panel * panel).clamp(panel, whole);
        // A register takes the multiplications of several elements.
        let worth = items_per_task(rows, slab_columns * slab_depth / 16);
        let (task_rows, tasks) = if worth >= rows {
            (rows, 1)
        } else {
            let tasks = 4 * rayon::current_num_threads();
            (rows.div_ceil(tasks).max(FEW_ROWS).min(rows), tasks)
        };
        // What too few rows leave to be shared out.
        let groups = tasks.div_ceil(rows.div_ceil(task_rows));
        let task_columns = slab_columns.div_ceil(groups).next_multiple_of(panel);
        Self {
            depth: block,
            slab_columns,
            task_rows,
            task_columns,
            panel,
        }
    }
}

/// Writes the columns `slab` of the product.
fn multiply(
    a: Matrix<'_>,
    b: Matrix<'_>,
    bias: Option<&[f32]>,
    sizes: &Sizes,
    slab: Range<usize>,
    panels: &mut Vec<f32>,
    c: &mut [MaybeUninit<f32>],
) {
    let arch = arch();
    let mut tasks = tasks(c, b.columns, sizes, &slab);
    let columns = slab.len().next_multiple_of(sizes.panel);
    for begin in (0..b.rows).step_by(BLOCKS * sizes.depth) {
        let end = b.rows.min(begin + BLOCKS * sizes.depth);
        let length = columns * (end - begin);
        if panels.len() < length {
            panels.resize(length, 0.0);
        }
        let panels = &mut panels[..length];
        let blocks: Vec<Range<usize>> = (begin..end)
            .step_by(sizes.depth)
            .map(|first| first..end.min(first + sizes.depth))
            .collect();
        let mut packs = Vec::new();
        for (block, panels) in blocks.iter().zip(panels.chunks_mut(columns * sizes.depth)) {
            packs.extend(PackPanels::all(b, block.clone(), slab.clone(), panels));
        }
        let group = items_per_task(packs.len(), length / packs.len().max(1));
        packs
            .into_par_iter()
            .with_min_len(group)
            .for_each(|pack| arch.dispatch(pack));
        tasks.par_iter_mut().for_each(|task| {
            let skipped = task.columns.start - slab.start;
            let inside = |block: &Range<usize>| {
                let first = (block.start - begin) * columns + skipped * block.len();
                let count = task.columns.len().next_multiple_of(sizes.panel) * block.len();
                Block {
                    depth: block.clone(),
                    panels: &panels[first..][..count],
                }
            };
            arch.dispatch(MultiplyRows {
                a: a.rows(task.first, task.output.len()),
                blocks: blocks.iter().map(inside).collect(),
                bias: bias.map(|bias| &bias[task.columns.clone()]),
                c: &mut task.output,
            });
        });
    }
}

/// A part of the result.
struct Task<'a> {
    first: usize,
    columns: Range<usize>,
    /// Its rows, from `first` on: those columns of each.
    output: Vec<&'a mut [MaybeUninit<f32>]>,
}

/// The columns `slab` of the result `c`, cut into tasks.
fn tasks<'a>(
    c: &'a mut [MaybeUninit<f32>],
    width: usize,
    sizes: &Sizes,
    slab: &Range<usize>,
) -> Vec<Task<'a>> {
    let mut tasks = Vec::new();
    for (i, rows) in c.chunks_mut(sizes.task_rows * width).enumerate() {
        let begun = tasks.len();
        tasks.extend(slab.clone().step_by(sizes.task_columns).map(|start| Task {
            first: i * sizes.task_rows,
            columns: start..slab.end.min(start + sizes.task_columns),
            output: Vec::with_capacity(sizes.task_rows),
        }));
        for row in rows.chunks_exact_mut(width) {
            let parts = row[slab.clone()].chunks_mut(sizes.task_columns);
            for (task, part) in tasks[begun..].iter_mut().zip(parts) {
                task.output.push(part);
            }
        }
    }
    tasks
}

/// The sum of the rows of a dense matrix.
///
/// # Panics
/// If the rows are not whole.
pub(crate) fn sum_of_rows(values: &[f32], width: usize) -> Vec<f32> {
    if values.is_empty() {
        return vec![0.0; width];
    }
    assert!(values.len().is_multiple_of(width), "the rows are not whole");
    let arch = arch();
    let chunk = width * items_per_task(values.len() / width, width);
    let parts = values
        .par_chunks(chunk)
        .map(|rows| arch.dispatch(SumRows { rows, width }));
    sum_in_order(parts.collect())
}

struct SumRows<'a> {
    rows: &'a [f32],
    width: usize,
}

impl WithSimd for SumRows<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let mut total = vec![0.0; self.width];
        for row in self.rows.chunks_exact(self.width) {
            update(
                simd,
                [row],
                &mut total,
                #[inline(always)]
                |total, [x]| simd.add_f32s(total, x),
            );
        }
        total
    }
}

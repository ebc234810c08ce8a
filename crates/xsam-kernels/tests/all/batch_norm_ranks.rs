//! Batch norm over ranks, which are threads here, against the same on all of their batches together.

use std::ops::Range;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use burn::tensor::{DType, Device, Tensor, activation};
use xsam_kernels::{
    BatchNormParams, BatchNormRanks, BatchNormTail, BatchStatistics, FeatureStack, batch_norm_train,
};

use crate::common::{assert_close, gradient, random, read, tensor};

/// Rows that each rank has.
const SHARES: [usize; 3] = [2, 5, 1];
const CHANNELS: usize = 6;
const PLANE: [usize; 2] = [5, 7];

/// What the ranks add up, and where they wait for each other.
struct World {
    sum: Mutex<Vec<f64>>,
    barrier: Barrier,
}

impl World {
    fn new(size: usize) -> Arc<Self> {
        Arc::new(Self {
            sum: Mutex::default(),
            barrier: Barrier::new(size),
        })
    }

    fn sum(&self, rank: usize, size: usize, values: &mut [f64]) {
        for turn in 0..size {
            if turn == rank {
                let mut sum = self.sum.lock().unwrap();
                sum.resize(values.len(), 0.0);
                for (sum, value) in sum.iter_mut().zip(&*values) {
                    *sum += value;
                }
            }
            self.barrier.wait();
        }
        values.copy_from_slice(&self.sum.lock().unwrap());
        self.barrier.wait();
        self.sum.lock().unwrap().clear();
        self.barrier.wait();
    }
}

#[derive(Clone, Copy)]
struct Form {
    residual: bool,
    relu: bool,
    /// In a stack of two maps.
    stacked: bool,
}

/// What a rank finds of its rows: of each row the output and the gradients of input and residual, and the statistics and the
/// gradients of weight and bias, of which those of the ranks add up.
struct Found {
    rows: [Vec<f64>; 3],
    statistics: [Vec<f64>; 2],
    count: usize,
    sums: [Vec<f64>; 2],
}

fn normalised(
    x: Tensor<4>,
    params: BatchNormParams,
    tail: BatchNormTail<4>,
    stacked: bool,
) -> (Tensor<4>, BatchStatistics) {
    if !stacked {
        return batch_norm_train(x, params, tail);
    }
    let mut stack = FeatureStack::new(x.clone().narrow(1, 0, 2));
    stack.push(x.narrow(1, 2, CHANNELS - 2));
    let (y, statistics) = stack.batch_norm_train(params, false);
    let y = match tail.residual {
        Some(residual) => y + residual,
        None => y,
    };
    match tail.relu {
        true => (activation::relu(y), statistics),
        false => (y, statistics),
    }
}

fn run(rows: Range<usize>, form: Form, dtype: DType) -> Found {
    weighed(rows, form, dtype, 1.0)
}

/// The same, of the loss times a weight.
fn weighed(rows: Range<usize>, form: Form, dtype: DType, weight_of_loss: f64) -> Found {
    let device = Device::flex().autodiff();
    let at = (&device, dtype);
    let [height, width] = PLANE;
    let shape = [rows.len(), CHANNELS, height, width];
    let row = CHANNELS * height * width;
    let of_rows = |seed: u64, offset: f64| {
        let all = random(row * SHARES.iter().sum::<usize>(), seed);
        let mine = &all[rows.start * row..rows.end * row];
        let mine: Vec<f64> = mine.iter().map(|value| value + offset).collect();
        tensor::<4>(&mine, shape, at)
    };
    let x = of_rows(1, 2.0).require_grad();
    let residual = of_rows(2, 0.0).require_grad();
    let [weight, bias] =
        [3, 4].map(|seed| tensor::<1>(&random(CHANNELS, seed), [CHANNELS], at).require_grad());
    let params = BatchNormParams {
        weight: weight.clone(),
        bias: bias.clone(),
        epsilon: 1e-5,
    };
    let tail = BatchNormTail {
        residual: form.residual.then(|| residual.clone()),
        relu: form.relu,
    };
    let (y, statistics) = normalised(x.clone(), params, tail, form.stacked);
    let loss = (y.clone() * of_rows(5, 0.0)).sum() * weight_of_loss;
    let grads = loss.backward();
    let of_residual = match form.residual {
        true => gradient(&residual, &grads),
        false => Vec::new(),
    };
    Found {
        rows: [read(y.inner()), gradient(&x, &grads), of_residual],
        statistics: [statistics.mean, statistics.variance].map(|t| read(t.inner())),
        count: statistics.count,
        sums: [gradient(&weight, &grads), gradient(&bias, &grads)],
    }
}

/// The results of ranks that have these rows each; one that has none takes part with the first row, which counts for nothing.
fn on_ranks(shares: &[usize], form: Form, dtype: DType) -> Vec<Found> {
    let size = shares.len();
    let world = World::new(size);
    thread::scope(|scope| {
        let start = |rank: usize| {
            let world = world.clone();
            let first: usize = shares[..rank].iter().sum();
            scope.spawn(move || {
                let ranks = BatchNormRanks::new(move |values: &mut [f64]| {
                    world.sum(rank, size, values);
                    Ok::<(), ()>(())
                });
                assert!(!ranks.were_used());
                let found = match shares[rank] {
                    0 => ranks.attend(|| weighed(0..1, form, dtype, 0.0)),
                    own => ranks.share(|| run(first..first + own, form, dtype)),
                };
                assert!(ranks.were_used());
                found
            })
        };
        let threads: Vec<_> = (0..size).map(start).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

fn assert_is_one_batch(shares: &[usize], form: Form, dtype: DType, tolerance: f64) {
    let all: usize = shares.iter().sum();
    let expected = run(0..all, form, DType::F64);
    let found = on_ranks(shares, form, dtype);
    let counted: Vec<&Found> = found
        .iter()
        .zip(shares)
        .filter(|(_, own)| **own > 0)
        .map(|(found, _)| found)
        .collect();
    for (i, name) in ["y", "dx", "dresidual"].into_iter().enumerate() {
        let rows: Vec<f64> = counted.iter().flat_map(|f| f.rows[i].clone()).collect();
        assert_close(name, &rows, &expected.rows[i], tolerance, 1.0);
    }
    for (i, name) in ["dweight", "dbias"].into_iter().enumerate() {
        let mut sum = vec![0.0; CHANNELS];
        for found in &counted {
            for (sum, value) in sum.iter_mut().zip(&found.sums[i]) {
                *sum += value;
            }
        }
        assert_close(name, &sum, &expected.sums[i], tolerance, 1.0);
    }
    for of_rank in &found {
        for (i, name) in ["mean", "variance"].into_iter().enumerate() {
            let (found, expected) = (&of_rank.statistics[i], &expected.statistics[i]);
            assert_close(name, found, expected, tolerance, 1.0);
        }
        assert_eq!(of_rank.count, expected.count);
    }
}

#[test]
fn ranks_normalise_as_one_batch() {
    for residual in [false, true] {
        for relu in [false, true] {
            for stacked in [false, true] {
                let form = Form {
                    residual,
                    relu,
                    stacked,
                };
                assert_is_one_batch(&SHARES, form, DType::F64, 1e-12);
                assert_is_one_batch(&SHARES, form, DType::F32, 1e-5);
            }
        }
    }
}

#[test]
fn a_rank_without_a_share_takes_part_and_counts_for_nothing() {
    let form = Form {
        residual: false,
        relu: true,
        stacked: false,
    };
    assert_is_one_batch(&[3, 0, 4], form, DType::F64, 1e-12);
}

#[test]
fn a_sum_that_fails_is_seen() {
    let ranks = BatchNormRanks::new(|_: &mut [f64]| Err(()));
    let form = Form {
        residual: false,
        relu: false,
        stacked: false,
    };
    let found = ranks.share(|| run(0..2, form, DType::F32));
    let [y, dx, _] = &found.rows;
    assert!(y.iter().chain(dx).all(|value| value.is_nan()));
    // Afterwards a batch is one's own again.
    assert!(
        run(0..2, form, DType::F32).rows[0]
            .iter()
            .all(|y| y.is_finite())
    );
}

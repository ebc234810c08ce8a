//! Batch norm with the statistics of the batches of all ranks.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, TensorMetadata};
use burn::tensor::{TensorData, try_read_sync};

use super::{BatchNormOps, Channels, InputGradients, Normalised, Saved, inverse_deviation};
use crate::optional::Optional;

/// Makes each element its sum over the ranks, and says whether it did.
type Sum = dyn Fn(&mut [f64]) -> bool + Send + Sync;

/// Ranks that normalise by the statistics of all their batches together.
///
/// Each forward pass sums two numbers a channel and one more over the ranks for every batch norm, and each backward pass two
/// numbers a channel. All ranks make the same passes, in the same order, over batches that are not empty.
///
/// If a sum fails, the numbers that depend on it are NaN.
#[derive(Clone)]
pub struct BatchNormRanks {
    sum: Arc<Sum>,
    counts: bool,
    used: Arc<AtomicBool>,
}

thread_local! {
    static CURRENT: RefCell<Option<BatchNormRanks>> = const { RefCell::new(None) };
}

impl BatchNormRanks {
    /// Ranks whose numbers `sum` adds up: it makes each element its sum over the ranks, with the same bits on all of them,
    /// or fails.
    pub fn new<E>(sum: impl Fn(&mut [f64]) -> Result<(), E> + Send + Sync + 'static) -> Self {
        Self {
            sum: Arc::new(move |values| sum(values).is_ok()),
            counts: true,
            used: Arc::default(),
        }
    }

    /// Makes a forward pass, in which batch norm in training takes the statistics of all ranks. Its backward pass may be
    /// made later.
    ///
    /// This reaches [`batch_norm_train`](super::batch_norm_train) and [`FeatureStack`](super::FeatureStack) on this
    /// thread, and not Burn's own batch norm.
    pub fn share<R>(&self, pass: impl FnOnce() -> R) -> R {
        self.enter(true, pass)
    }

    /// The same with a batch that counts for nothing: this rank takes part for the sake of the others.
    pub fn attend<R>(&self, pass: impl FnOnce() -> R) -> R {
        self.enter(false, pass)
    }

    /// Whether a pass had a batch norm whose statistics were shared.
    pub fn were_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    fn enter<R>(&self, counts: bool, pass: impl FnOnce() -> R) -> R {
        struct Back(Option<BatchNormRanks>);
        impl Drop for Back {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let ranks = Self {
            counts,
            ..self.clone()
        };
        let _back = Back(CURRENT.replace(Some(ranks)));
        pass()
    }

    /// Those of the pass that this thread makes.
    pub(super) fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    fn sum(&self, values: &mut [f64]) {
        self.used.store(true, Ordering::Relaxed);
        if !(self.sum)(values) {
            values.fill(f64::NAN);
        }
    }
}

impl fmt::Debug for BatchNormRanks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BatchNormRanks")
    }
}

/// The result of batch norm over ranks.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct OfAllRanks<B: Backend> {
    #[extension_type]
    pub(super) result: Normalised<B>,
    /// Values that a channel has on all ranks.
    pub(super) values: usize,
}

/// Batch norm by the means over all values of all ranks.
pub(super) fn forward<B: BatchNormOps>(
    x: FloatTensor<B>,
    channels: Channels<B>,
    residual: Optional<B>,
    relu: bool,
    ranks: &BatchNormRanks,
) -> OfAllRanks<B> {
    let shape = x.shape();
    let own = shape.num_elements() / shape[1].max(1);
    let here = B::normalise(x.clone(), channels.clone(), Optional::None, false);
    let (means, variances) = (numbers::<B>(here.mean), numbers::<B>(here.variance));
    let weight = if ranks.counts { own as f64 } else { 0.0 };
    // The number of values, and of each channel the sums of the values and of their squares.
    let mut sums = vec![weight];
    sums.extend(means.iter().map(|mean| weight * mean));
    let squares = means.iter().zip(&variances);
    sums.extend(squares.map(|(mean, variance)| weight * (variance + mean * mean)));
    ranks.sum(&mut sums);
    let (first, squares) = sums.split_at(1 + means.len());
    let (count, firsts) = (first[0], &first[1..]);
    let mean: Vec<f64> = firsts.iter().map(|sum| sum / count).collect();
    let variance = squares.iter().zip(&mean);
    // A NaN is kept.
    let positive = |variance: f64| if variance < 0.0 { 0.0 } else { variance };
    let variance = variance.map(|(sum, mean)| positive(sum / count - mean * mean));
    let variance = variance.collect();
    let channels = Channels {
        mean: per_channel::<B>(mean, &channels.weight),
        variance: per_channel::<B>(variance, &channels.weight),
        ..channels
    };
    OfAllRanks {
        result: B::normalise(x, channels, residual, relu),
        values: count as usize,
    }
}

/// The gradients, of the ranks' losses together: the statistics follow the values of all. With $`g`$ the gradient of a
/// channel's output and $`\hat x`$ its normalised values, that of $`x`$ is
/// $`w (g - \overline g - \hat x\, \overline{g \hat x}) / \sigma`$ with means over all ranks.
pub(super) fn backward<B: BatchNormOps>(
    gradient: FloatTensor<B>,
    saved: Saved<B>,
    ranks: &BatchNormRanks,
    values: usize,
) -> InputGradients<B> {
    let (x, channels) = (saved.x.clone(), saved.channels.clone());
    let mut gradients = B::normalise_backward(gradient, saved);
    let mut sums = numbers::<B>(gradients.bias.clone());
    let count = sums.len();
    sums.extend(numbers::<B>(gradients.weight.clone()));
    ranks.sum(&mut sums);
    if !ranks.counts {
        return gradients;
    }
    let means = sums.into_iter().map(|sum| -sum / values as f64);
    let mut of_bias: Vec<f64> = means.collect();
    let of_weight = of_bias.split_off(count);
    let inverse = inverse_deviation::<B>(channels.variance.clone(), channels.epsilon);
    let scale = B::float_mul(channels.weight.clone(), inverse);
    let scaled = |means| B::float_mul(per_channel::<B>(means, &scale), scale.clone());
    let correction = Channels {
        weight: scaled(of_weight),
        bias: scaled(of_bias),
        ..channels
    };
    gradients.x = B::normalise(x, correction, Optional::Some(gradients.x), false).output;
    gradients
}

/// The numbers of a tensor; NaN if its device does not give them.
fn numbers<B: Backend>(tensor: FloatTensor<B>) -> Vec<f64> {
    let count = tensor.shape().num_elements();
    match try_read_sync(B::float_into_data(tensor)) {
        Some(Ok(data)) => data.iter::<f64>().collect(),
        _ => vec![f64::NAN; count],
    }
}

/// A tensor of these numbers, on the device of another and in its format.
fn per_channel<B: Backend>(numbers: Vec<f64>, like: &FloatTensor<B>) -> FloatTensor<B> {
    let count = numbers.len();
    let data = TensorData::new(numbers, [count]).convert_dtype(like.dtype());
    B::float_from_data(data, &like.device())
}

//! Cross entropy of logits against class numbers.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Scalar, TensorMetadata, backend_extension};
use burn::tensor::activation::log_softmax;
use burn::tensor::{IndexingUpdateOp, Int, Shape, Tensor};

use crate::cpu::cross_entropy as cpu;
use crate::flex::{Flat, numbers, takes, tensor};
use crate::half::widened;
use crate::optional::Optional;
use crate::profile::Timer;
use crate::softmax;
use crate::tape::record;

/// The mean cross entropy of `logits`, `[batch, classes]`, against the class numbers `targets`, `[batch]`.
///
/// With `label_smoothing` s the target of a row is `1 - s` on its class, plus `s / classes` on every
/// class, as in PyTorch. The result has one element; that of an empty batch is NaN. Only `logits` gets
/// a gradient.
///
/// On Flex in `f32` each direction reads the logits once from memory (forward reads a row twice, from the
/// cache) and nothing of their size is kept but the logits themselves.
///
/// # Panics
/// If the batch sizes differ or `label_smoothing` is not in `0..=1`. A target that is no class number
/// panics as in Burn's `gather` on Flex; other back ends do what their `gather` does.
pub fn cross_entropy(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    label_smoothing: f64,
) -> Tensor<1> {
    check(&logits, &targets, label_smoothing);
    let (loss, _) = <Dispatch as CrossEntropyOps>::mean_cross_entropy(
        widened(logits).into_dispatch(),
        targets.into_dispatch(),
        label_smoothing,
    );
    Tensor::from_dispatch(loss)
}

/// The cross entropy of each row of `logits`, `[batch]`, of which [`cross_entropy`] is the mean: for who tells the samples of a
/// batch apart. It is composed of Burn's operations on every back end.
///
/// # Panics
/// As [`cross_entropy`].
pub fn cross_entropies(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    label_smoothing: f64,
) -> Tensor<1> {
    check(&logits, &targets, label_smoothing);
    let log = log_softmax(widened(logits), 1);
    let picked = log.clone().gather(1, targets.unsqueeze_dim(1));
    let losses = match label_smoothing > 0.0 {
        true => picked.mul_scalar(1.0 - label_smoothing) + log.mean_dim(1) * label_smoothing,
        false => picked,
    };
    losses.neg().squeeze_dim(1)
}

fn check(logits: &Tensor<2>, targets: &Tensor<1, Int>, label_smoothing: f64) {
    let ([rows, _], [count]) = (logits.dims(), targets.dims());
    assert_eq!(
        rows, count,
        "cross entropy needs one target a row of logits"
    );
    assert!(
        (0.0..=1.0).contains(&label_smoothing),
        "label_smoothing must be in 0..=1, got {label_smoothing}"
    );
}

/// Cross entropy, as Burn dispatches it to the back end of the logits; the provided bodies are composed of Burn's
/// operations.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
pub trait CrossEntropyOps: Backend {
    /// See [`cross_entropy`]. With the loss comes what
    /// [`mean_cross_entropy_backward`](Self::mean_cross_entropy_backward) can use of the rows.
    fn mean_cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        smoothing: f64,
    ) -> (FloatTensor<Self>, Optional<Self>) {
        (composed::<Self>(logits, targets, smoothing), Optional::None)
    }

    /// The gradient of the logits, for the gradient of the loss.
    fn mean_cross_entropy_backward(
        gradient: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        #[extension_type] _rows: Optional<Self>,
        smoothing: f64,
    ) -> FloatTensor<Self> {
        composed_gradient::<Self>(gradient, logits, targets, smoothing)
    }
}

fn composed<B: Backend>(
    logits: FloatTensor<B>,
    targets: IntTensor<B>,
    smoothing: f64,
) -> FloatTensor<B> {
    let rows = logits.shape()[0];
    let top = B::float_max_dim(logits.clone(), 1);
    let centred = B::float_sub(logits, top);
    let indices = B::int_reshape(targets, Shape::new([rows, 1]));
    let picked = B::float_gather(1, centred.clone(), indices);
    let total = B::float_sum_dim(B::float_exp(centred.clone()), 1);
    let picked = B::float_mul_scalar(picked, Scalar::Float(1.0 - smoothing));
    let mut losses = B::float_sub(B::float_log(total), picked);
    if smoothing > 0.0 {
        let mean = B::float_mul_scalar(B::float_mean_dim(centred, 1), Scalar::Float(smoothing));
        losses = B::float_sub(losses, mean);
    }
    let loss = B::float_mean_dim(losses, 0);
    B::float_reshape(loss, Shape::new([1]))
}

fn composed_gradient<B: Backend>(
    gradient: FloatTensor<B>,
    logits: FloatTensor<B>,
    targets: IntTensor<B>,
    smoothing: f64,
) -> FloatTensor<B> {
    let shape = logits.shape();
    let (rows, classes) = (shape[0], shape[1]);
    let (device, dtype) = (logits.device(), logits.dtype().into());
    let softmax = softmax::composed::<B>(logits);
    let indices = B::int_reshape(targets, Shape::new([rows, 1]));
    let column = Shape::new([rows, 1]);
    let ones = B::float_ones(column, &device, dtype);
    let zeros = B::float_zeros(shape, &device, dtype);
    let picked = B::float_scatter(1, zeros, indices, ones, IndexingUpdateOp::Add);
    let picked = B::float_mul_scalar(picked, Scalar::Float(1.0 - smoothing));
    let dx = B::float_sub(softmax, picked);
    let dx = B::float_sub_scalar(dx, Scalar::Float(smoothing / classes as f64));
    let share = B::float_div_scalar(gradient, Scalar::Float(rows as f64));
    B::float_mul(dx, B::float_reshape(share, Shape::new([1, 1])))
}

/// The class numbers, if they are in a number format that the kernel reads.
fn classes_of(targets: &Flat, classes: usize) -> Option<Vec<usize>> {
    numbers(targets, classes, "cross entropy: target")
}

impl CrossEntropyOps for Flex {
    fn mean_cross_entropy(logits: Flat, targets: Flat, smoothing: f64) -> (Flat, Optional<Self>) {
        let _timer = Timer::start("cross entropy, forward");
        let (rows, classes) = (logits.shape()[0], logits.shape()[1]);
        let numbers = takes([&logits])
            .then(|| classes_of(&targets, classes))
            .flatten();
        let Some(numbers) = numbers else {
            return (composed::<Self>(logits, targets, smoothing), Optional::None);
        };
        let result = cpu::forward(
            logits.to_contiguous().storage(),
            &numbers,
            classes,
            smoothing,
        );
        (
            tensor(vec![result.loss], Shape::new([1])),
            Optional::Some(tensor(result.rows, Shape::new([rows, 2]))),
        )
    }

    fn mean_cross_entropy_backward(
        gradient: Flat,
        logits: Flat,
        targets: Flat,
        rows: Optional<Self>,
        smoothing: f64,
    ) -> Flat {
        let _timer = Timer::start("cross entropy, backward");
        let shape = logits.shape();
        let numbers = classes_of(&targets, shape[1]);
        let scale = gradient.to_contiguous();
        let scale = scale.as_slice::<f32>().and_then(|g| g.first().copied());
        let (Some(rows), Some(numbers), Some(scale)) = (rows.get(), numbers, scale) else {
            return composed_gradient::<Self>(gradient, logits, targets, smoothing);
        };
        let dx = cpu::backward(
            logits.to_contiguous().storage(),
            &numbers,
            rows.to_contiguous().storage(),
            shape[1],
            smoothing,
            scale,
        );
        tensor(dx, shape)
    }
}

impl<B: CrossEntropyOps, C: CheckpointStrategy> CrossEntropyOps for Autodiff<B, C> {
    fn mean_cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        smoothing: f64,
    ) -> (FloatTensor<Self>, Optional<Self>) {
        let (logits, node) = logits.into_parts();
        let (loss, rows) = B::mean_cross_entropy(logits.clone(), targets.clone(), smoothing);
        let saved = (logits, targets, rows, smoothing);
        let loss = record::<B, C, _, _>([node], saved, loss, |gradient, saved, _| {
            let (logits, targets, rows, smoothing) = saved;
            let dx = B::mean_cross_entropy_backward(gradient, logits, targets, rows, smoothing);
            [Some(dx)]
        });
        (loss, Optional::None)
    }
}

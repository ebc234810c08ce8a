//! How a batch is run through a model: whole, or in parts.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::error::{PassPoint, StepError};
use crate::method::parameters;
use crate::vector::ParamVector;

/// What the closure of a step returns: the loss, or the loss and an output of the caller's own.
pub trait LossOutput {
    /// The caller's own output: logits, say, or `()`.
    type Output;

    /// The loss, a tensor of one element, and the output.
    fn split(self) -> (Tensor<1>, Self::Output);
}

impl LossOutput for Tensor<1> {
    type Output = ();

    fn split(self) -> (Tensor<1>, ()) {
        (self, ())
    }
}

impl<O> LossOutput for (Tensor<1>, O) {
    type Output = O;

    fn split(self) -> (Tensor<1>, O) {
        self
    }
}

/// What a forward-backward pass gives, still on the device.
pub(crate) struct Gradient<O> {
    /// The loss, a tensor of one element without a graph.
    pub(crate) loss: Tensor<1>,
    /// The gradient of the scaled loss.
    pub(crate) vector: ParamVector,
    /// The caller's own output.
    pub(crate) output: O,
}

/// A batch, as something that models of type `M` are run on.
pub(crate) trait Pass<M> {
    /// The caller's own output of a forward pass.
    type Output;

    /// A forward-backward pass at `point`. The backward pass is of `scale` times the loss.
    fn gradient(
        &mut self,
        model: &M,
        scale: f64,
        point: PassPoint,
    ) -> Result<Gradient<Self::Output>, StepError>;

    /// A forward-backward pass at `point` in which the loss's derivative by the logits is that at the weights. The loss is
    /// that of the point all the same.
    fn of_function(
        &mut self,
        _model: &M,
        _scale: f64,
        _point: PassPoint,
    ) -> Result<Gradient<Self::Output>, StepError> {
        Err(StepError::NoLogits)
    }

    /// A forward pass over all samples of a model that requires no gradients. It chooses, for
    /// [`of_chosen`](Self::of_chosen), this `share` of them: those whose losses have risen most since the pass at the
    /// weights.
    fn choose(&mut self, _model: &M, _share: f64) -> Result<(), StepError> {
        Err(StepError::NoSamples)
    }

    /// A forward-backward pass over the chosen samples alone. The loss is that of all of them.
    fn of_chosen(
        &mut self,
        _model: &M,
        _scale: f64,
        _point: PassPoint,
    ) -> Result<Gradient<Self::Output>, StepError> {
        Err(StepError::NoSamples)
    }

    /// A forward pass at `point` of a model that requires no gradients: the loss, a tensor of one element.
    fn loss(&mut self, model: &M, point: PassPoint) -> Result<Tensor<1>, StepError>;
}

/// A batch that is run as a whole, by a closure that gives its loss at a point.
pub(crate) struct Whole<F>(pub(crate) F);

impl<M, F, L> Pass<M> for Whole<F>
where
    M: Module,
    F: FnMut(&M, PassPoint) -> L,
    L: LossOutput,
{
    type Output = L::Output;

    fn gradient(
        &mut self,
        model: &M,
        scale: f64,
        point: PassPoint,
    ) -> Result<Gradient<L::Output>, StepError> {
        let (loss, output) = (self.0)(model, point).split();
        let (loss, vector) = backward(model, loss, scale)?;
        Ok(Gradient {
            loss,
            vector,
            output,
        })
    }

    fn loss(&mut self, model: &M, point: PassPoint) -> Result<Tensor<1>, StepError> {
        scalar((self.0)(model, point).split().0)
    }
}

/// A batch in parts that are run one after another: losses and gradients are the means over the parts.
pub(crate) struct Parts<'a, B, F> {
    pub(crate) parts: &'a [B],
    /// The loss of one.
    pub(crate) loss: F,
}

impl<M, B, F, L> Pass<M> for Parts<'_, B, F>
where
    M: Module,
    F: FnMut(&M, &B, PassPoint) -> L,
    L: LossOutput,
{
    type Output = Vec<L::Output>;

    fn gradient(
        &mut self,
        model: &M,
        scale: f64,
        point: PassPoint,
    ) -> Result<Gradient<Self::Output>, StepError> {
        mean_gradient(self.parts, |part| {
            let (loss, output) = (self.loss)(model, part, point).split();
            Ok((backward(model, loss, scale)?, output))
        })
    }

    fn loss(&mut self, model: &M, point: PassPoint) -> Result<Tensor<1>, StepError> {
        mean_loss(self.parts, |part| {
            scalar((self.loss)(model, part, point).split().0)
        })
    }
}

/// The sum of what `run` makes of each part of a batch, of which there must be one at least.
pub(crate) fn sum<P, T>(
    parts: impl IntoIterator<Item = P>,
    run: impl FnMut(P) -> Result<T, StepError>,
    add: impl Fn(T, T) -> T,
) -> Result<T, StepError> {
    let mut found = parts.into_iter().map(run);
    let first = found.next().ok_or(StepError::NoMicroBatch)??;
    found.try_fold(first, |sum, found| Ok(add(sum, found?)))
}

/// The sum of losses and gradients.
pub(crate) fn plus(
    (losses, sum): (Tensor<1>, ParamVector),
    (loss, vector): (Tensor<1>, ParamVector),
) -> (Tensor<1>, ParamVector) {
    (losses + loss, sum.combine(1.0, &vector, 1.0))
}

/// The means of the losses and gradients that `run` finds of each part of a batch, of which there must be one at least, and the
/// outputs of all.
pub(crate) fn mean_gradient<P, O>(
    parts: impl IntoIterator<Item = P>,
    mut run: impl FnMut(P) -> Result<((Tensor<1>, ParamVector), O), StepError>,
) -> Result<Gradient<Vec<O>>, StepError> {
    let mut outputs = Vec::new();
    let of_part = |part| {
        let (found, output) = run(part)?;
        outputs.push(output);
        Ok(found)
    };
    let (loss, vector) = sum(parts, of_part, plus)?;
    let share = 1.0 / outputs.len() as f64;
    Ok(Gradient {
        loss: loss.mul_scalar(share),
        vector: vector.scale(share),
        output: outputs,
    })
}

/// The mean of the losses that `run` finds of each part of a batch, of which there must be one at least.
pub(crate) fn mean_loss<P>(
    parts: impl IntoIterator<Item = P>,
    mut run: impl FnMut(P) -> Result<Tensor<1>, StepError>,
) -> Result<Tensor<1>, StepError> {
    let mut count = 0;
    let of_part = |part| {
        count += 1;
        run(part)
    };
    let loss = sum(parts, of_part, |sum, loss| sum + loss)?;
    Ok(loss.mul_scalar(1.0 / f64::from(count)))
}

/// The loss without its graph, and the gradient of `scale` times it.
pub(crate) fn backward<M: Module>(
    model: &M,
    loss: Tensor<1>,
    scale: f64,
) -> Result<(Tensor<1>, ParamVector), StepError> {
    let value = tracked(&loss)?;
    let loss = match scale == 1.0 {
        true => loss,
        false => loss.mul_scalar(scale),
    };
    let vector = parameters::gradient_vector(model, loss.backward());
    match vector.is_empty() {
        true => Err(StepError::NoGradient),
        false => Ok((value, vector)),
    }
}

/// A loss that a gradient can be taken of, as [`scalar`] gives it.
pub(crate) fn tracked(loss: &Tensor<1>) -> Result<Tensor<1>, StepError> {
    let value = scalar(loss.clone())?;
    match loss.is_tracked() {
        true => Ok(value),
        false => Err(StepError::LossNotTracked),
    }
}

/// A loss, as a tensor of one element without a graph.
pub(crate) fn scalar(loss: Tensor<1>) -> Result<Tensor<1>, StepError> {
    match loss.shape().num_elements() {
        1 => Ok(loss.inner()),
        elements => Err(StepError::LossNotScalar { elements }),
    }
}

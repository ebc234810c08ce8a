//! The generalised Gauss-Newton matrix of a loss.

use burn::module::{Module, ParamGroup};
use burn::tensor::Tensor;
use xsam::PassPoint;
use xsam::method::{Evaluation, ParamVector, parameters};
use xsam_kernels::kinks;

use super::SymmetricOperator;
use super::block::{Block, scale};
use crate::error::FlatnessError;
use crate::shares::Shares;
use crate::surface::scalar;

/// Step in the weights, as a share of their norm, and in the outputs, of theirs: where rounding and the derivatives of
/// third order weigh about the same.
fn share(space: &ParamVector) -> f64 {
    if space.epsilon() > 1e-10 { 1e-3 } else { 1e-6 }
}

/// `G = J^T L J`: the Jacobian `J` of the model's outputs by its weights, and the Hessian `L` of the loss by the
/// outputs (Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent", 2002).
///
/// It is the Hessian without the curvature of the model itself: positive semidefinite where the loss is convex in the
/// outputs, as cross entropy is. A product costs three forward passes and one of them backward, for each batch: `J v`
/// and `L u` are differences, `J^T` is exact.
pub struct GaussNewton<M, O, L, const D: usize> {
    model: M,
    outputs: O,
    loss: L,
    shares: Shares,
    block: Block,
    /// Length of the step from the outputs, as a share of their norm.
    share: f64,
    /// Length of the step from the weights.
    step: f64,
}

impl<M, O, L, const D: usize> GaussNewton<M, O, L, D>
where
    M: Module,
    O: FnMut(&M, usize) -> Tensor<D>,
    L: FnMut(Tensor<D>, usize) -> Tensor<1>,
{
    /// The matrix at the weights of `model`, of the mean over batches of which number `i` has `samples[i]` samples:
    /// `outputs(model, i)` are the model's outputs, and `loss(outputs, i)` the mean loss of that batch.
    ///
    /// The model is taken as it is: [`LossSurface::model`](crate::LossSurface::model) is one in evaluation mode. Cost:
    /// a forward-backward pass over the first batch.
    ///
    /// # Errors
    /// As for [`LossSurface`](crate::LossSurface) and [`Hessian`](super::Hessian).
    pub fn new(
        model: &M,
        samples: &[usize],
        group: Option<&ParamGroup>,
        mut outputs: O,
        mut loss: L,
    ) -> Result<Self, FlatnessError> {
        let shares = Shares::new(samples)?;
        let value = loss(outputs(model, 0), 0);
        let gradient = Evaluation::of(model, value, PassPoint::Weights)?.gradient;
        let members = group.map(|group| parameters::members(model, group));
        let block = Block::new(gradient, members)?;
        let scale = scale(&parameters::weight_vector(model, &block.space))?;
        let share = share(&block.space);
        Ok(Self {
            model: model.clone(),
            outputs,
            loss,
            shares,
            block,
            share,
            step: share * scale,
        })
    }

    /// `L u` at the outputs, for batch `i`.
    fn curved(
        &mut self,
        outputs: &Tensor<D>,
        u: Tensor<D>,
        i: usize,
    ) -> Result<Tensor<D>, FlatnessError> {
        let norm = |x: &Tensor<D>| scalar(x.clone().powi_scalar(2).sum()).map(f64::sqrt);
        let (size, length) = (norm(outputs)?, norm(&u)?);
        if length == 0.0 {
            return Ok(u);
        }
        let step = self.share * if size > 0.0 { size } else { 1.0 } / length;
        let mut gradient = |factor: f64| {
            let at = outputs.clone() + u.clone() * factor;
            let at = Tensor::from_inner(at).require_grad();
            let grads = (self.loss)(at.clone(), i).backward();
            at.grad(&grads).unwrap_or_else(|| outputs.zeros_like())
        };
        let (ahead, behind) = (gradient(step), gradient(-step));
        Ok((ahead - behind) / (2.0 * step))
    }
}

impl<M, O, L, const D: usize> SymmetricOperator for GaussNewton<M, O, L, D>
where
    M: Module,
    O: FnMut(&M, usize) -> Tensor<D>,
    L: FnMut(Tensor<D>, usize) -> Tensor<1>,
{
    fn space(&self) -> &ParamVector {
        &self.block.space
    }

    fn apply(&mut self, vector: &ParamVector) -> Result<ParamVector, FlatnessError> {
        let norm = vector.norm()?;
        let mut total = vector.clone().scale(0.0);
        if norm == 0.0 {
            return Ok(total);
        }
        let length = self.step / norm;
        let moved =
            |length: f64| parameters::displaced(self.model.clone().no_grad(), &[(length, vector)]);
        let (ahead, behind) = (moved(length), moved(-length));
        let all = 0..self.shares.len();
        for i in all.clone() {
            let (outputs, kinks) = kinks::record(|| (self.outputs)(&self.model, i));
            let mut moved = |model: &M| {
                let outputs = kinks.hold(|| (self.outputs)(model, i));
                let outputs = outputs.ok_or(FlatnessError::PassesDiffer { batch: i })?;
                Ok::<_, FlatnessError>(outputs.inner())
            };
            let (ahead, behind) = (moved(&ahead)?, moved(&behind)?);
            let along = (ahead - behind) / (2.0 * length);
            let curved = self.curved(&outputs.clone().inner(), along, i)?;
            let weighted = (outputs * Tensor::from_inner(curved)).sum();
            let part = parameters::gradient_vector(&self.model, weighted.backward());
            total = total.combine(1.0, &part, self.shares.share(i, all.clone()));
        }
        let total = self.block.restricted(total);
        if !total.norm()?.is_finite() {
            return Err(FlatnessError::ProductNotFinite);
        }
        Ok(total)
    }
}

//! The generalised Gauss-Newton matrix of a loss.

use std::collections::HashSet;

use burn::module::{Module, ParamGroup, ParamId};
use burn::tensor::Tensor;
use xsam::{ConfigError, Evaluation, ParamVector, Place, parameters};

use xsam_kernels::kinks;

use super::SymmetricOperator;
use crate::error::FlatnessError;

/// Step in the weights, as a share of their norm, and in the outputs, of theirs.
const STEP: f64 = 1e-3;

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
    shares: Vec<f64>,
    space: ParamVector,
    members: Option<HashSet<ParamId>>,
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
        if samples.is_empty() || samples.contains(&0) {
            let range = "at least one batch, and none without samples";
            let value = format!("{samples:?}");
            return Err(ConfigError::new("samples", value, range).into());
        }
        let value = loss(outputs(model, 0), 0);
        let mut space = Evaluation::of(model, value, Place::Weights)?.gradient;
        let members = group.map(|group| parameters::members(model, group));
        if let Some(members) = &members {
            space.retain(|id| members.contains(&id));
        }
        if space.is_empty() {
            let range = "a group with at least one parameter that receives a gradient";
            return Err(ConfigError::new("group", "nothing", range).into());
        }
        let norm = parameters::weight_vector(model, &space).norm()?;
        let all: usize = samples.iter().sum();
        Ok(Self {
            model: model.clone(),
            outputs,
            loss,
            shares: samples.iter().map(|&n| n as f64 / all as f64).collect(),
            space,
            members,
            step: STEP * if norm > 0.0 { norm } else { 1.0 },
        })
    }

    /// `L u` at the outputs, for batch `i`.
    fn curved(
        &mut self,
        outputs: &Tensor<D>,
        u: Tensor<D>,
        i: usize,
    ) -> Result<Tensor<D>, FlatnessError> {
        let norm = |x: &Tensor<D>| read(x.clone().powi_scalar(2).sum()).map(f64::sqrt);
        let (size, length) = (norm(outputs)?, norm(&u)?);
        if length == 0.0 {
            return Ok(u);
        }
        let step = STEP * if size > 0.0 { size } else { 1.0 } / length;
        let mut slope = |factor: f64| {
            let at = outputs.clone() + u.clone() * factor;
            let at = Tensor::from_inner(at).require_grad();
            let grads = (self.loss)(at.clone(), i).backward();
            at.grad(&grads).unwrap_or_else(|| outputs.zeros_like())
        };
        let (ahead, behind) = (slope(step), slope(-step));
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
        &self.space
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
        for i in 0..self.shares.len() {
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
            total = total.combine(1.0, &part, self.shares[i]);
        }
        if let Some(members) = &self.members {
            total.retain(|id| members.contains(&id));
        }
        if !total.norm()?.is_finite() {
            return Err(FlatnessError::ProductNotFinite);
        }
        Ok(total)
    }
}

fn read(tensor: Tensor<1>) -> Result<f64, FlatnessError> {
    let data = tensor.try_into_data();
    let data = data.map_err(|error| xsam::StepError::Device(error.to_string()))?;
    Ok(data.iter::<f64>().sum())
}

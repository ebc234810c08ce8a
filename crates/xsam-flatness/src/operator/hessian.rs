//! The Hessian of a loss, by differences of gradients.

use crate::check;
use burn::module::ParamGroup;
use xsam::method::ParamVector;

use super::SymmetricOperator;
use super::block::{Block, scale};
use crate::error::FlatnessError;
use crate::surface::Surface;

/// How far apart the two gradients of a product are taken.
///
/// The error of a product has two parts: rounding of the gradients, which weighs as much as they differ little, and
/// derivatives of higher order, in proportion to the square of the step. [`Hessian::discretization`] measures it.
///
/// Where a model has kinks that cannot be held, such as Burn's own rectifiers, they are crossed on the way, and what a
/// product is then off by hardly falls with the step until there is none on it: in double precision, at 1e-7.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum DifferenceStep {
    /// By the number format: a share of the norm of the weights, 2e-5 in single precision, 1e-7 in double.
    #[default]
    Auto,
    /// This share of the norm of the weights.
    Relative(f64),
}

/// The Hessian of the loss at the weights: `H v = (g(w + h v) - g(w - h v)) / 2h` for vectors of length 1.
///
/// A product costs two forward-backward passes over all batches, the first one a forward pass besides, and the memory
/// of three gradients and two copies of the weights.
pub struct Hessian<'a> {
    surface: &'a mut dyn Surface,
    block: Block,
    /// The length of the step to either side of the weights.
    pub step: f64,
    /// The loss at the weights.
    pub loss: f64,
    /// The norm of the gradient at the weights, in the parameters of the space.
    pub grad_norm: f64,
}

impl<'a> Hessian<'a> {
    /// The Hessian of `surface`, of the parameters in `group` alone if there is one: the block of the others is
    /// left out. Cost: a forward-backward pass.
    ///
    /// # Errors
    /// If the gradient at the weights cannot be taken, the group has no parameter that receives one, or the step is
    /// not a positive number.
    pub fn new(
        surface: &'a mut dyn Surface,
        group: Option<&ParamGroup>,
        step: DifferenceStep,
    ) -> Result<Self, FlatnessError> {
        surface.reset();
        let start = surface.evaluate()?;
        let members = group.map(|group| surface.members(group));
        let block = Block::new(start.gradient, members)?;
        let grad_norm = match group {
            None => start.norm.value()?,
            Some(_) => block.space.norm()?,
        };
        let share = match step {
            DifferenceStep::Auto if block.space.epsilon() > 1e-10 => 2e-5,
            DifferenceStep::Auto => 1e-7,
            DifferenceStep::Relative(share) => share,
        };
        check::positive("step", share)?;
        let scale = scale(&surface.weights(&block.space))?;
        Ok(Self {
            surface,
            block,
            step: share * scale,
            loss: start.loss.value()?,
            grad_norm,
        })
    }

    /// How far the product with `vector` depends on the step: the norm of the difference that a step twice as long
    /// makes, as a share of the product's norm. Cost: two products.
    ///
    /// # Errors
    /// As of a product.
    pub fn discretization(&mut self, vector: &ParamVector) -> Result<f64, FlatnessError> {
        let product = self.product(vector, self.step)?;
        let norm = product.norm()?;
        let coarse = self.product(vector, 2.0 * self.step)?;
        match coarse.combine(1.0, &product, -1.0).norm()? {
            0.0 => Ok(0.0),
            difference => Ok(difference / norm),
        }
    }

    fn product(&mut self, vector: &ParamVector, step: f64) -> Result<ParamVector, FlatnessError> {
        let norm = vector.norm()?;
        if norm == 0.0 {
            return Ok(vector.clone().scale(0.0));
        }
        let difference = self.surface.gradient_difference(vector, step / norm)?;
        Ok(self.block.restricted(difference.scale(norm / (2.0 * step))))
    }
}

impl SymmetricOperator for Hessian<'_> {
    fn space(&self) -> &ParamVector {
        &self.block.space
    }

    fn apply(&mut self, vector: &ParamVector) -> Result<ParamVector, FlatnessError> {
        self.product(vector, self.step)
    }
}

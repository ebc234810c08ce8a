//! A loss in two: what the model computes, and what is lost by it.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Tensor;

use crate::error::{PassPoint, StepError, StepFailure};
use crate::pass::{self, Gradient, LossOutput, Pass};
use crate::sharpness_aware::SharpnessAware;
use crate::step::Step;

impl SharpnessAware {
    /// As [`step_accumulated`](Self::step_accumulated), with the loss in two: `logits` is the forward pass, and `loss` gives the
    /// mean loss of a part from its logits. A batch that is not split is one part.
    ///
    /// Functional SAM ([`FunctionalSamConfig`](crate::FunctionalSamConfig)) has to tell the two apart; every other method makes of it
    /// what it makes of the loss as a whole. `loss` runs twice in a pass of Functional SAM's: it must not count.
    ///
    /// ```
    /// # use burn::nn::{Linear, LinearConfig};
    /// # use burn::nn::loss::CrossEntropyLossConfig;
    /// # use burn::optim::SgdConfig;
    /// # use burn::tensor::{Device, Distribution, Int, Tensor};
    /// use xsam::{FunctionalSamConfig, SharpnessAware};
    ///
    /// # let device = Device::flex().autodiff();
    /// # let model = LinearConfig::new(4, 3).init(&device);
    /// # let images = Tensor::<2>::random([8, 4], Distribution::Default, &device);
    /// # let classes = Tensor::<1, Int>::from_ints([0, 1, 2, 0, 1, 2, 0, 1], &device);
    /// # let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    /// let batch = (images, classes);
    /// let mut optim = SharpnessAware::new(SgdConfig::new().init(), FunctionalSamConfig::new())?;
    /// let step = optim.step_by_logits(
    ///     0.1,
    ///     model,
    ///     &[batch],
    ///     |m: &Linear, (images, _)| m.forward(images.clone()),
    ///     |logits, (_, classes)| cross_entropy.forward(logits, classes.clone()),
    /// )?;
    /// assert_eq!(step.report.passes.gradients, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`step`](Self::step); also if there is no part.
    pub fn step_by_logits<M, B, F, G, L, const D: usize>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        parts: &[B],
        logits: F,
        loss: G,
    ) -> Result<Step<M, Vec<L::Output>>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M, &B) -> Tensor<D>,
        G: FnMut(Tensor<D>, &B) -> L,
        L: LossOutput,
    {
        let mut pass = ByLogits {
            parts,
            logits,
            loss,
            at_weights: Vec::new(),
        };
        self.make(lr, model, |attempt, model| attempt.whole(model, &mut pass))
    }
}

/// A batch in parts whose losses are made of logits.
struct ByLogits<'a, B, F, G, const D: usize> {
    parts: &'a [B],
    logits: F,
    loss: G,
    at_weights: Vec<Tensor<D>>,
}

impl<M, B, F, G, L, const D: usize> Pass<M> for ByLogits<'_, B, F, G, D>
where
    M: Module,
    F: FnMut(&M, &B) -> Tensor<D>,
    G: FnMut(Tensor<D>, &B) -> L,
    L: LossOutput,
{
    type Output = Vec<L::Output>;

    fn gradient(
        &mut self,
        model: &M,
        scale: f64,
        point: PassPoint,
    ) -> Result<Gradient<Self::Output>, StepError> {
        let mut found = Vec::new();
        let mean = pass::mean_gradient(self.parts, |part| {
            let logits = (self.logits)(model, part);
            found.push(logits.clone().detach());
            let (loss, output) = (self.loss)(logits, part).split();
            Ok((pass::backward(model, loss, scale)?, output))
        })?;
        if point == PassPoint::Weights {
            self.at_weights = found;
        }
        Ok(mean)
    }

    fn of_function(
        &mut self,
        model: &M,
        scale: f64,
        _point: PassPoint,
    ) -> Result<Gradient<Self::Output>, StepError> {
        if self.at_weights.len() < self.parts.len() {
            return Err(StepError::NoLogits);
        }
        let parts = self.parts.iter().zip(&self.at_weights);
        pass::mean_gradient(parts, |(part, at_weights)| {
            let derivative = derivative(at_weights, |logits| (self.loss)(logits, part))?;
            let logits = (self.logits)(model, part);
            let (loss, output) = (self.loss)(logits.clone().detach(), part).split();
            let (_, vector) = pass::backward(model, (logits * derivative).sum(), scale)?;
            Ok(((pass::scalar(loss)?, vector), output))
        })
    }

    fn loss(&mut self, model: &M, _point: PassPoint) -> Result<Tensor<1>, StepError> {
        pass::mean_loss(self.parts, |part| {
            let logits = (self.logits)(model, part);
            pass::scalar((self.loss)(logits, part).split().0)
        })
    }
}

/// The derivative of a loss by the logits it is of.
fn derivative<L: LossOutput, const D: usize>(
    logits: &Tensor<D>,
    loss: impl FnOnce(Tensor<D>) -> L,
) -> Result<Tensor<D>, StepError> {
    let logits = logits.clone().require_grad();
    let (loss, _) = loss(logits.clone()).split();
    pass::tracked(&loss)?;
    let derivative = logits.grad(&loss.backward());
    derivative
        .map(Tensor::from_inner)
        .ok_or(StepError::LossNotTracked)
}

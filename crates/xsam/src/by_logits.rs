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
    /// Of each part, the logits at the weights, or the loss's derivative by them once it was asked for.
    at_weights: Vec<AtWeights<D>>,
}

enum AtWeights<const D: usize> {
    Logits(Tensor<D>),
    Derivative(Tensor<D>),
}

impl<B, F, G, L, const D: usize> ByLogits<'_, B, F, G, D>
where
    G: FnMut(Tensor<D>, &B) -> L,
    L: LossOutput,
{
    /// The derivative at the weights of a part's loss by its logits.
    fn derivative(&mut self, part: usize) -> Result<Tensor<D>, StepError> {
        let logits = match self.at_weights.get(part) {
            Some(AtWeights::Derivative(derivative)) => return Ok(derivative.clone()),
            Some(AtWeights::Logits(logits)) => logits.clone().require_grad(),
            None => return Err(StepError::NoLogits),
        };
        let (loss, _) = (self.loss)(logits.clone(), &self.parts[part]).split();
        pass::scalar(loss.clone())?;
        if !loss.is_tracked() {
            return Err(StepError::LossNotTracked);
        }
        let derivative = logits
            .grad(&loss.backward())
            .ok_or(StepError::LossNotTracked)?;
        let derivative = Tensor::from_inner(derivative);
        self.at_weights[part] = AtWeights::Derivative(derivative.clone());
        Ok(derivative)
    }
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
        let (mut outputs, mut found) = (Vec::new(), Vec::new());
        let gradient = |part| {
            let logits = (self.logits)(model, part);
            found.push(AtWeights::Logits(logits.clone().detach()));
            let (loss, output) = (self.loss)(logits, part).split();
            outputs.push(output);
            pass::backward(model, loss, scale)
        };
        let sum = pass::sum(self.parts, gradient, pass::plus)?;
        if point == PassPoint::Weights {
            self.at_weights = found;
        }
        Ok(pass::mean(sum, self.parts.len(), outputs))
    }

    fn of_function(
        &mut self,
        model: &M,
        scale: f64,
        _point: PassPoint,
    ) -> Result<Gradient<Self::Output>, StepError> {
        let mut outputs = Vec::new();
        let mut sum = None;
        for (i, part) in self.parts.iter().enumerate() {
            let derivative = self.derivative(i)?;
            let logits = (self.logits)(model, part);
            let (loss, output) = (self.loss)(logits.clone().detach(), part).split();
            outputs.push(output);
            let along = (logits * derivative).sum();
            let (_, vector) = pass::backward(model, along, scale)?;
            let found = (pass::scalar(loss)?, vector);
            sum = Some(match sum {
                None => found,
                Some(sum) => pass::plus(sum, found),
            });
        }
        let sum = sum.ok_or(StepError::NoMicroBatch)?;
        Ok(pass::mean(sum, self.parts.len(), outputs))
    }

    fn loss(&mut self, model: &M, _point: PassPoint) -> Result<Tensor<1>, StepError> {
        let loss = |part| {
            let logits = (self.logits)(model, part);
            pass::scalar((self.loss)(logits, part).split().0)
        };
        let sum = pass::sum(self.parts, loss, |sum, loss| sum + loss)?;
        Ok(sum.mul_scalar(1.0 / self.parts.len() as f64))
    }
}

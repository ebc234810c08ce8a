//! A loss by samples: a step that chooses among them.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Tensor;

use crate::error::{PassPoint, StepError, StepFailure};
use crate::pass::{self, Gradient, LossOutput, Pass};
use crate::read::read;
use crate::sharpness_aware::SharpnessAware;
use crate::step::Step;

impl SharpnessAware {
    /// As [`step_accumulated`](Self::step_accumulated), with the loss by samples: `losses` is the forward pass over a part,
    /// and gives the loss of each of its samples, `[n]`, whose mean is the loss of the part; or a pair of that and any
    /// output. `chosen` gives those samples of a part that have these numbers, in ascending order from 0. A batch that is not
    /// split is one part.
    ///
    /// ESAM ([`EsamConfig`](crate::EsamConfig)) has to tell the samples apart; every other method makes of it what it makes of
    /// the mean. `losses` runs over the chosen samples alone as well, and then its losses are of as many.
    ///
    /// ```
    /// # use burn::nn::{Linear, LinearConfig};
    /// # use burn::optim::SgdConfig;
    /// # use burn::tensor::{Device, Distribution, Int, Tensor};
    /// use xsam::{EsamConfig, SharpnessAware};
    ///
    /// # let device = Device::flex().autodiff();
    /// # let model = LinearConfig::new(4, 1).init(&device);
    /// # let inputs = Tensor::<2>::random([8, 4], Distribution::Default, &device);
    /// # let targets = Tensor::<2>::random([8, 1], Distribution::Default, &device);
    /// type Batch = (Tensor<2>, Tensor<2>);
    ///
    /// let batch = (inputs, targets);
    /// let mut optim = SharpnessAware::new(SgdConfig::new().init(), EsamConfig::new().with_beta(1.0))?;
    /// let step = optim.step_by_samples(
    ///     0.1,
    ///     model,
    ///     &[batch],
    ///     |m: &Linear, (inputs, targets): &Batch| {
    ///         let errors = m.forward(inputs.clone()) - targets.clone();
    ///         errors.square().squeeze_dim::<1>(1)
    ///     },
    ///     |(inputs, targets), samples| {
    ///         let numbers: Vec<i64> = samples.iter().map(|&number| number as i64).collect();
    ///         let numbers = Tensor::<1, Int>::from_ints(numbers.as_slice(), &inputs.device());
    ///         (inputs.clone().select(0, numbers.clone()), targets.clone().select(0, numbers))
    ///     },
    /// )?;
    /// // A pass over all eight samples and one over four, and a forward pass over all.
    /// assert_eq!(step.report.passes.gradient_passes(), 1.5);
    /// assert_eq!(step.report.passes.losses, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`step`](Self::step); also if there is no part, or a part has no sample.
    pub fn step_by_samples<M, B, F, L, C>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        parts: &[B],
        losses: F,
        chosen: C,
    ) -> Result<Step<M, Vec<L::Output>>, StepFailure<M>>
    where
        M: Module,
        F: FnMut(&M, &B) -> L,
        L: LossOutput,
        C: FnMut(&B, &[usize]) -> B,
    {
        let mut pass = BySamples {
            parts,
            losses,
            chosen,
            at_weights: Vec::new(),
            risen: Vec::new(),
            loss: None,
        };
        self.make(lr, model, |attempt, model| attempt.whole(model, &mut pass))
    }
}

/// A batch in parts whose losses are told by samples.
struct BySamples<'a, B, F, C> {
    parts: &'a [B],
    losses: F,
    chosen: C,
    /// The losses of the pass at the weights.
    at_weights: Vec<Tensor<1>>,
    /// The samples that were chosen last, of each part, and the mean loss of all where they were.
    risen: Vec<B>,
    loss: Option<Tensor<1>>,
}

impl<M, B, F, L, C> Pass<M> for BySamples<'_, B, F, C>
where
    M: Module,
    F: FnMut(&M, &B) -> L,
    L: LossOutput,
    C: FnMut(&B, &[usize]) -> B,
{
    type Output = Vec<L::Output>;

    fn gradient(
        &mut self,
        model: &M,
        scale: f64,
        point: PassPoint,
    ) -> Result<Gradient<Self::Output>, StepError> {
        let mut found = Vec::new();
        let means = pass::mean_gradient(self.parts, |part| {
            let (losses, output) = (self.losses)(model, part).split();
            let mean = mean(losses.clone())?;
            found.push(losses.inner());
            Ok((pass::backward(model, mean, scale)?, output))
        })?;
        if point == PassPoint::Weights {
            self.at_weights = found;
        }
        Ok(means)
    }

    fn choose(&mut self, model: &M, share: f64) -> Result<(), StepError> {
        let mut rises = Vec::new();
        let parts = self.parts.iter().zip(&self.at_weights);
        let loss = pass::mean_loss(parts, |(part, before)| {
            let losses = (self.losses)(model, part).split().0.inner();
            let (found, expected) = (losses.dims()[0], before.dims()[0]);
            if found != expected {
                return Err(StepError::OtherSamples { expected, found });
            }
            rises.push(losses.clone() - before.clone());
            Ok(losses.mean())
        })?;
        self.loss = Some(loss);
        let rises = read(rises)?;
        let risen = self.parts.iter().zip(rises).map(|(part, rises)| {
            let rises: Vec<f64> = rises.iter::<f64>().collect();
            (self.chosen)(part, &highest(&rises, share))
        });
        self.risen = risen.collect();
        Ok(())
    }

    fn of_chosen(
        &mut self,
        model: &M,
        scale: f64,
        _point: PassPoint,
    ) -> Result<Gradient<Self::Output>, StepError> {
        let found = pass::mean_gradient(&self.risen, |part| {
            let (losses, output) = (self.losses)(model, part).split();
            Ok((pass::backward(model, mean(losses)?, scale)?, output))
        })?;
        Ok(Gradient {
            loss: self.loss.clone().ok_or(StepError::NoSample)?,
            ..found
        })
    }

    fn loss(&mut self, model: &M, _point: PassPoint) -> Result<Tensor<1>, StepError> {
        pass::mean_loss(self.parts, |part| {
            pass::scalar(mean((self.losses)(model, part).split().0)?)
        })
    }
}

/// The mean of the losses of some samples.
fn mean(losses: Tensor<1>) -> Result<Tensor<1>, StepError> {
    match losses.dims()[0] {
        0 => Err(StepError::NoSample),
        _ => Ok(losses.mean()),
    }
}

/// The numbers of those that are a `share` of all, rounded up, and the highest, in ascending order. Of equal ones the first
/// are taken.
fn highest(values: &[f64], share: f64) -> Vec<usize> {
    // A product such as 0.7 x 10, which should be whole, may be a little above.
    let count = (share * values.len() as f64 - 1e-9).ceil() as usize;
    let mut numbers: Vec<usize> = (0..values.len()).collect();
    // A zero that is added makes of both zeros the same one.
    numbers.sort_by(|&a, &b| (values[b] + 0.0).total_cmp(&(values[a] + 0.0)));
    numbers.truncate(count.max(1));
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_are_a_share_rounded_up() {
        let values = [0.1, 0.4, -0.3, 0.4, 0.2];
        assert_eq!(highest(&values, 0.5), [1, 3, 4]);
        assert_eq!(highest(&values, 0.2), [1]);
        assert_eq!(highest(&values, 1e-3), [1]);
        assert_eq!(highest(&values, 1.0), [0, 1, 2, 3, 4]);
        assert_eq!(highest(&[0.0; 10], 0.7), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(highest(&[-0.0, 0.0], 0.5), [0]);
    }
}

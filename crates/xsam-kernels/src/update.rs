//! One step of SGD or Adam on one tensor of weights.
//!
//! The conventions are PyTorch's. No operation here carries a gradient. On the Flex back end and in
//! `f32` a step is one parallel pass over memory, in place where nothing else shares a buffer; elsewhere
//! it is composed of Burn's operations.

use burn::backend::Flex;
use burn::tensor::Tensor;

use crate::cpu::update;
use crate::flex::primitives_of;
use crate::profile::Timer;

/// Hyper-parameters of a step of SGD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// How much of the velocity is left after a step; without dampening.
    pub momentum: f64,
    /// How much of the weights is added to the gradient.
    pub weight_decay: f64,
    /// Whether to look ahead along the velocity (Nesterov).
    pub nesterov: bool,
}

/// One step of SGD: the new weights and the new velocity.
///
/// ```text
/// gradient = gradient + weight_decay * weight
/// velocity = momentum * velocity + gradient
/// weight = weight - learning_rate * velocity       (nesterov: gradient + momentum * velocity)
/// ```
///
/// Without a velocity it starts from zero; with a momentum of zero there is none. Memory traffic: 5
/// numbers for each weight, 3 without momentum.
///
/// # Panics
/// If the shapes differ.
pub fn sgd_update<const D: usize>(
    weight: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<D>>,
    step: &SgdStep,
) -> (Tensor<D>, Option<Tensor<D>>) {
    let _timer = Timer::start("base optimizer");
    let shape = weight.shape();
    assert_eq!(gradient.shape(), shape, "the gradient has another shape");
    if step.momentum == 0.0 {
        let weight = match primitives_of([weight, gradient]) {
            Ok([mut weight, gradient]) => {
                update::sgd(step.scalars(), weight.storage_mut(), gradient.storage());
                Tensor::from_primitive::<Flex>(weight)
            }
            Err([weight, gradient]) => {
                let gradient = decayed(&weight, gradient, step.weight_decay);
                weight.sub(gradient.mul_scalar(step.learning_rate))
            }
        };
        return (weight, None);
    }
    let velocity = velocity.unwrap_or_else(|| weight.zeros_like());
    assert_eq!(velocity.shape(), shape, "the velocity has another shape");
    let (weight, velocity) = match primitives_of([weight, gradient, velocity]) {
        Ok([mut weight, gradient, mut velocity]) => {
            let (w, v) = (weight.storage_mut(), velocity.storage_mut());
            update::sgd_momentum(step.scalars(), w, gradient.storage(), v);
            [weight, velocity]
                .map(Tensor::from_primitive::<Flex>)
                .into()
        }
        Err([weight, gradient, velocity]) => {
            let gradient = decayed(&weight, gradient, step.weight_decay);
            let velocity = velocity.mul_scalar(step.momentum).add(gradient.clone());
            let direction = match step.nesterov {
                true => gradient.add(velocity.clone().mul_scalar(step.momentum)),
                false => velocity.clone(),
            };
            let weight = weight.sub(direction.mul_scalar(step.learning_rate));
            (weight, velocity)
        }
    };
    (weight, Some(velocity))
}

impl SgdStep {
    fn scalars(&self) -> update::Sgd {
        update::Sgd {
            learning_rate: self.learning_rate as f32,
            momentum: self.momentum as f32,
            weight_decay: self.weight_decay as f32,
            nesterov: self.nesterov,
        }
    }
}

/// Hyper-parameters of a step of Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// How much of the first moment is left after a step.
    pub beta_1: f64,
    /// How much of the second moment is left after a step.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// How much of the weights is added to the gradient or, decoupled, taken away for each unit of the
    /// learning rate.
    pub weight_decay: f64,
    /// Whether the weights decay by themselves (AdamW) or through the gradient.
    pub decoupled: bool,
    /// Number of the step, from 1: corrects the bias of moments that started from zero.
    pub time: usize,
}

impl AdamStep {
    /// What the two moments lack: `1 - beta^time`.
    fn corrections(&self) -> [f64; 2] {
        let time = i32::try_from(self.time).unwrap_or(i32::MAX);
        [self.beta_1, self.beta_2].map(|beta| 1.0 - beta.powi(time))
    }

    /// The factor of the weights and what of them is added to the gradient.
    fn decay(&self) -> [f64; 2] {
        match self.decoupled {
            true => [1.0 - self.learning_rate * self.weight_decay, 0.0],
            false => [1.0, self.weight_decay],
        }
    }
}

/// One step of Adam: the new weights and the new moments.
///
/// ```text
/// gradient = gradient + weight_decay * weight                    (not if decoupled)
/// first = beta_1 * first + (1 - beta_1) * gradient
/// second = beta_2 * second + (1 - beta_2) * gradient^2
/// weight = (1 - learning_rate * weight_decay) * weight           (only if decoupled)
/// weight = weight - learning_rate * first / (1 - beta_1^time)
///                   / (sqrt(second / (1 - beta_2^time)) + epsilon)
/// ```
///
/// Without moments it starts from zero. Memory traffic: 7 numbers for each weight.
///
/// # Panics
/// If the shapes differ.
pub fn adam_update<const D: usize>(
    weight: Tensor<D>,
    gradient: Tensor<D>,
    moments: Option<[Tensor<D>; 2]>,
    step: &AdamStep,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let _timer = Timer::start("base optimizer");
    let shape = weight.shape();
    assert_eq!(gradient.shape(), shape, "the gradient has another shape");
    let zero = || weight.zeros_like();
    let [first, second] = moments.unwrap_or_else(|| [zero(), zero()]);
    for moment in [&first, &second] {
        assert_eq!(moment.shape(), shape, "a moment has another shape");
    }
    let ([correction_1, correction_2], [keep, weight_decay]) = (step.corrections(), step.decay());
    let rate = step.learning_rate / correction_1;
    match primitives_of([weight, gradient, first, second]) {
        Ok([mut weight, gradient, mut first, mut second]) => {
            let scalars = update::Adam {
                keep: keep as f32,
                weight_decay: weight_decay as f32,
                share_1: (1.0 - step.beta_1) as f32,
                beta_2: step.beta_2 as f32,
                share_2: (1.0 - step.beta_2) as f32,
                epsilon: step.epsilon as f32,
                rate: rate as f32,
                root_scale: correction_2.sqrt().recip() as f32,
            };
            let (m, v) = (first.storage_mut(), second.storage_mut());
            update::adam(scalars, weight.storage_mut(), gradient.storage(), m, v);
            let [weight, first, second] =
                [weight, first, second].map(Tensor::from_primitive::<Flex>);
            (weight, [first, second])
        }
        Err([weight, gradient, first, second]) => {
            let gradient = decayed(&weight, gradient, weight_decay);
            let first = first.mul_scalar(step.beta_1);
            let first = first.add(gradient.clone().mul_scalar(1.0 - step.beta_1));
            let second = second.mul_scalar(step.beta_2);
            let second = second.add(gradient.square().mul_scalar(1.0 - step.beta_2));
            let root = second.clone().div_scalar(correction_2).sqrt();
            let change = first.clone().mul_scalar(rate);
            let change = change.div(root.add_scalar(step.epsilon));
            (weight.mul_scalar(keep).sub(change), [first, second])
        }
    }
}

/// The gradient with so much of the weights added.
fn decayed<const D: usize>(weight: &Tensor<D>, gradient: Tensor<D>, decay: f64) -> Tensor<D> {
    match decay {
        0.0 => gradient,
        decay => gradient.add(weight.clone().mul_scalar(decay)),
    }
}

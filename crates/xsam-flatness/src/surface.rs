//! The loss around the weights of a model, as a mean over batches.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use burn::module::{Flag, Module, ModuleMapper, Param, ParamGroup, ParamId};
use burn::tensor::{Device, GradientCheckpointingStrategy, Tensor};
use xsam::method::{Evaluation, Number, Objective, ParamVector, parameters};
use xsam::{PassPoint, StepError};
use xsam_kernels::kinks::{self, Kinks};

use crate::error::FlatnessError;
use crate::shares::Shares;

/// Bytes that the noted kinks of batches may take, so that they need not be noted anew for each difference.
const KINKS: usize = 512 << 20;

/// How the model computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As it is used: running statistics, no dropout.
    #[default]
    Evaluation,
    /// As it is trained: statistics of the batch, dropout. Every pass over a batch drops the same.
    Training,
}

/// An objective whose gradients can be told apart over a short way, for second derivatives.
pub trait Surface: Objective {
    /// `g(w + length * direction) - g(w - length * direction)`, on the smooth piece of the loss that the weights are on
    /// ([`xsam_kernels::kinks`]).
    ///
    /// # Errors
    /// If loss or gradient are not finite, or cannot be taken.
    fn gradient_difference(
        &mut self,
        direction: &ParamVector,
        length: f64,
    ) -> Result<ParamVector, FlatnessError>;
}

/// The loss of a model as a function of its weights: a mean over batches, which are asked for by their number.
///
/// The model is left as it is found, running statistics included: what is moved are copies.
///
/// Memory: a copy of the weights for the point that was last moved to, a gradient, and what a pass needs.
pub struct LossSurface<M, F> {
    model: M,
    loss: F,
    shares: Shares,
    /// The batches that the loss is a mean over.
    active: Range<usize>,
    mode: Mode,
    strategy: GradientCheckpointingStrategy,
    device: Option<Device>,
    seed: u64,
    point: Option<M>,
    ascents: usize,
    /// The sides of kinks at the weights, of as many batches as there is room for.
    kinks: HashMap<usize, Kinks>,
}

impl<M: Module, F: FnMut(&M, usize) -> Tensor<1>> LossSurface<M, F> {
    /// The surface around `model` of the mean of `loss` over batches, of which number `i` has
    /// `samples[i]` samples: `loss(model, i)` is the mean loss of that batch.
    ///
    /// The closure is called with copies of `model` and must compute from them. It may read a batch anew each
    /// time: none is kept here.
    ///
    /// # Errors
    /// If there is no batch, one is empty, or the model is not on an autodiff device.
    pub fn new(model: &M, mode: Mode, samples: &[usize], loss: F) -> Result<Self, FlatnessError> {
        let shares = Shares::new(samples)?;
        let strategy = parameters::checkpointing(model).ok_or(StepError::NotAutodiff)?;
        let copy = parameters::independent(model, strategy);
        let model = match mode {
            Mode::Training => copy,
            Mode::Evaluation => evaluating(copy),
        };
        Ok(Self {
            device: model.devices().into_iter().next(),
            model,
            loss,
            active: 0..shares.len(),
            shares,
            mode,
            strategy,
            seed: 0,
            point: None,
            ascents: 0,
            kinks: HashMap::new(),
        })
    }

    /// The same with another seed for what is dropped in training mode.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.kinks.clear();
        self
    }

    /// Makes the loss that of batch `i` alone, or with `None` again the mean over all.
    ///
    /// # Panics
    /// If there is no such batch.
    pub fn select(&mut self, batch: Option<usize>) {
        let all = self.shares.len();
        self.active = match batch {
            None => 0..all,
            Some(i) => {
                assert!(i < all, "there is no batch {i}: there are {all}");
                i..i + 1
            }
        };
    }

    /// Number of batches the loss is a mean over.
    pub fn batches(&self) -> usize {
        self.shares.len()
    }

    /// The share of batch `i` in the mean.
    fn share(&self, i: usize) -> f64 {
        self.shares.share(i, self.active.clone())
    }

    /// The model in its mode, at the weights.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The loss of batch `i`, with the random numbers that are its own.
    fn batch(&mut self, model: &M, i: usize) -> Tensor<1> {
        if let (Mode::Training, Some(device)) = (self.mode, &self.device) {
            // Any odd multiplier spreads neighbouring batches over all seeds.
            device.seed(self.seed ^ (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        }
        (self.loss)(model, i)
    }

    /// A copy whose running statistics are its own: no pass and no move of another one can reach them.
    fn copy(&self, model: &M) -> M {
        parameters::independent(model, self.strategy)
    }

    /// On which side of its kinks batch `i` is at the weights. Takes a forward pass if that is not known yet.
    fn kinks(&mut self, i: usize) -> Kinks {
        if let Some(known) = self.kinks.get(&i) {
            return known.clone();
        }
        let here = self.copy(&self.model).no_grad();
        let (_, kinks) = kinks::record(|| self.batch(&here, i));
        let noted: usize = self.kinks.values().map(Kinks::bytes).sum();
        if noted + kinks.bytes() <= KINKS {
            self.kinks.insert(i, kinks.clone());
        }
        kinks
    }

    fn at(&self) -> PassPoint {
        match self.ascents {
            0 => PassPoint::Weights,
            n => PassPoint::Ascent(n),
        }
    }
}

impl<M: Module, F: FnMut(&M, usize) -> Tensor<1>> Objective for LossSurface<M, F> {
    fn advance(&mut self, length: Number, direction: &ParamVector) {
        let start = self.point.take();
        let start = self.copy(start.as_ref().unwrap_or(&self.model));
        self.point = Some(parameters::displaced(start, &[(length, direction)]));
        self.ascents += 1;
    }

    fn evaluate(&mut self) -> Result<Evaluation, StepError> {
        let model = self.copy(self.point.as_ref().unwrap_or(&self.model));
        let (mut mean, mut gradient) = (0.0, ParamVector::default());
        for i in self.active.clone() {
            let share = self.share(i);
            let loss = self.batch(&model, i);
            let part = Evaluation::of(&model, loss, self.at())?;
            mean += share * part.loss.value()?;
            gradient = gradient.combine(1.0, &part.gradient, share);
        }
        let norm = gradient.norm()?;
        Ok(Evaluation {
            loss: mean.into(),
            gradient,
            norm: norm.into(),
        })
    }

    fn reset(&mut self) {
        self.point = None;
        self.ascents = 0;
    }

    fn losses(&mut self, offsets: &[Vec<(Number, &ParamVector)>]) -> Result<Vec<f64>, StepError> {
        let mut losses = Vec::with_capacity(offsets.len());
        for offset in offsets {
            let candidate = parameters::displaced(self.copy(&self.model).no_grad(), offset);
            let mut mean = 0.0;
            for i in self.active.clone() {
                mean += self.share(i) * scalar(self.batch(&candidate, i))?;
            }
            losses.push(mean);
        }
        Ok(losses)
    }

    fn weights(&self, like: &ParamVector) -> ParamVector {
        parameters::weight_vector(self.point.as_ref().unwrap_or(&self.model), like)
    }

    fn biases(&self) -> HashSet<ParamId> {
        parameters::biases(&self.model)
    }

    fn members(&self, group: &ParamGroup) -> HashSet<ParamId> {
        parameters::members(&self.model, group)
    }
}

impl<M: Module, F: FnMut(&M, usize) -> Tensor<1>> Surface for LossSurface<M, F> {
    /// Cost: two forward-backward passes, and two copies of the weights. In the first difference also a forward pass,
    /// and a byte for each element of the output of a rectifier, up to 512 MB; of batches for which that is not
    /// enough the forward pass is made for every difference.
    fn gradient_difference(
        &mut self,
        direction: &ParamVector,
        length: f64,
    ) -> Result<ParamVector, FlatnessError> {
        let at = |length| parameters::displaced(self.copy(&self.model), &[(length, direction)]);
        let (ahead, behind) = (at(length), at(-length));
        let mut total = ParamVector::default();
        for i in self.active.clone() {
            let kinks = self.kinks(i);
            let ahead = self.gradient_on(&kinks, &ahead, i)?;
            let behind = self.gradient_on(&kinks, &behind, i)?;
            let share = self.share(i);
            total = total.combine(1.0, &ahead.combine(1.0, &behind, -1.0), share);
        }
        Ok(total)
    }
}

impl<M: Module, F: FnMut(&M, usize) -> Tensor<1>> LossSurface<M, F> {
    /// The gradient of batch `i` on these sides of its kinks.
    fn gradient_on(
        &mut self,
        kinks: &Kinks,
        model: &M,
        i: usize,
    ) -> Result<ParamVector, FlatnessError> {
        let loss = kinks.hold(|| self.batch(model, i));
        let loss = loss.ok_or(FlatnessError::PassesDiffer { batch: i })?;
        Ok(Evaluation::of(model, loss, PassPoint::Ascent(1))?.gradient)
    }
}

/// The model on its autodiff device, but with every layer as in evaluation.
fn evaluating<M: Module>(model: M) -> M {
    struct Off;
    impl ModuleMapper for Off {
        fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
            flag.with_value(false)
        }
    }
    model.map(&mut Off)
}

/// Reads the only element of a tensor with a graph or without.
pub(crate) fn scalar(loss: Tensor<1>) -> Result<f64, StepError> {
    let elements = loss.shape().num_elements();
    if elements != 1 {
        return Err(StepError::LossNotScalar { elements });
    }
    let data = if loss.is_autodiff() {
        loss.inner()
    } else {
        loss
    };
    let data = data.try_into_data();
    let data = data.map_err(|error| StepError::Device(error.to_string()))?;
    Ok(data.iter::<f64>().sum())
}

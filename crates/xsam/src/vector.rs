//! Vectors in parameter space and their arithmetic.
//!
//! Every formula of this family of optimizers (norms, displacements, points on an arc) is about one
//! long vector, the concatenation of all parameters. [`ParamVector`] is that vector, kept as one
//! flat tensor a parameter, so that its arithmetic needs neither the module nor its ranks.

use std::collections::{HashMap, HashSet};

use burn::module::ParamId;
use burn::tensor::{DType, FloatDType, Tensor, Transaction};

use crate::error::StepError;

/// Longest stretch of a tensor that is summed in one go, in elements.
///
/// Back ends may sum longer tensors in parallel and in an order that depends on the schedule.
/// Shorter stretches, added up in f64 on the host, give the same bits every time and lose less.
const SUM_STRETCH: usize = 1 << 20;

/// A vector over parameters: a gradient, a displacement or a direction.
///
/// Only parameters that have an entry take part; to every operation a missing entry is zero.
/// Cloning shares the tensors and copies nothing.
#[derive(Clone, Debug, Default)]
pub struct ParamVector {
    entries: Vec<(ParamId, Tensor<1>)>,
}

impl ParamVector {
    /// The vector with the given entries, each a parameter's flattened tensor.
    ///
    /// Where an id occurs twice the first one counts: parameters that are shared between modules
    /// have one gradient.
    pub fn new(entries: Vec<(ParamId, Tensor<1>)>) -> Self {
        let mut seen = HashSet::with_capacity(entries.len());
        let entries = entries
            .into_iter()
            .filter(|(id, _)| seen.insert(*id))
            .collect();
        Self { entries }
    }

    /// The entries, in the order in which the module was walked.
    pub fn entries(&self) -> &[(ParamId, Tensor<1>)] {
        &self.entries
    }

    /// Number of parameters that have an entry.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no parameter has an entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries by parameter.
    pub(crate) fn by_id(&self) -> HashMap<ParamId, &Tensor<1>> {
        self.entries.iter().map(|(id, t)| (*id, t)).collect()
    }

    /// Keeps only the parameters for which `keep` holds.
    pub(crate) fn retain(&mut self, keep: impl Fn(ParamId) -> bool) {
        self.entries.retain(|(id, _)| keep(*id));
    }

    /// `factor * self`. In place where the tensors are not shared.
    #[must_use]
    pub fn scale(self, factor: f64) -> Self {
        if factor == 1.0 {
            return self;
        }
        self.map(|tensor| tensor.mul_scalar(factor))
    }

    /// `a * self + b * other`. In place where the tensors of `self` are not shared.
    #[must_use]
    pub fn combine(self, a: f64, other: &Self, b: f64) -> Self {
        let mut theirs = other.by_id();
        let mut sum: Vec<_> = self
            .scale(a)
            .entries
            .into_iter()
            .map(|(id, mine)| match theirs.remove(&id) {
                Some(their) => (id, mine.add(their.clone().mul_scalar(b))),
                None => (id, mine),
            })
            .collect();
        // What only `other` has, in its own order: a hash map's would differ from run to run.
        sum.extend(
            other
                .entries
                .iter()
                .filter(|(id, _)| theirs.contains_key(id))
                .map(|(id, their)| (*id, their.clone().mul_scalar(b))),
        );
        Self { entries: sum }
    }

    /// The element-wise product of `self` and `f(other)`, over the parameters of `self` that
    /// `other` has too.
    #[must_use]
    pub fn multiply(self, other: &Self, f: impl Fn(ParamId, Tensor<1>) -> Tensor<1>) -> Self {
        let theirs = other.by_id();
        let entries = self
            .entries
            .into_iter()
            .filter_map(|(id, mine)| {
                let their = theirs.get(&id)?;
                Some((id, mine.mul(f(id, (*their).clone()))))
            })
            .collect();
        Self { entries }
    }

    /// The dot product with `other`. One read-back.
    ///
    /// # Errors
    /// [`StepError::Device`] if the device fails.
    pub fn dot(&self, other: &Self) -> Result<f64, StepError> {
        let [dot] = Reductions::default().dot(self, other).read()?;
        Ok(dot)
    }

    /// The Euclidean norm over all parameters together. One read-back.
    ///
    /// # Errors
    /// [`StepError::Device`] if the device fails.
    pub fn norm(&self) -> Result<f64, StepError> {
        Ok(self.dot(self)?.max(0.0).sqrt())
    }

    /// Distance between 1 and the next number in the coarsest of the tensors' types.
    pub(crate) fn epsilon(&self) -> f64 {
        self.entries
            .iter()
            .map(|(_, tensor)| match tensor.dtype() {
                DType::F64 => f64::EPSILON,
                DType::F16 => 2f64.powi(-10),
                DType::BF16 => 2f64.powi(-7),
                _ => f64::from(f32::EPSILON),
            })
            .fold(f64::EPSILON, f64::max)
    }

    fn map(self, f: impl Fn(Tensor<1>) -> Tensor<1>) -> Self {
        let entries = self.entries.into_iter().map(|(id, t)| (id, f(t))).collect();
        Self { entries }
    }
}

/// Scalars to be computed on the device and read back together: one synchronisation for all.
#[derive(Default)]
pub(crate) struct Reductions {
    /// For each scalar asked for, how many of the `parts` add up to it.
    groups: Vec<usize>,
    parts: Vec<Tensor<1>>,
}

impl Reductions {
    /// Asks for a tensor of one element as it is.
    pub(crate) fn scalar(mut self, tensor: Tensor<1>) -> Self {
        self.parts.push(tensor);
        self.groups.push(1);
        self
    }

    /// Asks for the dot product of `x` and `y`.
    pub(crate) fn dot(mut self, x: &ParamVector, y: &ParamVector) -> Self {
        let before = self.parts.len();
        let theirs = y.by_id();
        for (id, mine) in &x.entries {
            if let Some(their) = theirs.get(id) {
                push_dot(&mut self.parts, mine, their);
            }
        }
        self.groups.push(self.parts.len() - before);
        self
    }

    /// Asks for the squared norm of `a * x + b * y`, which is never formed as a whole.
    pub(crate) fn squared_norm(
        mut self,
        (a, x): (f64, &ParamVector),
        (b, y): (f64, &ParamVector),
    ) -> Self {
        let before = self.parts.len();
        let mut theirs = y.by_id();
        for (id, mine) in &x.entries {
            let mut sum = widen(mine.clone()).mul_scalar(a);
            if let Some(their) = theirs.remove(id) {
                sum = sum.add(widen(their.clone()).mul_scalar(b));
            }
            push_dot(&mut self.parts, &sum, &sum);
        }
        for (_, their) in y.entries.iter().filter(|(id, _)| theirs.contains_key(id)) {
            let sum = widen(their.clone()).mul_scalar(b);
            push_dot(&mut self.parts, &sum, &sum);
        }
        self.groups.push(self.parts.len() - before);
        self
    }

    /// Reads the scalars, in the order in which they were asked for.
    pub(crate) fn read<const N: usize>(self) -> Result<[f64; N], StepError> {
        let values = self.read_all()?;
        let found = values.len();
        <[f64; N]>::try_from(values).map_err(|_| {
            StepError::Device(format!("expected {N} scalars from the device, got {found}"))
        })
    }

    /// [`read`](Self::read) for a number of scalars that is not known beforehand.
    pub(crate) fn read_all(self) -> Result<Vec<f64>, StepError> {
        let data = self
            .parts
            .into_iter()
            .fold(Transaction::default(), Transaction::register)
            .try_execute()
            .map_err(|error| StepError::Device(error.to_string()))?;
        let mut parts = data.iter().map(|d| d.iter::<f64>().sum::<f64>());
        Ok(self
            .groups
            .iter()
            .map(|&n| parts.by_ref().take(n).sum())
            .collect())
    }
}

fn push_dot(parts: &mut Vec<Tensor<1>>, x: &Tensor<1>, y: &Tensor<1>) {
    let length = x.dims()[0];
    for start in (0..length).step_by(SUM_STRETCH) {
        let stretch = |t: &Tensor<1>| {
            if length <= SUM_STRETCH {
                widen(t.clone())
            } else {
                widen(t.clone().narrow(0, start, SUM_STRETCH.min(length - start)))
            }
        };
        parts.push(stretch(x).mul(stretch(y)).sum());
    }
}

/// Half precision overflows when it is squared, so it is widened first.
fn widen(tensor: Tensor<1>) -> Tensor<1> {
    match tensor.dtype() {
        DType::F32 | DType::F64 => tensor,
        _ => tensor.cast(FloatDType::F32),
    }
}

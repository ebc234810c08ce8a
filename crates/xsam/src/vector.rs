//! Vectors in parameter space and their arithmetic.
//!
//! Every formula of this family of optimizers (norms, displacements, points on an arc) is about one
//! long vector, the concatenation of all parameters. [`ParamVector`] is that vector, kept as one
//! flat tensor a parameter, so that its arithmetic needs neither the module nor its ranks.

use std::collections::{HashMap, HashSet};

use burn::module::ParamId;
use burn::tensor::{DType, FloatDType, Tensor};
use xsam_kernels::{combine, dot, scaled_ascent};

use crate::combination::{chords, combination};
use crate::error::StepError;
use crate::joined::joined;
use crate::number::{Number, wide};
use crate::read::read;

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

    pub(crate) fn into_entries(self) -> Vec<(ParamId, Tensor<1>)> {
        self.entries
    }

    /// Number of elements, over all parameters.
    pub fn elements(&self) -> usize {
        let elements = |(_, tensor): &(_, Tensor<1>)| tensor.shape().num_elements();
        self.entries.iter().map(elements).sum()
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
    pub fn retain(&mut self, keep: impl Fn(ParamId) -> bool) {
        self.entries.retain(|(id, _)| keep(*id));
    }

    /// The vector on the device and in the precision of `like`: one from a record is on the default device, and the
    /// weights may have been cast since it was saved.
    ///
    /// Copies nothing where it is so already. Parameters that `like` does not have stay as they are.
    #[must_use]
    pub fn beside(self, like: &Self) -> Self {
        let theirs = like.by_id();
        let place = |(id, mine): (ParamId, Tensor<1>)| {
            let Some(their) = theirs.get(&id) else {
                return (id, mine);
            };
            let mine = match mine.device() == their.device() {
                true => mine,
                false => mine.to_device(&their.device()),
            };
            match mine.dtype() == their.dtype() {
                true => (id, mine),
                false => (id, mine.cast(FloatDType::from(their.dtype()))),
            }
        };
        let entries = self.entries.into_iter().map(place).collect();
        Self { entries }
    }

    /// `factor * self`. In place where the tensors are not shared.
    #[must_use]
    pub fn scale(self, factor: impl Into<Number>) -> Self {
        let factor = factor.into();
        if factor.known() == Some(1.0) {
            return self;
        }
        let scale = |(id, tensor)| (id, combination((&factor, tensor), &[]));
        let entries = self.entries.into_iter().map(scale).collect();
        Self { entries }
    }

    /// `self` with each parameter's entry times its own factor. In place where the tensors are not shared.
    #[must_use]
    pub fn scale_each(self, factor: impl Fn(ParamId) -> f64) -> Self {
        let scale = |(id, tensor)| (id, combine((factor(id), tensor), &[]));
        let entries = self.entries.into_iter().map(scale).collect();
        Self { entries }
    }

    /// `a * self + b * other`. In place where the tensors of `self` are not shared.
    #[must_use]
    pub fn combine(self, a: impl Into<Number>, other: &Self, b: impl Into<Number>) -> Self {
        let (a, b) = (a.into(), b.into());
        let mut theirs = other.by_id();
        let mut sum: Vec<_> = self
            .entries
            .into_iter()
            .map(|(id, mine)| {
                let their = theirs.remove(&id).map(|their| (b.clone(), their.clone()));
                (id, combination((&a, mine), their.as_slice()))
            })
            .collect();
        // What only `other` has, in its own order: a hash map's would differ from run to run.
        sum.extend(
            other
                .entries
                .iter()
                .filter(|(id, _)| theirs.contains_key(id))
                .map(|(id, their)| (*id, combination((&b, their.clone()), &[]))),
        );
        Self { entries: sum }
    }

    /// What `make` makes of each entry and that of `other`, which has the same parameters, element by element. Parameters that
    /// `other` does not have stay as they are.
    pub(crate) fn zip(
        self,
        other: &Self,
        make: impl Fn(Tensor<1>, Tensor<1>) -> Tensor<1>,
    ) -> Self {
        let theirs = other.by_id();
        let entry = |(id, mine)| match theirs.get(&id) {
            Some(their) => (id, make(mine, (*their).clone())),
            None => (id, mine),
        };
        let entries = self.entries.into_iter().map(entry).collect();
        Self { entries }
    }

    /// The entries of `self`, and those of `other` that it does not have.
    pub(crate) fn over(self, other: Self) -> Self {
        let entries = self.entries.into_iter().chain(other.entries);
        Self::new(entries.collect())
    }

    /// `self + factor * other`, where nothing is to be added to: `other` is scaled in its place then.
    pub(crate) fn plus(self, other: Self, factor: impl Into<Number>) -> Self {
        match self.is_empty() {
            true => other.scale(factor),
            false => self.combine(1.0, &other, factor),
        }
    }

    /// `T^2 self` and the squared norm of `T self`, with the element-wise scales `T = |weights| + offset`, or
    /// `T = 1` where `offset` is `None`.
    pub(crate) fn scaled_ascent(
        self,
        weights: &Self,
        offset: impl Fn(ParamId) -> Option<f64>,
    ) -> (Self, Reductions) {
        let weights = weights.by_id();
        let mut squares = Vec::new();
        let scaled = self.entries.into_iter().map(|(id, mine)| {
            let (direction, square) = match (weights.get(&id), offset(id)) {
                (Some(weight), Some(offset)) => scaled_ascent(mine, (*weight).clone(), offset),
                _ => (mine.clone(), dot(mine.clone(), mine)),
            };
            squares.push(square);
            (id, direction)
        });
        let entries = scaled.collect();
        (Self { entries }, Reductions::default().sum(squares))
    }

    /// Its elements whose standard scores are high, and zeros in place of the others: the sizes of `(g - mean) / (deviation +
    /// 1e-8)`, with mean and deviation over each parameter, that are at or above this percentile (0 to 1) of those of all
    /// parameters together. One read-back, of the whole vector.
    pub(crate) fn significant(&self, percentile: f64) -> Result<Self, StepError> {
        let score = |(_, tensor): &(ParamId, Tensor<1>)| {
            // Of half precision the epsilon would be nothing.
            let tensor = wide(tensor.clone());
            let centred = tensor.clone() - tensor.mean();
            let deviation = (centred.clone() * centred.clone()).mean().sqrt();
            centred.abs() / (deviation + SCORE_EPSILON)
        };
        let scores: Vec<_> = self.entries.iter().map(score).collect();
        let mut sizes: Vec<f64> = Vec::with_capacity(self.elements());
        for data in read(scores.clone())? {
            sizes.extend(data.iter::<f64>());
        }
        let Some(last) = sizes.len().checked_sub(1) else {
            return Ok(Self::default());
        };
        let rank = ((percentile * last as f64).ceil() as usize).min(last);
        let (_, threshold, _) = sizes.select_nth_unstable_by(rank, f64::total_cmp);
        let kept = self.entries.iter().zip(scores);
        let entries = kept.map(|((id, tensor), score)| {
            let low = score.lower_elem(*threshold);
            (*id, tensor.clone().mask_fill(low, 0.0))
        });
        Ok(Self {
            entries: entries.collect(),
        })
    }

    /// The dot product with `other`. One read-back.
    ///
    /// # Errors
    /// [`StepError::Device`] if the device fails.
    pub fn dot(&self, other: &Self) -> Result<f64, StepError> {
        let [dot] = Reductions::default().dot(self, other).read()?;
        Ok(dot)
    }

    /// The dot products with each of `others`. One read-back for all.
    ///
    /// # Errors
    /// [`StepError::Device`] if the device fails.
    pub fn dots<'a>(
        &self,
        others: impl IntoIterator<Item = &'a Self>,
    ) -> Result<Vec<f64>, StepError> {
        let ask = |asked: Reductions, other| asked.dot(self, other);
        let asked = others.into_iter().fold(Reductions::default(), ask);
        asked.read_all()
    }

    /// The Euclidean norm over all parameters together. One read-back.
    ///
    /// # Errors
    /// [`StepError::Device`] if the device fails.
    pub fn norm(&self) -> Result<f64, StepError> {
        Ok(self.dot(self)?.sqrt())
    }

    /// Below this, relative to two vectors of which one is taken out of the other, what is left is rounding.
    pub(crate) fn rounding(&self) -> f64 {
        10.0 * self.epsilon()
    }

    /// Distance between 1 and the next number in the coarsest of the tensors' types.
    pub fn epsilon(&self) -> f64 {
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
}

/// Added to a deviation before it divides, as in ZSharp's paper.
const SCORE_EPSILON: f64 = 1e-8;

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

    /// Asks for the sum of all elements of these tensors.
    fn sum(mut self, tensors: Vec<Tensor<1>>) -> Self {
        self.groups.push(tensors.len());
        self.parts.extend(tensors);
        self
    }

    /// Asks for the dot product of `x` and `y`.
    pub(crate) fn dot(self, x: &ParamVector, y: &ParamVector) -> Self {
        if std::ptr::eq(x, y) {
            let all = x.entries.iter().map(|(_, tensor)| [tensor.clone()]);
            let squares = joined(all.collect()).into_iter();
            return self.sum(
                squares
                    .map(|[tensor]| dot(tensor.clone(), tensor))
                    .collect(),
            );
        }
        let theirs = y.by_id();
        let common = x.entries.iter().filter_map(|(id, mine)| {
            let their = *theirs.get(id)?;
            Some([mine.clone(), their.clone()])
        });
        let products = joined(common.collect()).into_iter();
        self.sum(products.map(|[mine, their]| dot(mine, their)).collect())
    }

    /// Asks for the squared norms of `a * x - b * y` and of `a * x + b * y`, which are never formed
    /// as a whole: one pass over `x` and `y`.
    pub(crate) fn squared_chords(
        self,
        (a, x): (&Number, &ParamVector),
        (b, y): (&Number, &ParamVector),
    ) -> Self {
        let (mut theirs, nothing) = (y.by_id(), Number::default());
        // Where one of them has no entry both chords have the other's length.
        let alone =
            |factor: &Number, tensor: &Tensor<1>| chords((factor, tensor), (&nothing, tensor));
        let (mut common, mut chords_of) = (Vec::new(), Vec::new());
        for (id, mine) in &x.entries {
            match theirs.remove(id) {
                Some(their) => common.push([mine.clone(), their.clone()]),
                None => chords_of.push(alone(a, mine)),
            }
        }
        let both = joined(common).into_iter();
        chords_of.extend(both.map(|[mine, their]| chords((a, &mine), (b, &their))));
        let only_y = y.entries.iter().filter(|(id, _)| theirs.contains_key(id));
        chords_of.extend(only_y.map(|(_, their)| alone(b, their)));
        let (differences, sums) = chords_of.into_iter().map(|[d, s]| (d, s)).unzip();
        self.sum(differences).sum(sums)
    }

    /// The scalars on their device, `[1]` each, in the order in which they were asked for; `None` for a sum of nothing.
    pub(crate) fn sums(self) -> Vec<Option<Tensor<1>>> {
        let mut parts = self.parts.into_iter();
        let sum = |&count: &usize| {
            let parts: Vec<_> = parts.by_ref().take(count).collect();
            let device = parts.first()?.device();
            let parts = parts.into_iter().map(|part| {
                let part = wide(part).to_device(&device);
                match part.shape().num_elements() {
                    1 => part,
                    _ => part.sum(),
                }
            });
            parts.reduce(Tensor::add)
        };
        self.groups.iter().map(sum).collect()
    }

    /// Reads the scalars, in the order in which they were asked for.
    pub(crate) fn read<const N: usize>(self) -> Result<[f64; N], StepError> {
        let values = self.read_all()?;
        let found = values.len();
        <[f64; N]>::try_from(values).map_err(|_| StepError::unexpected(N, found))
    }

    /// [`read`](Self::read) for a number of scalars that is not known beforehand.
    pub(crate) fn read_all(self) -> Result<Vec<f64>, StepError> {
        let data = read(self.parts)?;
        let mut parts = data.iter().map(|d| d.iter::<f64>().sum::<f64>());
        Ok(self
            .groups
            .iter()
            .map(|&n| parts.by_ref().take(n).sum())
            .collect())
    }
}

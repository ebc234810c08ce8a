//! What can go wrong, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// A hyper-parameter outside its range, found when the optimizer is built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field} = {value}: must be {range}")]
#[non_exhaustive]
pub struct ConfigError {
    /// Name of the hyper-parameter.
    pub field: &'static str,
    /// The value that was given.
    pub value: String,
    /// The values that are allowed, in words.
    pub range: &'static str,
}

impl ConfigError {
    /// The error for a hyper-parameter `field` whose `value` is not what `range` says.
    pub fn new(field: &'static str, value: impl fmt::Display, range: &'static str) -> Self {
        Self {
            field,
            value: value.to_string(),
            range,
        }
    }

    /// Refuses the `value` of a hyper-parameter unless it is `ok`; its range in words.
    ///
    /// # Errors
    /// If it is not.
    pub fn unless(
        ok: bool,
        field: &'static str,
        value: impl fmt::Display,
        range: &'static str,
    ) -> Result<(), Self> {
        match ok {
            true => Ok(()),
            false => Err(Self::new(field, value, range)),
        }
    }
}

/// A point at which the model is run in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PassPoint {
    /// The weights as they were handed in.
    Weights,
    /// The ascent point after so many ascent steps.
    Ascent(usize),
    /// A candidate of the search for alpha, by its position in [`SearchReport::alphas`](crate::SearchReport::alphas).
    Candidate(usize),
}

impl fmt::Display for PassPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights => write!(f, "at the weights"),
            Self::Ascent(i) => write!(f, "at ascent point {i}"),
            Self::Candidate(i) => write!(f, "at candidate {i} of the search"),
        }
    }
}

/// Why a step failed. The model, the optimizer and all its state are as they were before it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum StepError {
    /// The loss is not finite.
    #[error(
        "the loss {point} is {value}: lower the learning rate or rho, clip the gradient, or check \
         the batch"
    )]
    NonFiniteLoss {
        /// Where it was taken.
        point: PassPoint,
        value: f64,
    },
    /// The gradient has an element that is not finite, or its norm overflows.
    #[error(
        "the gradient {point} is not finite (loss {loss}): lower the learning rate or rho, clip \
         the gradient, or check the batch"
    )]
    NonFiniteGradient {
        /// Where it was taken.
        point: PassPoint,
        loss: f64,
    },
    /// A hyper-parameter is a share of the training, and the training's length is not known.
    #[error(
        "`{field}` depends on how many steps the whole training has, which nobody has said: \
         `SharpnessAware::with_length(steps)` does"
    )]
    NoLength {
        /// Name of the hyper-parameter.
        field: &'static str,
    },
    /// The method tells the model's function from its loss, and was given both in one.
    #[error(
        "functional-sam tells what the model computes from what is lost by it: make its steps with \
         `SharpnessAware::step_by_logits`, whose loss is in two"
    )]
    NoLogits,
    /// The method chooses among the samples of a batch, and was given the loss of all of them.
    #[error(
        "esam chooses among the samples of a batch: make its steps with `SharpnessAware::step_by_samples`, which is told the \
         loss of each"
    )]
    NoSamples,
    /// A batch, or a part of one, has no samples.
    #[error(
        "there are no losses of samples: a batch, or a part of one, must have one sample at least"
    )]
    NoSample,
    /// The closure's losses at the ascent point are not as many as those at the weights.
    #[error(
        "the closure returned {found} losses of samples at the ascent point and {expected} at the weights: it must return \
         one for each sample of the batch, in their order"
    )]
    OtherSamples { expected: usize, found: usize },
    /// The closure returned a loss with more than one element.
    #[error("the loss has {elements} elements, it must have one: take its mean or sum")]
    LossNotScalar { elements: usize },
    /// The closure returned a loss that no gradient can be taken of.
    #[error(
        "the loss does not depend on any parameter that requires a gradient. Either every parameter of \
         the model is frozen: unfreeze some. Or the loss is not computed from the model that the closure \
         receives, or is detached or taken off the autodiff device on the way"
    )]
    LossNotTracked,
    /// The model's parameters are on a device without autodiff.
    #[error(
        "the model is not on an autodiff device: create it on `device.autodiff()`, or call \
         `train()` on it"
    )]
    NotAutodiff,
    /// No parameter received a gradient.
    #[error(
        "no parameter of the model received a gradient. Either the loss is not computed from the model that \
         the closure receives but from another module, as a clone of it that was captured. Or every parameter \
         that the loss depends on is frozen"
    )]
    NoGradient,
    /// The mask of an ascent matches no parameter that is trained, so there would be no ascent.
    #[error(
        "the mask of the ascent matches no parameter that requires a gradient: it matches by the names of \
         fields on the way to a parameter, as in `encoder.norm.gamma`, or by id, and frozen parameters do not count"
    )]
    EmptyMask,
    /// The record that was loaded has state of parameters that the model does not have.
    #[error(
        "of the {recorded} parameters that the optimizer's record has state of the model does not have \
         {unknown}, and that state would never be used. Parameters are known by their ids: load the model \
         from the Burn record that was saved with the optimizer, or take `SharpnessAwareRecord::of_model` \
         to go on without it"
    )]
    OtherParameters {
        /// How many parameters the model does not have.
        unknown: usize,
        /// Of how many parameters the record has state.
        recorded: usize,
    },
    /// A batch in parts had none.
    #[error("the batch has no parts: hand over one micro-batch at least")]
    NoMicroBatch,
    /// The learning rate is negative or not finite.
    #[error("the learning rate is {0}: must be finite and at least 0")]
    LearningRate(f64),
    /// The device could not compute or hand over a value.
    #[error("the device failed: {0}")]
    Device(String),
    /// Another rank could not make the step, so this one has not either.
    #[error("rank {rank} could not make the step; its own message says why")]
    OtherRank { rank: usize },
    /// The ranks cannot go on together.
    #[error("the ranks cannot go on together: {0}")]
    Ranks(#[from] CollectiveError),
}

impl StepError {
    /// The device gave another number of scalars than were asked for.
    pub(crate) fn unexpected(asked: usize, found: usize) -> Self {
        Self::Device(format!(
            "expected {asked} scalars from the device, got {found}"
        ))
    }
}

/// The ranks cannot go on together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CollectiveError(pub String);

/// A failed step: the error, and the model as it was handed in.
///
/// Converts into [`StepError`] with `?` where the model is not wanted back.
pub struct StepFailure<M> {
    inner: Box<(M, StepError)>,
}

impl<M> StepFailure<M> {
    pub(crate) fn new(model: M, error: StepError) -> Self {
        Self {
            inner: Box::new((model, error)),
        }
    }

    /// Why the step failed.
    pub fn error(&self) -> &StepError {
        &self.inner.1
    }

    /// The model as it was before the step, and what went wrong.
    pub fn into_parts(self) -> (M, StepError) {
        *self.inner
    }
}

impl<M> fmt::Debug for StepFailure<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StepFailure").field(self.error()).finish()
    }
}

impl<M> fmt::Display for StepFailure<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl<M> std::error::Error for StepFailure<M> {}

impl<M> From<StepFailure<M>> for StepError {
    fn from(failure: StepFailure<M>) -> Self {
        failure.inner.1
    }
}

/// Why an optimizer's state could not be saved or loaded. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum RecordError {
    /// The record was written by another method.
    #[error("the record is of method `{found}`, this optimizer runs `{expected}`")]
    OtherMethod {
        /// The method of the optimizer.
        expected: String,
        /// The method of the record.
        found: String,
    },
    /// The record has a format that this version does not read.
    #[error("the record has format version {found}, this version of xsam reads {expected}")]
    Version {
        /// The version that can be read.
        expected: u64,
        /// The version of the record.
        found: u64,
    },
    /// Something is missing from the record or has the wrong type.
    #[error("the record has no valid `{0}`: it is damaged, or not an xsam optimizer record")]
    Missing(String),
    /// The record says something that cannot be.
    #[error("the record is damaged, or not an xsam optimizer record: {0}")]
    Damaged(String),
    /// The record is of a model that has other parameters, or whose parameters have other sizes.
    #[error("the record is of another model: {0}")]
    OtherModel(String),
    /// The base optimizer does not accept its part of the record.
    #[error(
        "the base optimizer took {taken} of the record's {recorded} tensors: the record is of \
         another optimizer, or of other parameter groups"
    )]
    OtherBase {
        /// Tensors in the record.
        recorded: usize,
        /// Tensors that the base optimizer recognised.
        taken: usize,
    },
    /// The file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        path: PathBuf,
        /// What the file system or the format said.
        source: burn_pack::Error,
    },
    /// The bytes are not a record.
    #[error("not an optimizer record: {0}")]
    Format(#[from] burn_pack::Error),
    /// The base optimizer's part could not be read or written.
    #[error("the base optimizer's state: {0}")]
    Base(#[from] burn::store::RecordError),
}

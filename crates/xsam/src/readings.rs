//! When a step reads its numbers.

use std::fmt;
use std::sync::Arc;

use crate::error::StepError;
use crate::number::{Ledger, Number};
use crate::vector::{ParamVector, Reductions};

/// When the numbers of a step are read from its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadBacks {
    /// Each when it is computed. On a processor, where nothing waits, this is so unless it is chosen otherwise.
    AtOnce,
    /// All together at the end of the step, so that the device need not wait for the program. On any other device this is so unless
    /// it is chosen otherwise. Several ranks always read at once.
    AtTheEnd,
}

/// How a step reads its numbers: each at once, or all together at the end.
#[derive(Clone, Default)]
pub struct Readings(Option<Arc<Ledger>>);

impl Readings {
    /// All at the end.
    pub(crate) fn at_the_end() -> Self {
        Self(Some(Arc::default()))
    }

    /// The dot product of two vectors. One read-back, if numbers are read at once.
    ///
    /// # Errors
    /// If the device fails.
    pub fn dot(&self, x: &ParamVector, y: &ParamVector) -> Result<Number, StepError> {
        let [dot] = self.take(Reductions::default().dot(x, y))?;
        Ok(dot)
    }

    /// The Euclidean norm over all parameters together. One read-back, if numbers are read at once.
    ///
    /// # Errors
    /// If the device fails.
    pub fn norm(&self, vector: &ParamVector) -> Result<Number, StepError> {
        Ok(self.dot(vector, vector)?.sqrt())
    }

    /// What was asked for.
    pub(crate) fn take<const N: usize>(&self, asked: Reductions) -> Result<[Number; N], StepError> {
        let Some(ledger) = &self.0 else {
            return Ok(asked.read::<N>()?.map(Number::from));
        };
        let taken = asked
            .sums()
            .into_iter()
            .map(|sum| ledger.wait_for(sum, true));
        let taken: Vec<Number> = taken.collect();
        let found = taken.len();
        <[Number; N]>::try_from(taken).map_err(|_| StepError::unexpected(N, found))
    }

    /// The values, which need not be finite, with all that waits: one read-back.
    pub(crate) fn read(&self, asked: Reductions) -> Result<Vec<f64>, StepError> {
        let Some(ledger) = &self.0 else {
            return asked.read_all();
        };
        let sums = asked.sums().into_iter();
        let waiting: Vec<Number> = sums.map(|sum| ledger.wait_for(sum, false)).collect();
        waiting.iter().map(Number::value).collect()
    }

    /// Reads all that waits, and tells whether the step stands.
    pub(crate) fn hold(&self) -> Result<bool, StepError> {
        self.0.as_ref().map_or(Ok(true), |ledger| ledger.holds())
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_none() {
            "at once"
        } else {
            "at the end"
        })
    }
}

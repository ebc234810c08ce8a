//! The numbers of a step: known, or still on the device.
//!
//! A norm, a dot product or a loss is computed on the device. To read it there the program has to wait until the device has
//! done all that it was given; meanwhile nothing new is given to it. A step on a graphics card therefore goes on with numbers
//! that it has not read: what is made of them is made on the device too, and all of them are read together at its end.
//!
//! What depends on a number that is not known, whether a gradient is zero say, is decided as it nearly always turns out, and
//! checked at the end. A step that turns out otherwise is made again, with every number read at once.

use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use burn::tensor::{DType, FloatDType, Tensor};

use crate::error::StepError;
use crate::read::read;

/// A real number that a step computes with.
///
/// It is known, as all are on a processor; or it waits on the device until the step's numbers are read. Arithmetic is the same
/// for both. [`value`](Self::value) reads it at once.
#[derive(Clone)]
pub struct Number(Value);

#[derive(Clone)]
enum Value {
    Known(f64),
    Waiting(Arc<Waiting>),
}

/// A number on the device.
struct Waiting {
    source: Source,
    ledger: Weak<Ledger>,
    value: OnceLock<f64>,
    /// `[1]`, without autodiff.
    tensor: OnceLock<Tensor<1>>,
}

enum Source {
    /// The device: it is read. Whether it has to be finite.
    Device { finite: bool },
    /// Others.
    Numbers(Vec<Number>, Operation),
}

/// What is made of several numbers, here and on the device.
#[derive(Clone, Copy)]
struct Operation {
    here: fn(&[f64]) -> f64,
    there: fn(&[Tensor<1>]) -> Tensor<1>,
}

/// Functions of one number that are called the same here and there.
macro_rules! functions {
    ($($(#[$meta:meta])* $name:ident)*) => {$(
        $(#[$meta])*
        #[must_use]
        pub fn $name(&self) -> Self {
            let operation = Operation {
                here: |x| x[0].$name(),
                there: |x| x[0].clone().$name(),
            };
            Self::of(&[self], operation)
        }
    )*};
}

impl Number {
    /// Its value. On a device one read-back, of all the numbers that wait, unless it is known.
    ///
    /// # Errors
    /// If the device fails.
    pub fn value(&self) -> Result<f64, StepError> {
        if let Some(value) = self.known() {
            return Ok(value);
        }
        if let Value::Waiting(waiting) = &self.0
            && let Some(ledger) = waiting.ledger.upgrade()
        {
            ledger.read()?;
        }
        let lost =
            || StepError::Device("a number of a step that has ended was not read".to_owned());
        self.known().ok_or_else(lost)
    }

    /// Its value, if it has been read.
    pub(crate) fn known(&self) -> Option<f64> {
        let waiting = match &self.0 {
            Value::Known(value) => return Some(*value),
            Value::Waiting(waiting) => waiting,
        };
        if let (None, Source::Numbers(numbers, operation)) = (waiting.value.get(), &waiting.source)
        {
            let known: Option<Vec<f64>> = numbers.iter().map(Self::known).collect();
            let value = (operation.here)(&known?);
            return Some(*waiting.value.get_or_init(|| value));
        }
        waiting.value.get().copied()
    }

    /// On the device of one that waits, `[1]`; `None` if it is known.
    pub(crate) fn tensor(&self) -> Option<Tensor<1>> {
        let Value::Waiting(waiting) = &self.0 else {
            return None;
        };
        if self.known().is_some() {
            return None;
        }
        let made = || match &waiting.source {
            Source::Device { .. } => None,
            Source::Numbers(numbers, operation) => {
                let tensors: Vec<_> = numbers.iter().map(Self::tensor).collect();
                let like = tensors.iter().flatten().next()?.clone();
                let there = numbers.iter().zip(tensors).map(|(number, tensor)| {
                    let known = || like.full_like(number.known().unwrap_or(f64::NAN));
                    tensor.unwrap_or_else(known)
                });
                Some((operation.there)(&there.collect::<Vec<_>>()))
            }
        };
        if waiting.tensor.get().is_none()
            && let Some(tensor) = made()
        {
            return Some(waiting.tensor.get_or_init(|| tensor).clone());
        }
        waiting.tensor.get().cloned()
    }

    /// Whether it is above `other`. Of numbers that wait it is taken for granted, and the step is made again if it is not so:
    /// ask for what nearly always holds.
    pub fn exceeds(&self, other: impl Into<Self>) -> bool {
        let other = other.into();
        if let (Some(this), Some(other)) = (self.known(), other.known()) {
            return this > other;
        }
        let waiting = [self, &other]
            .into_iter()
            .find_map(|number| match &number.0 {
                Value::Waiting(waiting) => waiting.ledger.upgrade(),
                Value::Known(_) => None,
            });
        if let Some(ledger) = waiting {
            lock(&ledger.granted).push((self.clone(), other));
        }
        true
    }

    functions! {
        /// Its square root.
        sqrt
        /// Its sine.
        sin
        /// Its cosine.
        cos
    }

    /// The angle of the point with this ordinate and that abscissa, from 0 to pi for an ordinate that is not negative.
    #[must_use]
    pub fn atan2(&self, abscissa: &Self) -> Self {
        Self::of(
            &[self, abscissa],
            Operation {
                here: |x| f64::atan2(x[0], x[1]),
                there: |x| x[0].clone().atan2(x[1].clone()),
            },
        )
    }

    /// The lesser of two.
    #[must_use]
    pub fn min(&self, other: impl Into<Self>) -> Self {
        Self::of(
            &[self, &other.into()],
            Operation {
                here: |x| x[0].min(x[1]),
                there: |x| x[0].clone().min_pair(x[1].clone()),
            },
        )
    }

    /// The greater of two.
    #[must_use]
    pub fn max(&self, other: impl Into<Self>) -> Self {
        Self::of(
            &[self, &other.into()],
            Operation {
                here: |x| x[0].max(x[1]),
                there: |x| x[0].clone().max_pair(x[1].clone()),
            },
        )
    }

    fn of(numbers: &[&Self], operation: Operation) -> Self {
        let known: Option<Vec<f64>> = numbers.iter().map(|number| number.known()).collect();
        if let Some(known) = known {
            return (operation.here)(&known).into();
        }
        let ledger = numbers.iter().find_map(|number| match &number.0 {
            Value::Waiting(waiting) if number.known().is_none() => Some(waiting.ledger.clone()),
            _ => None,
        });
        Self(Value::Waiting(Arc::new(Waiting {
            source: Source::Numbers(
                numbers.iter().map(|&number| number.clone()).collect(),
                operation,
            ),
            ledger: ledger.unwrap_or_default(),
            value: OnceLock::new(),
            tensor: OnceLock::new(),
        })))
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self(Value::Known(value))
    }
}

impl From<&Number> for Number {
    fn from(number: &Number) -> Self {
        number.clone()
    }
}

impl Default for Number {
    fn default() -> Self {
        0.0.into()
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(value) => value.fmt(f),
            None => f.write_str("not read"),
        }
    }
}

macro_rules! arithmetic {
    ($($trait:ident $name:ident $operator:tt)*) => {$(
        impl<N: Into<Number>> $trait<N> for Number {
            type Output = Self;

            fn $name(self, other: N) -> Self {
                &self $operator other
            }
        }

        impl<N: Into<Number>> $trait<N> for &Number {
            type Output = Number;

            fn $name(self, other: N) -> Number {
                Number::of(&[self, &other.into()], Operation {
                    here: |x| x[0] $operator x[1],
                    there: |x| x[0].clone() $operator x[1].clone(),
                })
            }
        }

        impl $trait<&Number> for f64 {
            type Output = Number;

            fn $name(self, other: &Number) -> Number {
                Number::from(self) $operator other
            }
        }

        impl $trait<Number> for f64 {
            type Output = Number;

            fn $name(self, other: Number) -> Number {
                Number::from(self) $operator other
            }
        }
    )*};
}

arithmetic! { Add add + Sub sub - Mul mul * Div div / }

impl Neg for Number {
    type Output = Self;

    fn neg(self) -> Self {
        -1.0 * self
    }
}

impl Neg for &Number {
    type Output = Number;

    fn neg(self) -> Number {
        -1.0 * self
    }
}

/// What waits on the device in a step, and what was taken for granted of it.
#[derive(Default)]
pub(crate) struct Ledger {
    waiting: Mutex<Vec<Arc<Waiting>>>,
    /// Of each the first is to be above the second.
    granted: Mutex<Vec<(Number, Number)>>,
    broken: OnceLock<()>,
}

impl Ledger {
    /// A number on the device; of nothing it is 0.
    pub(crate) fn wait_for(self: &Arc<Self>, sum: Option<Tensor<1>>, finite: bool) -> Number {
        let Some(sum) = sum else {
            return Number::default();
        };
        let waiting = Arc::new(Waiting {
            source: Source::Device { finite },
            ledger: Arc::downgrade(self),
            value: OnceLock::new(),
            tensor: OnceLock::from(wide(sum)),
        });
        lock(&self.waiting).push(waiting.clone());
        Number(Value::Waiting(waiting))
    }

    /// Reads all that waits, at once.
    fn read(&self) -> Result<(), StepError> {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        if waiting.is_empty() {
            return Ok(());
        }
        let tensors = waiting
            .iter()
            .filter_map(|waiting| waiting.tensor.get().cloned());
        let values = read(tensors.collect())?;
        for (waiting, data) in waiting.iter().zip(values) {
            let value = data.iter::<f64>().next().unwrap_or(f64::NAN);
            let _ = waiting.value.set(value);
            if matches!(waiting.source, Source::Device { finite: true }) && !value.is_finite() {
                let _ = self.broken.set(());
            }
        }
        Ok(())
    }

    /// Reads all that waits, and tells whether all that was taken for granted is so.
    pub(crate) fn holds(&self) -> Result<bool, StepError> {
        self.read()?;
        let granted = std::mem::take(&mut *lock(&self.granted));
        let is_so = |(this, other): &(Number, Number)| this.known() > other.known();
        Ok(self.broken.get().is_none() && granted.iter().all(is_so))
    }
}

/// What a panic left is of a step that is not made.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In single precision at least.
pub(crate) fn wide<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    match tensor.dtype() {
        DType::F64 | DType::F32 => tensor,
        _ => tensor.cast(FloatDType::F32),
    }
}

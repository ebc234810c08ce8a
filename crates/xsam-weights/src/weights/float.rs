//! Values as a file has them.

use half::{bf16, f16};

/// The values of a tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// In single precision; half precisions become it without loss.
    F32(Vec<f32>),
    /// In double precision.
    F64(Vec<f64>),
    /// Not of floating-point numbers, but of this element type; they are not kept.
    Other(String),
}

impl Values {
    /// The values in double precision; none if they are no floating-point numbers.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().copied().map(f64::from).collect(),
            Self::F64(values) => values.clone(),
            Self::Other(_) => Vec::new(),
        }
    }

    /// The values of which `is_odd` holds, if it holds of any.
    pub(super) fn odd(&self, is_odd: impl Fn(f64) -> bool) -> Option<Odd> {
        match self {
            Self::F32(values) => odd(values.iter().copied().map(f64::from), is_odd),
            Self::F64(values) => odd(values.iter().copied(), is_odd),
            Self::Other(_) => None,
        }
    }
}

/// Values of a tensor that must not be.
pub(super) struct Odd {
    /// How many there are.
    pub(super) count: usize,
    /// Where the first of them is.
    pub(super) index: usize,
    /// The first of them.
    pub(super) value: f64,
}

/// The values of which `is_odd` holds, if it holds of any.
pub(super) fn odd(values: impl Iterator<Item = f64>, is_odd: impl Fn(f64) -> bool) -> Option<Odd> {
    let mut odd = values.enumerate().filter(|&(_, value)| is_odd(value));
    let (index, value) = odd.next()?;
    Some(Odd {
        count: 1 + odd.count(),
        index,
        value,
    })
}

/// Whether a value is infinite, NaN or greater in magnitude than `most`.
pub(super) fn is_beyond(most: f64) -> impl Fn(f64) -> bool {
    // Not true of NaN.
    let fits = move |value: f64| value.is_finite() && value.abs() <= most;
    move |value| !fits(value)
}

/// A floating-point type of a file.
#[derive(Clone, Copy)]
pub(super) enum Float {
    F64,
    F32,
    F16,
    Bf16,
}

/// The order of the bytes of a number.
#[derive(Clone, Copy)]
pub(super) enum Order {
    Little,
    Native,
}

impl Float {
    /// The bytes that a value takes in [`Values`].
    pub(super) fn size_read(self) -> u64 {
        match self {
            Self::F64 => 8,
            Self::F32 | Self::F16 | Self::Bf16 => 4,
        }
    }

    pub(super) fn values(self, bytes: &[u8], order: Order) -> Values {
        use Order::{Little, Native};
        match (self, order) {
            (Self::F64, Little) => Values::F64(each(bytes, f64::from_le_bytes)),
            (Self::F64, Native) => Values::F64(each(bytes, f64::from_ne_bytes)),
            (Self::F32, Little) => Values::F32(each(bytes, f32::from_le_bytes)),
            (Self::F32, Native) => Values::F32(each(bytes, f32::from_ne_bytes)),
            (Self::F16, Little) => Values::F32(each(bytes, |b| f16::from_le_bytes(b).to_f32())),
            (Self::F16, Native) => Values::F32(each(bytes, |b| f16::from_ne_bytes(b).to_f32())),
            (Self::Bf16, Little) => Values::F32(each(bytes, |b| bf16::from_le_bytes(b).to_f32())),
            (Self::Bf16, Native) => Values::F32(each(bytes, |b| bf16::from_ne_bytes(b).to_f32())),
        }
    }
}

fn each<T, const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().copied().map(value).collect()
}

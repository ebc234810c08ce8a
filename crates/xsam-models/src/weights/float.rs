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

    /// The first value that is NaN or greater in magnitude than `most`, and where it is.
    pub(super) fn first_not_within(&self, most: f64) -> Option<(usize, f64)> {
        match self {
            Self::F32(values) => first_not_within(values.iter().copied().map(f64::from), most),
            Self::F64(values) => first_not_within(values.iter().copied(), most),
            Self::Other(_) => None,
        }
    }
}

/// The first value that is infinite, NaN or greater in magnitude than `most`, and where it is.
pub(super) fn first_not_within(
    values: impl Iterator<Item = f64>,
    most: f64,
) -> Option<(usize, f64)> {
    // False for NaN as well.
    let fits = |value: f64| value.is_finite() && value.abs() <= most;
    values.enumerate().find(|&(_, value)| !fits(value))
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

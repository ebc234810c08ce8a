//! Counts that are in their range, or an error that names the field.

use std::ops::RangeInclusive;

/// A field that counts something is outside its range. The errors of this crate have a case for it.
pub(crate) struct OutOfRange {
    pub(crate) field: &'static str,
    pub(crate) value: usize,
    pub(crate) min: usize,
    pub(crate) max: usize,
}

/// Checks a field that counts something.
pub(crate) fn within(
    field: &'static str,
    value: usize,
    range: RangeInclusive<usize>,
) -> Result<(), OutOfRange> {
    let (min, max) = range.into_inner();
    match (min..=max).contains(&value) {
        true => Ok(()),
        false => Err(OutOfRange {
            field,
            value,
            min,
            max,
        }),
    }
}

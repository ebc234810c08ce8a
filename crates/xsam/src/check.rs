//! Ranges of hyper-parameters: each function gives its error the name of the field.

use crate::error::ConfigError;

pub(crate) fn non_negative(field: &'static str, value: f64) -> Result<(), ConfigError> {
    let ok = value.is_finite() && value >= 0.0;
    ConfigError::unless(ok, field, value, "finite and at least 0")
}

pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), ConfigError> {
    let ok = value.is_finite() && value > 0.0;
    ConfigError::unless(ok, field, value, "finite and above 0")
}

pub(crate) fn finite(field: &'static str, value: f64) -> Result<(), ConfigError> {
    ConfigError::unless(value.is_finite(), field, value, "finite")
}

pub(crate) fn below_one(field: &'static str, value: f64) -> Result<(), ConfigError> {
    let ok = (0.0..1.0).contains(&value);
    ConfigError::unless(ok, field, value, "at least 0 and below 1")
}

pub(crate) fn at_least_one(field: &'static str, value: usize) -> Result<(), ConfigError> {
    ConfigError::unless(value > 0, field, value, "at least 1")
}

/// A share of something that is not nothing.
pub(crate) fn share(field: &'static str, value: f64) -> Result<(), ConfigError> {
    let ok = value > 0.0 && value <= 1.0;
    ConfigError::unless(ok, field, value, "above 0 and at most 1")
}

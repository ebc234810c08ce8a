//! Ranges of what is asked for: each function gives its error the name of the field.

use xsam::ConfigError;

/// Finite and above 0.
pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), ConfigError> {
    let ok = value.is_finite() && value > 0.0;
    ConfigError::unless(ok, field, value, "finite and above 0")
}

pub(crate) fn at_least_one(field: &'static str, value: usize) -> Result<(), ConfigError> {
    ConfigError::unless(value > 0, field, value, "at least 1")
}

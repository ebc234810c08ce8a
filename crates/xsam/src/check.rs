//! Ranges of hyper-parameters: each function gives its error the name of the field.

use crate::error::ConfigError;

/// Finite and at least 0.
///
/// # Errors
/// If it is not.
pub fn non_negative(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "finite and at least 0"))
}

/// Finite and above 0.
///
/// # Errors
/// If it is not.
pub fn positive(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "finite and above 0"))
}

/// Finite.
///
/// # Errors
/// If it is not.
pub fn finite(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "finite"))
}

/// At least 0 and below 1.
///
/// # Errors
/// If it is not.
pub fn below_one(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "at least 0 and below 1"))
}

/// At least 1.
///
/// # Errors
/// If it is not.
pub fn at_least_one(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if value > 0 {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "at least 1"))
}

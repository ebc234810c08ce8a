//! Ranges of hyper-parameters.

use crate::error::ConfigError;

pub(crate) fn non_negative(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "finite and at least 0"))
}

pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "finite and above 0"))
}

pub(crate) fn finite(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "finite"))
}

pub(crate) fn below_one(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "at least 0 and below 1"))
}

pub(crate) fn at_least_one(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if value > 0 {
        return Ok(());
    }
    Err(ConfigError::new(field, value, "at least 1"))
}

//! Numbers as text.

/// A number with so many significant digits, in powers of ten where it is very small or very large.
pub fn significant(value: f64, digits: usize) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = digits.max(1);
    if (1e-3..1e5).contains(&magnitude) {
        let after_point = digits as i32 - 1 - magnitude.log10().floor() as i32;
        format!("{value:.*}", after_point.max(0) as usize)
    } else {
        format!("{value:.*e}", digits - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_count() {
        for (value, digits, text) in [
            (0.0, 3, "0"),
            (19.612, 3, "19.6"),
            (-0.068_11, 2, "-0.068"),
            (12_345.6, 3, "12346"),
            (1.23e-6, 2, "1.2e-6"),
            (2.5e7, 1, "2e7"),
            (7.0, 0, "7"),
        ] {
            assert_eq!(significant(value, digits), text);
        }
    }
}

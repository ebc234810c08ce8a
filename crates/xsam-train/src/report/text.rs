//! Values as text. What is missing, or not finite, is an en dash.

use crate::numbers;
use crate::statistics::Spread;

/// In place of a value that is missing.
pub(super) const MISSING: &str = "–";

/// So many digits after the point.
pub(super) fn fixed(value: impl Into<Option<f64>>, digits: usize) -> String {
    finite(value, |value| {
        let text = format!("{value:.digits$}");
        // What is rounded to zero has no sign.
        let zero = text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
        match text.strip_prefix('-') {
            Some(unsigned) if zero => unsigned.to_owned(),
            Some(unsigned) => format!("−{unsigned}"),
            None => text,
        }
    })
}

/// The same with a sign in any case.
pub(super) fn signed(value: impl Into<Option<f64>>, digits: usize) -> String {
    finite(value, |value| {
        let text = fixed(value, digits);
        match value > 0.0 {
            true => format!("+{text}"),
            false => text,
        }
    })
}

/// So many significant digits.
pub(super) fn significant(value: impl Into<Option<f64>>, digits: usize) -> String {
    finite(value, |value| {
        numbers::significant(value, digits).replace('-', "−")
    })
}

/// A mean, and the deviation where it is of several runs.
pub(super) fn spread(spread: Option<Spread>, runs: usize, factor: f64, digits: usize) -> String {
    match spread {
        None => MISSING.to_owned(),
        Some(Spread { mean, .. }) if runs < 2 => fixed(factor * mean, digits),
        Some(Spread { mean, deviation }) => {
            let (mean, deviation) = (factor * mean, factor * deviation);
            format!("{} ± {}", fixed(mean, digits), fixed(deviation, digits))
        }
    }
}

/// A p value, with its name.
pub(super) fn p_value(p: f64) -> String {
    match p {
        p if p < 0.001 => "p < 0.001".to_owned(),
        p if p < 0.1 => format!("p = {}", significant(p, 2)),
        p => format!("p = {}", fixed(p, 2)),
    }
}

/// A number of things.
pub(super) fn count(n: usize, one: &str, several: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {several}"),
    }
}

/// A time in the unit that suits it.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{} s", significant(s, 2)),
        s if s < 120.0 => format!("{} s", significant(s, 3)),
        s if s < 7200.0 => format!("{} min", fixed(s / 60.0, 1)),
        s => format!("{} h", fixed(s / 3600.0, 1)),
    }
}

/// The text with a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// What follows a name to say in what unit it is; nothing if there is none.
pub(super) fn in_unit(unit: &str) -> String {
    match unit.trim() {
        "" => String::new(),
        unit => format!(" in {unit}"),
    }
}

fn finite(value: impl Into<Option<f64>>, text: impl FnOnce(f64) -> String) -> String {
    let value: Option<f64> = value.into();
    let value = value.filter(|value| value.is_finite());
    value.map_or_else(|| MISSING.to_owned(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_a_dash() {
        for missing in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(fixed(missing, 1), MISSING);
            assert_eq!(signed(missing, 1), MISSING);
            assert_eq!(significant(missing, 3), MISSING);
        }
        assert_eq!(spread(None, 3, 100.0, 1), MISSING);
    }

    #[test]
    fn values_have_their_digits() {
        assert_eq!(fixed(-0.04, 1), "0.0");
        assert_eq!(fixed(-0.06, 1), "−0.1");
        assert_eq!(signed(22.74, 1), "+22.7");
        assert_eq!(signed(-0.5, 1), "−0.5");
        assert_eq!(significant(-0.068_11, 3), "−0.0681");
        let of = |mean, deviation| Some(Spread { mean, deviation });
        assert_eq!(spread(of(0.9644, 0.0077), 3, 100.0, 1), "96.4 ± 0.8");
        assert_eq!(spread(of(0.9644, 0.0), 1, 100.0, 1), "96.4");
        assert_eq!(p_value(0.000_2), "p < 0.001");
        assert_eq!(p_value(0.0123), "p = 0.012");
        assert_eq!(p_value(0.5512), "p = 0.55");
        assert_eq!(duration(0.0267), "0.027 s");
        assert_eq!(duration(300.0), "5.0 min");
        assert_eq!(duration(9000.0), "2.5 h");
    }
}

//! Numbers as text: all that a person reads, and the fields of CSV.

use crate::statistics::Spread;

/// How a number is written, where columns leave it open.
#[derive(Clone, Copy, Debug)]
pub struct Numerals {
    /// In place of a value that is missing.
    pub missing: &'static str,
    minus: &'static str,
    /// Whether what is not finite is shown, or missing.
    shows_all: bool,
}

/// The way of terminals and files.
pub const TERMINAL: Numerals = Numerals {
    missing: "-",
    minus: "-",
    shows_all: true,
};

/// The way of pages, with typographic signs.
pub const PAGE: Numerals = Numerals {
    missing: "–",
    minus: "−",
    shows_all: false,
};

impl Numerals {
    /// So many digits after the point. What is rounded to zero has no sign.
    pub fn fixed(self, value: impl Into<Option<f64>>, digits: usize) -> String {
        self.of(value, |value| {
            let text = format!("{value:.digits$}");
            let zero = text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
            match text.strip_prefix('-') {
                Some(unsigned) if zero => unsigned.to_owned(),
                _ => text,
            }
        })
    }

    /// The same with a sign in any case.
    pub fn signed(self, value: impl Into<Option<f64>>, digits: usize) -> String {
        self.of(value, |value| {
            let text = TERMINAL.fixed(value, digits);
            match value > 0.0 {
                true => format!("+{text}"),
                false => text,
            }
        })
    }

    /// So many significant digits.
    pub fn significant(self, value: impl Into<Option<f64>>, digits: usize) -> String {
        self.of(value, |value| significant(value, digits))
    }

    /// A mean and its deviation, of values in this unit.
    pub fn spread(self, spread: Option<Spread>, unit: &str, digits: usize) -> String {
        let Some(Spread { mean, deviation }) = spread else {
            return self.missing.to_owned();
        };
        let shown = |value: f64| self.fixed(factor(unit) * value, digits);
        format!("{} ± {}", shown(mean), shown(deviation))
    }

    /// A time in the unit that suits it.
    pub fn duration(self, seconds: impl Into<Option<f64>>) -> String {
        self.of(seconds, |seconds| match seconds {
            s if s < 1.0 => format!("{} s", significant(s, 2)),
            s if s < 120.0 => format!("{} s", significant(s, 3)),
            s if s < 7200.0 => format!("{:.1} min", s / 60.0),
            s => format!("{:.1} h", s / 3600.0),
        })
    }

    fn of(self, value: impl Into<Option<f64>>, text: impl FnOnce(f64) -> String) -> String {
        match value.into() {
            Some(value) if value.is_finite() => text(value).replace('-', self.minus),
            Some(value) if self.shows_all => value.to_string(),
            _ => self.missing.to_owned(),
        }
    }
}

/// What a value in a unit is shown times: a share in percent times 100.
pub fn factor(unit: &str) -> f64 {
    match unit {
        "%" => 100.0,
        _ => 1.0,
    }
}

/// A value with its unit, with so many digits after the point.
pub fn with_unit(value: f64, unit: &str, digits: usize) -> String {
    let value = TERMINAL.fixed(factor(unit) * value, digits);
    match unit {
        "" => value,
        unit => format!("{value} {unit}"),
    }
}

/// A share in percent.
pub fn percent(share: f64, digits: usize) -> String {
    with_unit(share, "%", digits)
}

/// What follows a name to say in what unit it is; nothing if there is none.
pub fn in_unit(unit: &str) -> String {
    match unit {
        "" => String::new(),
        unit => format!(" in {unit}"),
    }
}

/// Numbers that rise as queues take them: `0,2-4`.
pub fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let runs = runs.map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        _ => run.iter().map(usize::to_string).collect(),
    });
    runs.collect::<Vec<_>>().join(",")
}

/// A number with so many significant digits, in powers of ten where it is very small or very large.
pub fn significant(value: f64, digits: usize) -> String {
    match value == 0.0 || (1e-3..1e5).contains(&value.abs()) {
        true => plain(value, digits),
        false => format!("{value:.*e}", digits.max(1) - 1),
    }
}

/// A number with at least so many significant digits, however many zeros that takes.
pub fn plain(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let after_point = digits.max(1) as i32 - 1 - value.abs().log10().floor() as i32;
    format!("{value:.*}", after_point.max(0) as usize)
}

/// A number in few characters, for an axis: three significant digits, without zeros at the end.
pub fn short(value: f64) -> String {
    // Ticks at zero come out as roundings of it.
    if value.abs() < 1e-12 {
        return "0".to_owned();
    }
    if !(1e-3..1e5).contains(&value.abs()) {
        return significant(value, 2);
    }
    let text = significant(value, 3);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A number as a field of CSV: its shortest text, `NaN`, `inf` or `-inf`, or nothing where there is none.
pub fn exact(value: impl Into<Option<f64>>) -> String {
    let value: Option<f64> = value.into();
    value.map_or_else(String::new, |value| value.to_string())
}

/// A p value, with its name.
pub fn p_value(p: f64) -> String {
    match p {
        p if p < 0.001 => "p < 0.001".to_owned(),
        p if p < 0.1 => format!("p = {}", significant(p, 2)),
        p => format!("p = {p:.2}"),
    }
}

/// A number of things.
pub fn count(n: usize, one: &str, several: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {several}"),
    }
}

/// The text with a capital letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_range() {
        for (numbers, text) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[0, 1], "0-1"),
            (&[0, 2, 3, 4, 9], "0,2-4,9"),
        ] {
            assert_eq!(ranges(numbers), text);
        }
    }

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
        for (value, text) in [(0.0, "0"), (1.234e-5, "0.0000123"), (7e6, "7000000")] {
            assert_eq!(plain(value, 3), text);
        }
    }

    #[test]
    fn what_is_missing_is_a_dash() {
        for missing in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(PAGE.fixed(missing, 1), PAGE.missing);
            assert_eq!(PAGE.signed(missing, 1), PAGE.missing);
            assert_eq!(PAGE.significant(missing, 3), PAGE.missing);
        }
        assert_eq!(PAGE.spread(None, "%", 1), PAGE.missing);
        assert_eq!(TERMINAL.fixed(None, 1), "-");
        // On a terminal one sees what went wrong.
        assert_eq!(TERMINAL.fixed(f64::NAN, 1), "NaN");
    }

    #[test]
    fn values_have_their_digits() {
        assert_eq!(PAGE.fixed(-0.04, 1), "0.0");
        assert_eq!(PAGE.fixed(-0.06, 1), "−0.1");
        assert_eq!(TERMINAL.fixed(-0.06, 1), "-0.1");
        assert_eq!(PAGE.signed(22.74, 1), "+22.7");
        assert_eq!(PAGE.signed(-0.5, 1), "−0.5");
        assert_eq!(PAGE.significant(-0.068_11, 3), "−0.0681");
        let of = |mean, deviation| Some(Spread { mean, deviation });
        assert_eq!(PAGE.spread(of(0.9644, 0.0077), "%", 1), "96.4 ± 0.8");
        assert_eq!(with_unit(-1.25, "bits", 2), "-1.25 bits");
        assert_eq!(percent(0.031, 1), "3.1 %");
        assert_eq!(p_value(0.000_2), "p < 0.001");
        assert_eq!(p_value(0.0123), "p = 0.012");
        assert_eq!(p_value(0.5512), "p = 0.55");
        assert_eq!(PAGE.duration(0.0267), "0.027 s");
        assert_eq!(PAGE.duration(300.0), "5.0 min");
        assert_eq!(PAGE.duration(9000.0), "2.5 h");
    }

    #[test]
    fn numbers_on_axes_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-0.25, "-0.25"),
            (0.333_333, "0.333"),
            (12_345.0, "12345"),
            (1e-5, "1.0e-5"),
            (150.0, "150"),
            (2.0e7, "2.0e7"),
            (-5.6e-17, "0"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn fields_are_as_short_as_they_can_be() {
        for (value, text) in [
            (Some(1.0), "1"),
            (Some(0.1 + 0.2), "0.30000000000000004"),
            (Some(f64::NEG_INFINITY), "-inf"),
            (None, ""),
        ] {
            assert_eq!(exact(value), text);
        }
    }
}

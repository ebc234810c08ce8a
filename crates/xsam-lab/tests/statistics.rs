//! The statistics against what scipy and statsmodels make of the same values: `statistics.py` writes `statistics.json`.
#![allow(missing_docs, clippy::unwrap_used)]

use serde::Deserialize;
use xsam_lab::statistics::{holm, paired_t_test, power, seeds_needed, wilcoxon};

/// Both sides compute the same distributions by other series. Between them lie some units in the eleventh digit.
const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Cases {
    pairs: Vec<Pair>,
    holm: Vec<Family>,
    power: Vec<Power>,
    needed: Vec<Needed>,
}

#[derive(Deserialize)]
struct Pair {
    first: Vec<f64>,
    second: Vec<f64>,
    difference: f64,
    t: f64,
    p: f64,
    interval: [f64; 2],
    wilcoxon: f64,
}

#[derive(Deserialize)]
struct Family {
    p: Vec<f64>,
    corrected: Vec<f64>,
}

#[derive(Deserialize)]
struct Power {
    effect: f64,
    pairs: usize,
    power: f64,
}

#[derive(Deserialize)]
struct Needed {
    difference: f64,
    deviation: f64,
    seeds: usize,
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("statistics.json")).unwrap()
}

#[track_caller]
fn assert_near(value: f64, expected: f64, what: &str) {
    let size = expected.abs().max(1.0);
    let is_near = (value - expected).abs() <= TOLERANCE * size;
    assert!(is_near, "{what}: {value}, not {expected}");
}

#[test]
fn paired_tests_are_those_of_scipy() {
    let pairs = cases().pairs;
    assert_eq!(pairs.len(), 12);
    for (i, case) in pairs.iter().enumerate() {
        let test = paired_t_test(&case.first, &case.second).unwrap();
        assert_near(test.difference, case.difference, &format!("difference {i}"));
        assert_near(test.t, case.t, &format!("t {i}"));
        assert_near(test.p, case.p, &format!("p {i}"));
        for (end, expected) in test.interval.into_iter().zip(case.interval) {
            assert_near(end, expected, &format!("interval {i}"));
        }
        let p = wilcoxon(&case.first, &case.second).unwrap();
        assert_near(p, case.wilcoxon, &format!("wilcoxon {i}"));
        let back = wilcoxon(&case.second, &case.first).unwrap();
        assert_near(back, p, &format!("wilcoxon {i} the other way round"));
    }
}

#[test]
fn holms_correction_is_that_of_statsmodels() {
    for Family { p, corrected } in cases().holm {
        for (value, expected) in holm(&p).into_iter().zip(corrected) {
            assert_near(value, expected, &format!("{p:?}"));
        }
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn power_is_that_of_statsmodels() {
    for case in cases().power {
        let found = power(case.effect, case.pairs).unwrap();
        let what = format!("{} over {}", case.effect, case.pairs);
        assert_near(found, case.power, &what);
    }
    for case in cases().needed {
        let seeds = seeds_needed(case.difference, case.deviation);
        assert_eq!(seeds, Some(case.seeds), "{}", case.deviation);
    }
}

#[test]
fn where_there_is_no_answer() {
    assert_eq!(wilcoxon(&[], &[]), None);
    assert_eq!(wilcoxon(&[1.0, 2.0], &[1.0, 2.0]), None);
    assert_eq!(wilcoxon(&[0.3], &[0.1 + 0.2]), None);
    assert_eq!(wilcoxon(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    assert_eq!(wilcoxon(&[1.0], &[1.0, 2.0]), None);
    assert_eq!(power(1.0, 1), None);
    assert_eq!(power(f64::NAN, 5), None);
    // Differences that never vary are told by the fewest seeds that a test can have.
    assert_eq!(seeds_needed(1.0, 0.0), Some(2));
    assert_eq!(seeds_needed(0.0, 1.0), None);
    assert_eq!(seeds_needed(0.0, 0.0), None);
    assert_eq!(seeds_needed(1.0, f64::NAN), None);
}

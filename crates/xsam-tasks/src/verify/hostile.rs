//! Cases that someone has made to take all memory, or no end.
#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::Verdict;
use super::tests::{embedded, outcome};

/// Numbers that no case has.
const HOSTILE: [&str; 7] = [
    "0",
    "-1",
    "1e18",
    "9223372036854775808",
    "18446744073709551615",
    "1e308",
    "5e-324",
];

#[test]
fn a_case_without_end_is_refused() {
    for (place, value, reason) in [
        ("/epochs", "9223372036854775808", "steps, more than"),
        ("/epochs", "18446744073709551615", "steps, more than"),
        ("/epochs", "2501", "10004 steps, more than 10000"),
        ("/epochs", "1", "expects more than its 4 steps"),
        (
            "/optimizer/ascent_steps",
            "9223372036854775808",
            "ascent steps, more than",
        ),
    ] {
        let mut case: Value = serde_json::from_str(&embedded("mlp-sam")).unwrap();
        *case.pointer_mut(place).unwrap() = serde_json::from_str(value).unwrap();
        let outcome = outcome(&case.to_string());
        assert_eq!((outcome.verdict, outcome.steps), (Verdict::Fail, 0));
        assert!(outcome.detail.contains(reason), "{outcome:?}");
    }
    // Of half a billion parameters.
    let mut case: Value = serde_json::from_str(&embedded("mlp-sam")).unwrap();
    case["model"]["width"] = 16_384.into();
    case["image_size"] = 100.into();
    let outcome = outcome(&case.to_string());
    assert!(
        outcome.detail.contains("parameters, more than"),
        "{outcome:?}"
    );
}

/// Whether such a case passes, fails or is skipped is all the same; it comes to an end, without a panic.
#[test]
fn no_number_of_a_case_ends_the_program() {
    for name in [
        "mlp-xsam",
        "mlp-looksam",
        "cnn-sam-micro",
        "mlp-friendly-sam",
        "hessian-cnn-eval",
    ] {
        let whole: Value = serde_json::from_str(&embedded(name)).unwrap();
        for place in numbers(&whole, String::new()) {
            for value in HOSTILE {
                let mut case = whole.clone();
                // What takes long, and is as it is whatever the numbers are.
                let expected = case["expected"].as_object_mut().unwrap();
                expected
                    .retain(|name, _| !["trace", "mean_square", "lowest"].contains(&name.as_str()));
                if let Some(Value::Array(top)) = expected.get_mut("top") {
                    top.truncate(1);
                }
                let Some(number) = case.pointer_mut(&place) else {
                    continue;
                };
                *number = serde_json::from_str(value).unwrap();
                outcome(&case.to_string());
            }
        }
    }
}

/// Where the numbers of a case are, of a list the first.
fn numbers(value: &Value, place: String) -> Vec<String> {
    match value {
        Value::Number(_) => vec![place],
        Value::Array(items) => items
            .first()
            .map_or_else(Vec::new, |item| numbers(item, format!("{place}/0"))),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| numbers(field, format!("{place}/{name}")))
            .collect(),
        _ => Vec::new(),
    }
}

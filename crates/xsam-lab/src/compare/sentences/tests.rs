#![allow(clippy::unwrap_used)]

use toml::Value;

use super::super::SweptField;
use super::*;
use crate::metrics::Metrics;
use crate::score::Better;
use crate::summary::RunSummary;

/// The rows of a method: the values of swept fields, and the scores from seeds 0, 1 ..
type Rows<'a> = &'a [(&'a str, &'a [(&'a str, f64)], &'a [f64])];

fn aggregated(score: Score, fields: &[(&str, &[f64], bool)], rows: Rows<'_>) -> ComparisonSummary {
    let column = |part: Part| score.column(part);
    let run = |(seed, &value): (usize, &f64)| {
        let mut last = Metrics::new(1);
        last.set(&column(Part::Validation), value);
        last.set(&column(Part::Test), value);
        RunSummary {
            seed: seed as u64,
            collapsed: (value < 0.2).then(|| "it guesses".to_owned()),
            last: Some(last),
            ..RunSummary::default()
        }
    };
    let runs: Vec<Vec<RunSummary>> = rows
        .iter()
        .map(|(.., values)| values.iter().enumerate().map(run).collect())
        .collect();
    let method = |(of, values, _): &(&str, &[(&str, f64)], &[f64])| {
        let suffix = values.iter().map(|(name, value)| format!("-{name}{value}"));
        let values = values
            .iter()
            .map(|&(name, value)| (name.to_owned(), Value::Float(value)));
        MethodSummary {
            label: format!("{of}{}", suffix.clone().collect::<String>()),
            of: (*of).to_owned(),
            values: values.collect(),
            ..MethodSummary::default()
        }
    };
    let field = |&(name, values, is_condition): &(&str, &[f64], bool)| SweptField {
        name: name.to_owned(),
        values: values.iter().map(|&value| Value::Float(value)).collect(),
        is_condition,
    };
    let fields: Vec<SweptField> = fields.iter().map(field).collect();
    let mut summary = ComparisonSummary {
        methods: rows.iter().map(method).collect(),
        sweep: (!fields.is_empty()).then(|| SweepSummary::of(fields)),
        scores: vec![score.clone()],
        ..ComparisonSummary::default()
    };
    let runs: Vec<Vec<&RunSummary>> = runs.iter().map(|runs| runs.iter().collect()).collect();
    summary.aggregate(&runs);
    summary
}

fn accuracy() -> Score {
    Score::percent("accuracy", "")
}

const RHO: (&str, &[f64], bool) = ("rho", &[0.1, 0.2, 0.4], false);

#[test]
fn a_sweep_is_told_with_what_does_not_favour_the_best() {
    let summary = aggregated(
        accuracy(),
        &[RHO],
        &[
            ("sgd", &[], &[0.70, 0.71, 0.69]),
            ("sam", &[("rho", 0.1)], &[0.80, 0.81, 0.80]),
            ("sam", &[("rho", 0.2)], &[0.90, 0.91, 0.90]),
            ("sam", &[("rho", 0.4)], &[0.10, 0.50, 0.11]),
            ("xsam", &[("rho", 0.1)], &[0.895, 0.905, 0.895]),
            ("xsam", &[("rho", 0.2)], &[0.901, 0.912, 0.90]),
            ("xsam", &[("rho", 0.4)], &[0.70, 0.70, 0.70]),
        ],
    );
    let [first, behind, second, chosen, third] = &summary.sentences[..] else {
        panic!("{:?}", summary.sentences)
    };
    let best = "Best against best, xsam at rho 0.2 (90.4 %) and sam at rho 0.2 (90.3 %) are level, as far as these runs \
                tell: difference 0.1 points (95 % interval ";
    assert!(first.starts_with(best), "{first}");
    // Three pairs are told apart from chance together.
    assert!(first.ends_with("p = 0.23, 3 seeds)."), "{first}");
    let told = "Behind the best: sgd (70.0 %) by 20.4 points (95 % interval ";
    assert!(behind.starts_with(told), "{behind}");
    let told = "The best of a method is its row with the highest validation accuracy after the last epoch.";
    assert_eq!(chosen, told);
    let over = "Within a point of its best over rho: sam at 0.2, xsam from 0.1 to 0.2. At the worst rho of the sweep each \
                method loses against its best: sam 66.7 points (at 0.4), xsam 20.4 points (at 0.4).";
    assert_eq!(second, over);
    let collapsed = "Collapsed, no better than guessing or with nothing learned: 2 of 3 runs of sam-rho0.4. The means \
                     have them in.";
    assert_eq!(third, collapsed);
    assert_eq!(summary.pairs.len(), 3);
    let needed = summary.seeds_needed.unwrap();
    let told = "To tell a difference of a point between xsam-rho0.2 and sam-rho0.2 takes 3 seeds, by the spread over these 3";
    assert!(
        needed.starts_with(told) && needed.contains("which are enough"),
        "{needed}"
    );

    // Rows are tested against the first method's of the same values.
    let firsts: Vec<bool> = summary
        .methods
        .iter()
        .map(|m| m.test_against_first.is_some())
        .collect();
    assert_eq!(firsts, [false, true, true, true, true, true, true]);
}

#[test]
fn what_is_ahead_is_so_in_the_direction_of_the_score() {
    let bits = Score::new("bits", Better::Lower, "").with_unit("bits");
    let summary = aggregated(
        bits,
        &[RHO],
        &[
            ("sam", &[("rho", 0.1)], &[3.0, 3.1, 3.2]),
            ("sam", &[("rho", 0.2)], &[3.5, 3.6, 3.7]),
            ("xsam", &[("rho", 0.1)], &[2.0, 2.11, 2.2]),
            ("xsam", &[("rho", 0.2)], &[2.0, 2.12, 2.2]),
        ],
    );
    let first = &summary.sentences[0];
    let told = "Best against best, xsam at rho 0.1 (2.103 bits) is ahead of sam at rho 0.1 (3.100 bits) by 0.997 bits \
                (95 % interval 0.982 to 1.011, ";
    assert!(first.contains(told), "{first}");
    let second = "Within 1 % of its best over rho: sam at 0.1, xsam from 0.1 to 0.2. At the worst rho of the sweep each \
                  method loses against its best: sam 0.500 bits (at 0.2), xsam 0.003 bits (at 0.2).";
    assert_eq!(summary.sentences[1], second);
    // sam 0.2 against sam 0.1 is no test of methods; xsam is tested against sam at the same rho.
    let tests: Vec<Option<f64>> = summary
        .methods
        .iter()
        .map(|m| {
            m.test_against_first
                .map(|test| (100.0 * test.difference).round())
        })
        .collect();
    assert_eq!(tests, [None, None, Some(-100.0), Some(-149.0)]);
}

#[test]
fn under_conditions_there_is_a_sentence_for_each() {
    let noise = "data.noise";
    let summary = aggregated(
        accuracy(),
        &[(noise, &[0.0, 0.4], true)],
        &[
            ("sgd", &[(noise, 0.0)], &[0.95, 0.96]),
            ("sgd", &[(noise, 0.4)], &[0.70, 0.72]),
            ("sam", &[(noise, 0.0)], &[0.94, 0.96]),
            ("sam", &[(noise, 0.4)], &[0.90, 0.91]),
        ],
    );
    let [clean, noisy, over] = &summary.sentences[..] else {
        panic!("{:?}", summary.sentences)
    };
    let told = "At data.noise 0, sgd (95.5 %) and sam (95.0 %) are level, as far as these runs tell: difference 0.5 points";
    assert!(clean.starts_with(told), "{clean}");
    assert!(
        noisy
            .starts_with("At data.noise 0.4, sam (90.5 %) is ahead of sgd (71.0 %) by 19.5 points"),
        "{noisy}"
    );
    let told = "At the worst data.noise of the sweep each method loses against its best: sgd 24.5 points (at 0.4), sam 4.5 \
                points (at 0.4).";
    assert_eq!(over, told);
}

#[test]
fn one_method_or_one_seed_have_no_test() {
    let alone = aggregated(
        accuracy(),
        &[RHO],
        &[
            ("sam", &[("rho", 0.1)], &[0.8]),
            ("sam", &[("rho", 0.2)], &[0.9]),
        ],
    );
    let told = "At its best, sam at rho 0.2 (90.0 %).";
    assert_eq!(alone.sentences[0], told);
    assert_eq!((alone.pairs.len(), alone.seeds_needed), (0, None));

    let two = aggregated(
        accuracy(),
        &[RHO],
        &[("sgd", &[], &[0.8]), ("sam", &[("rho", 0.2)], &[0.9])],
    );
    assert!(
        two.sentences[0]
            .ends_with("difference 10.0 points (1 seed, which says nothing of chance)."),
        "{two:?}"
    );
    assert_eq!((two.pairs.len(), two.seeds_needed), (1, None));
    // Nothing yet.
    let none = aggregated(accuracy(), &[RHO], &[("sgd", &[], &[])]);
    assert!(none.sentences.is_empty() && none.pairs.is_empty());
}

//! The table, the runs and the candidates of a comparison as CSV.

use super::{ComparisonSummary, MethodSummary, TuningSummary};
use crate::csv_file::{Csv, number};
use crate::statistics::Spread;
use crate::summary::Recorded;

/// What of a method has a mean and a deviation over the seeds.
fn spreads(method: &MethodSummary) -> [(&'static str, Option<Spread>); 9] {
    [
        ("last", method.last),
        ("best", method.best),
        ("mean_of_last_5", method.mean_of_last_5),
        ("validation", method.validation),
        ("validation_bleu", method.validation_bleu),
        ("test_bleu", method.test_bleu),
        ("train_loss", method.train_loss),
        ("train_accuracy", method.train_accuracy),
        ("alpha", method.alpha),
    ]
}

/// The columns of a mean and a deviation.
fn columns(name: &str) -> [String; 2] {
    [format!("{name}_mean"), format!("{name}_deviation")]
}

fn values(spread: Option<Spread>) -> [String; 2] {
    [
        number(spread.map(|spread| spread.mean)),
        number(spread.map(|spread| spread.deviation)),
    ]
}

/// A line for each method: the table.
pub(super) fn methods(summary: &ComparisonSummary) -> String {
    let mut table = Csv::default();
    for (i, method) in summary.methods.iter().enumerate() {
        let spreads = spreads(method);
        let test = method.test_against_first;
        let before = [
            ("label", method.label.clone()),
            ("rho", number(method.method.rho)),
            ("runs", method.runs.to_string()),
        ];
        let after = [
            ("seconds_per_epoch", number(method.seconds_per_epoch)),
            ("time_ratio", number(method.time_ratio)),
            ("gradient_passes", number(method.gradient_passes)),
            ("search_passes", number(method.search_passes)),
            ("passes", number(method.passes)),
            ("seconds", number(method.seconds)),
            (
                "epochs",
                method.epochs.map_or_else(String::new, |n| n.to_string()),
            ),
            ("difference", number(test.map(|test| test.difference))),
            ("t", number(test.map(|test| test.t))),
            ("p", number(test.map(|test| test.p))),
        ];
        if i == 0 {
            let names = spreads.iter().flat_map(|(name, _)| columns(name));
            let name = |(name, _): &(&str, String)| (*name).to_owned();
            let head = before.iter().map(name).chain(names);
            table.row(head.chain(after.iter().map(name)));
        }
        let spreads = spreads.into_iter().flat_map(|(_, spread)| values(spread));
        let value = |(_, value)| value;
        let row = before.into_iter().map(value).chain(spreads);
        table.row(row.chain(after.into_iter().map(value)));
    }
    table.text()
}

/// A line for each run: where it is, and its outcome.
pub(super) fn runs<'a>(done: impl Iterator<Item = (&'a str, &'a Recorded)>) -> String {
    let mut table = Csv::with_head([
        "label",
        "seed",
        "test_accuracy_last",
        "test_accuracy_best",
        "test_accuracy_mean_of_last_5",
        "validation_accuracy_last",
        "validation_bleu",
        "test_bleu",
        "train_loss",
        "train_accuracy",
        "alpha",
        "seconds_per_epoch",
    ]);
    for (label, run) in done {
        let summary = &run.summary;
        let last = summary.last.as_ref();
        table.row([
            label.to_owned(),
            summary.seed.to_string(),
            number(last.and_then(|row| row.test_accuracy)),
            number(summary.best.as_ref().and_then(|row| row.test_accuracy)),
            number(summary.mean_of_last_5),
            number(last.and_then(|row| row.validation_accuracy)),
            number(last.and_then(|row| row.validation_bleu)),
            number(last.and_then(|row| row.test_bleu)),
            number(last.map(|row| row.train_loss)),
            number(last.map(|row| row.train_accuracy)),
            number(last.and_then(|row| row.alpha)),
            number(summary.seconds_per_epoch),
        ]);
    }
    table.text()
}

/// A line for each candidate.
pub(super) fn tuning(tuning: &TuningSummary) -> String {
    let [mean, deviation] = columns("validation");
    let mut table = Csv::with_head(["label", "values", "runs", &mean, &deviation, "chosen"]);
    for method in &tuning.methods {
        for candidate in &method.candidates {
            let [mean, deviation] = values(candidate.validation);
            table.row([
                method.label.clone(),
                candidate.words.clone(),
                candidate.runs.to_string(),
                mean,
                deviation,
                candidate.chosen.to_string(),
            ]);
        }
    }
    table.text()
}

/// A warning for each mean over the seeds that is not finite.
pub(super) fn warnings(summary: &ComparisonSummary) -> Vec<String> {
    let of_method = |method: &MethodSummary| -> Vec<String> {
        let odd = spreads(method)
            .into_iter()
            .filter_map(|(name, spread)| Some((name, spread?.mean)))
            .filter(|(_, mean)| !mean.is_finite());
        let told = odd.map(|(name, mean)| {
            let label = &method.label;
            format!("{label}: {name} is not finite in every run, its mean over the seeds is {mean}")
        });
        told.collect()
    };
    summary.methods.iter().flat_map(of_method).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::spec::{MethodName, MethodSpec};
    use crate::summary::Status;
    use crate::{csv_file, files};

    fn summary(label: &str) -> ComparisonSummary {
        let alpha = Spread::of([1.0, f64::NAN]);
        ComparisonSummary {
            status: Status::Finished,
            failures: Vec::new(),
            warnings: Vec::new(),
            seeds: vec![0, 1],
            equal_compute: false,
            tuning: None,
            methods: vec![MethodSummary {
                label: label.to_owned(),
                method: MethodSpec::new(MethodName::Sgd),
                epochs: Some(2),
                folders: Vec::new(),
                runs: 2,
                warnings: Vec::new(),
                test_against_first: None,
                last: Spread::of([0.5, 0.5]),
                best: None,
                mean_of_last_5: None,
                validation: None,
                validation_bleu: None,
                test_bleu: None,
                train_loss: None,
                train_accuracy: None,
                alpha,
                seconds_per_epoch: None,
                time_ratio: None,
                seconds: None,
                gradient_passes: None,
                search_passes: None,
                passes: None,
            }],
            files: Vec::new(),
        }
    }

    #[test]
    fn a_mean_that_is_not_finite_is_told() {
        let summary = summary("sgd");
        assert_eq!(
            warnings(&summary),
            ["sgd: alpha is not finite in every run, its mean over the seeds is NaN"]
        );
        let text = methods(&summary);
        assert!(text.contains(",NaN,NaN,"), "{text}");
    }

    #[test]
    fn a_label_with_a_comma_or_a_quote_is_one_field() {
        for label in ["lr 0,1", "x\"y"] {
            let text = methods(&summary(label));
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("methods.csv");
            files::write(&path, &text).unwrap();
            let mut rows = 0;
            csv_file::read(&path, None, |columns, fields| {
                assert_eq!((fields[0], fields[3], columns.len()), (label, "0.5", 31));
                rows += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(rows, 1);
        }
    }
}

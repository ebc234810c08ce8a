//! The table, the runs and the candidates of a comparison as CSV.

use super::aggregate::aggregates;
use super::{ComparisonSummary, TuningSummary};
use crate::csv_file::Csv;
use crate::numbers::exact;
use crate::score::Score;
use crate::statistics::Spread;
use crate::summary::Recorded;

/// The columns of a mean and a deviation.
fn columns(name: &str) -> [String; 2] {
    [format!("{name}_mean"), format!("{name}_deviation")]
}

fn values(spread: Option<&Spread>) -> [String; 2] {
    let mean = spread.map(|spread| spread.mean);
    let deviation = spread.map(|spread| spread.deviation);
    [mean, deviation].map(exact)
}

/// A line for each method: the table.
pub(super) fn methods(summary: &ComparisonSummary) -> String {
    let mut table = Csv::default();
    for (i, method) in summary.methods.iter().enumerate() {
        let test = method.test_against_first;
        let rho = method.method.as_ref().and_then(|method| method.rho());
        let epochs = method.epochs.map(|epochs| epochs as f64);
        let before = [
            ("label", method.label.clone()),
            ("rho", exact(rho)),
            ("runs", method.runs.to_string()),
            ("collapsed", method.collapsed.len().to_string()),
        ];
        let after = [
            ("seconds_per_epoch", exact(method.seconds_per_epoch)),
            ("time_ratio", exact(method.time_ratio)),
            ("gradient_passes", exact(method.gradient_passes)),
            ("search_passes", exact(method.search_passes)),
            ("passes", exact(method.passes)),
            ("seconds", exact(method.seconds)),
            ("epochs", exact(epochs)),
            ("difference", exact(test.map(|test| test.difference))),
            ("t", exact(test.map(|test| test.t))),
            ("p", exact(test.map(|test| test.p))),
        ];
        let aggregated = summary.columns.iter().map(|column| &*column.name);
        if i == 0 {
            let name = |(name, _): &(&str, String)| (*name).to_owned();
            let head = before.iter().map(name);
            let head = head.chain(aggregated.clone().flat_map(columns));
            table.row(head.chain(after.iter().map(name)));
        }
        let spreads = aggregated.flat_map(|name| values(method.spreads.get(name)));
        let value = |(_, value)| value;
        let row = before.into_iter().map(value).chain(spreads);
        table.row(row.chain(after.into_iter().map(value)));
    }
    table.text()
}

/// A line for each run: where it is, and its outcome.
pub(super) fn runs<'a>(
    scores: &[Score],
    done: impl Iterator<Item = (&'a str, &'a Recorded)>,
) -> String {
    let aggregates = aggregates(scores);
    let names = aggregates.iter().map(|aggregate| aggregate.run_name());
    let [label, seed, seconds] = ["label", "seed", "seconds_per_epoch"].map(str::to_owned);
    let mut table = Csv::with_head([label, seed].into_iter().chain(names).chain([seconds]));
    for (label, run) in done {
        let summary = &run.summary;
        let before = [label.to_owned(), summary.seed.to_string()].into_iter();
        let values = aggregates.iter().map(|aggregate| aggregate.of(summary));
        let values = values.chain([summary.seconds_per_epoch]).map(exact);
        table.row(before.chain(values));
    }
    table.text()
}

/// A line for each candidate.
pub(super) fn tuning(tuning: &TuningSummary) -> String {
    let [mean, deviation] = columns("validation");
    let mut table = Csv::with_head(["label", "values", "runs", &mean, &deviation, "chosen"]);
    for method in &tuning.methods {
        for candidate in &method.candidates {
            let [mean, deviation] = values(candidate.validation.as_ref());
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::compare::MethodSummary;
    use crate::metrics::Metrics;
    use crate::summary::RunSummary;
    use crate::{csv_file, files};

    fn summary(label: &str) -> ComparisonSummary {
        let run = |alpha: f64| {
            let mut last = Metrics::new(1);
            last.set("test_accuracy", 0.5);
            last.set("alpha", alpha);
            RunSummary {
                last: Some(last),
                ..RunSummary::default()
            }
        };
        let runs = [run(1.0), run(f64::NAN)];
        let mut summary = ComparisonSummary {
            scores: vec![Score::percent("accuracy", "")],
            methods: vec![MethodSummary {
                label: label.to_owned(),
                ..MethodSummary::default()
            }],
            ..ComparisonSummary::default()
        };
        summary.aggregate(&[runs.iter().collect()]);
        summary
    }

    #[test]
    fn a_mean_that_is_not_finite_is_told() {
        let summary = summary("sgd");
        let told = "sgd: alpha is not finite in every run, its mean over the seeds is NaN";
        assert_eq!(summary.odd_means(), [(told.to_owned(), false)]);
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
                assert_eq!((fields[0], fields[4], columns.len()), (label, "0.5", 36));
                rows += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(rows, 1);
        }
    }
}

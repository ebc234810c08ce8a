//! The table, the runs and the candidates of a comparison as CSV.

use super::{ComparisonSummary, TuningSummary};
use crate::summary::Recorded;

/// A line for each method: the table.
pub(super) fn methods(summary: &ComparisonSummary) -> String {
    let mut text = "label,rho,runs,last_mean,last_deviation,best_mean,best_deviation,\
                    mean_of_last_5_mean,mean_of_last_5_deviation,validation_mean,\
                    validation_deviation,validation_bleu_mean,validation_bleu_deviation,\
                    test_bleu_mean,test_bleu_deviation,train_loss_mean,train_loss_deviation,\
                    train_accuracy_mean,train_accuracy_deviation,alpha_mean,alpha_deviation,seconds_per_epoch,\
                    time_ratio,gradient_passes,search_passes,passes,seconds,epochs,difference,t,p\n"
        .to_owned();
    for method in &summary.methods {
        let spreads = [
            method.last,
            method.best,
            method.mean_of_last_5,
            method.validation,
            method.validation_bleu,
            method.test_bleu,
            method.train_loss,
            method.train_accuracy,
            method.alpha,
        ];
        let mut fields = vec![method.method.rho, Some(method.runs as f64)];
        for spread in spreads {
            fields.push(spread.map(|s| s.mean));
            fields.push(spread.map(|s| s.deviation));
        }
        fields.push(method.seconds_per_epoch);
        fields.push(method.time_ratio);
        fields.push(method.gradient_passes);
        fields.push(method.search_passes);
        fields.push(method.passes);
        fields.push(method.seconds);
        fields.push(method.epochs.map(|epochs| epochs as f64));
        let test = method.test_against_first;
        fields.push(test.map(|test| test.difference));
        fields.push(test.map(|test| test.t));
        fields.push(test.map(|test| test.p));
        text.push_str(&format!("{},{}\n", method.label, joined(&fields)));
    }
    text
}

/// A line for each run: where it is, and its outcome.
pub(super) fn runs<'a>(done: impl Iterator<Item = (&'a str, &'a Recorded)>) -> String {
    let mut text = "label,seed,test_accuracy_last,test_accuracy_best,test_accuracy_mean_of_\
                    last_5,validation_accuracy_last,validation_bleu,test_bleu,train_loss,train_accuracy,\
                    alpha,seconds_per_epoch\n"
        .to_owned();
    for (label, run) in done {
        let summary = &run.summary;
        let last = summary.last.as_ref();
        let fields = [
            last.and_then(|row| row.test_accuracy),
            summary.best.as_ref().and_then(|row| row.test_accuracy),
            summary.mean_of_last_5,
            last.and_then(|row| row.validation_accuracy),
            last.and_then(|row| row.validation_bleu),
            last.and_then(|row| row.test_bleu),
            last.map(|row| row.train_loss),
            last.map(|row| row.train_accuracy),
            last.and_then(|row| row.alpha),
            summary.seconds_per_epoch,
        ];
        text.push_str(&format!("{label},{},{}\n", summary.seed, joined(&fields)));
    }
    text
}

/// A line for each candidate.
pub(super) fn tuning(tuning: &TuningSummary) -> String {
    let mut text = "label,values,runs,validation_mean,validation_deviation,chosen\n".to_owned();
    for method in &tuning.methods {
        for candidate in &method.candidates {
            let spread = candidate.validation;
            let numbers = joined(&[
                Some(candidate.runs as f64),
                spread.map(|s| s.mean),
                spread.map(|s| s.deviation),
            ]);
            // Values are separated by commas, and a list among them has more.
            let (label, values) = (&method.label, candidate.words.replace('"', "\"\""));
            text.push_str(&format!(
                "{label},\"{values}\",{numbers},{}\n",
                candidate.chosen
            ));
        }
    }
    text
}

fn joined(fields: &[Option<f64>]) -> String {
    let field = |value: &Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    fields.iter().map(field).collect::<Vec<_>>().join(",")
}

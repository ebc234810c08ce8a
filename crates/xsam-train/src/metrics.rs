//! What is measured in an epoch, and the file that holds it.

use serde::{Deserialize, Serialize};
use xsam::StepReport;

use crate::csv_file::{Csv, number};
use crate::memory::peak_mb;
use crate::task::{Hits, Scores};

/// One epoch of a run: a row of `metrics.csv`. Losses and norms are means over the steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Learning rate, of the last step.
    pub lr: f64,
    /// Total ascent length.
    pub rho: f64,
    /// Loss at the weights, while they were trained.
    pub train_loss: f64,
    /// Accuracy at the weights, while they were trained; on the labels as they are, noise included. Of
    /// translations, in all accuracies, the share of tokens that are the likeliest after the right ones
    /// before them.
    pub train_accuracy: f64,
    /// Loss on the validation data, after the epoch, if it was evaluated then.
    pub validation_loss: Option<f64>,
    /// Accuracy on the validation data, after the epoch.
    pub validation_accuracy: Option<f64>,
    /// Loss on the test data, after the epoch.
    pub test_loss: Option<f64>,
    /// Accuracy on the test data, after the epoch.
    pub test_accuracy: Option<f64>,
    /// BLEU of the validation data, after the epoch, if it was computed then.
    #[serde(default)]
    pub validation_bleu: Option<f64>,
    /// BLEU of the test data.
    #[serde(default)]
    pub test_bleu: Option<f64>,
    /// Position on the arc, of the last step that had one.
    pub alpha: Option<f64>,
    /// Angle between displacement and ascent gradient, in radians.
    pub psi: Option<f64>,
    /// Loss at the ascent point.
    pub ascent_loss: Option<f64>,
    /// Norm of the gradient at the weights.
    pub grad_norm: f64,
    /// Norm of the gradient at the ascent point.
    pub ascent_grad_norm: Option<f64>,
    /// Norm of the gradient that the base optimizer received.
    pub update_norm: f64,
    /// Forward-backward passes.
    pub gradient_passes: usize,
    /// Forward passes of searches.
    pub search_passes: usize,
    /// Time for the steps, evaluation not included.
    pub seconds: f64,
    /// Of that, the time for which the steps waited for their data.
    #[serde(default)]
    pub waited: f64,
    /// The most memory that the process has had so far, in 10^6 bytes, where the system tells.
    #[serde(default)]
    pub peak_mb: Option<f64>,
}

/// Head of `metrics.csv`.
const COLUMNS: [&str; 22] = [
    "epoch",
    "lr",
    "rho",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
    "validation_bleu",
    "test_bleu",
    "alpha",
    "psi",
    "ascent_loss",
    "grad_norm",
    "ascent_grad_norm",
    "update_norm",
    "gradient_passes",
    "search_passes",
    "seconds",
    "waited",
    "peak_mb",
];

impl Metrics {
    /// The rows as CSV; what a method does not have, or an epoch, is left empty.
    pub fn csv(rows: &[Self]) -> String {
        let mut table = Csv::with_head(COLUMNS);
        for row in rows {
            table.row(row.fields());
        }
        table.text()
    }

    fn fields(&self) -> [String; COLUMNS.len()] {
        [
            self.epoch.to_string(),
            number(self.lr),
            number(self.rho),
            number(self.train_loss),
            number(self.train_accuracy),
            number(self.validation_loss),
            number(self.validation_accuracy),
            number(self.test_loss),
            number(self.test_accuracy),
            number(self.validation_bleu),
            number(self.test_bleu),
            number(self.alpha),
            number(self.psi),
            number(self.ascent_loss),
            number(self.grad_norm),
            number(self.ascent_grad_norm),
            number(self.update_norm),
            self.gradient_passes.to_string(),
            self.search_passes.to_string(),
            format!("{:.4}", self.seconds),
            format!("{:.4}", self.waited),
            self.peak_mb
                .map_or_else(String::new, |mb| format!("{mb:.1}")),
        ]
    }

    /// A warning of what is not finite in the last of the rows, unless it was not finite before, when it was last
    /// measured: that was told then.
    pub(crate) fn warning(rows: &[Self]) -> Option<String> {
        let (row, before) = rows.split_last()?;
        let odd = |text: &str| text.parse().is_ok_and(|value: f64| !value.is_finite());
        let fields = row.fields();
        let told_before = |column: usize| {
            let mut earlier = before.iter().rev().map(|row| row.fields()[column].clone());
            earlier
                .find(|text| !text.is_empty())
                .is_some_and(|text| odd(&text))
        };
        let columns = COLUMNS.iter().zip(&fields).enumerate();
        let new = columns.filter(|(i, (_, text))| odd(text) && !told_before(*i));
        let new: Vec<String> = new
            .map(|(_, (name, text))| format!("{name} is {text}"))
            .collect();
        (!new.is_empty()).then(|| format!("after epoch {} {}", row.epoch, new.join(" and ")))
    }
}

/// Sums over the steps of an epoch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    /// Learning rate of the last step.
    pub(crate) lr: f64,
    /// What the steps took.
    pub(crate) seconds: f64,
    /// Of that, for data.
    pub(crate) waited: f64,
    items: usize,
    hits: i64,
    steps: usize,
    ascents: usize,
    angles: usize,
    loss: f64,
    grad_norm: f64,
    update_norm: f64,
    ascent_loss: f64,
    ascent_grad_norm: f64,
    psi: f64,
    rho: f64,
    alpha: Option<f64>,
    gradient_passes: usize,
    search_passes: usize,
}

impl Sums {
    pub(crate) fn add(&mut self, report: &StepReport, hits: Hits) {
        self.items += hits.of;
        self.hits += hits.right;
        self.steps += 1;
        self.loss += report.loss * hits.of as f64;
        self.grad_norm += report.grad_norm;
        self.update_norm += report.update_norm;
        self.rho = report.rho;
        if let (Some(loss), Some(norm)) = (report.ascent_loss, report.ascent_grad_norm) {
            self.ascents += 1;
            self.ascent_loss += loss;
            self.ascent_grad_norm += norm;
        }
        if let Some(psi) = report.psi {
            self.angles += 1;
            self.psi += psi;
        }
        self.alpha = report.alpha.or(self.alpha);
        self.gradient_passes += report.passes.gradients;
        self.search_passes += report.passes.losses;
    }

    pub(crate) fn metrics(&self, epoch: usize, scores: Option<&Scores>) -> Metrics {
        let validation = scores.map(|scores| scores.validation);
        let test = scores.map(|scores| scores.test);
        let mean = |sum: f64, n: usize| sum / n.max(1) as f64;
        let optional = |sum: f64, n: usize| (n > 0).then(|| mean(sum, n));
        Metrics {
            epoch,
            lr: self.lr,
            rho: self.rho,
            train_loss: mean(self.loss, self.items),
            train_accuracy: mean(self.hits as f64, self.items),
            validation_loss: validation.map(|score| score.loss),
            validation_accuracy: validation.map(|score| score.accuracy),
            test_loss: test.map(|score| score.loss),
            test_accuracy: test.map(|score| score.accuracy),
            validation_bleu: validation.and_then(|score| score.bleu),
            test_bleu: test.and_then(|score| score.bleu),
            alpha: self.alpha,
            psi: optional(self.psi, self.angles),
            ascent_loss: optional(self.ascent_loss, self.ascents),
            grad_norm: mean(self.grad_norm, self.steps),
            ascent_grad_norm: optional(self.ascent_grad_norm, self.ascents),
            update_norm: mean(self.update_norm, self.steps),
            gradient_passes: self.gradient_passes,
            search_passes: self.search_passes,
            seconds: self.seconds,
            waited: self.waited,
            peak_mb: peak_mb(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_told_when_it_begins() {
        let mut rows = Vec::new();
        let mut told = Vec::new();
        for (epoch, validation, test) in [
            (1, Some(0.5), Some(0.5)),
            (2, Some(f64::NAN), Some(0.5)),
            (3, None, None),
            (4, Some(f64::NAN), Some(f64::INFINITY)),
            (5, Some(0.5), Some(0.5)),
            (6, Some(f64::NAN), Some(f64::NEG_INFINITY)),
        ] {
            let mut row = Sums::default().metrics(epoch, None);
            (row.validation_loss, row.test_loss) = (validation, test);
            rows.push(row);
            told.extend(Metrics::warning(&rows));
        }
        assert_eq!(
            told,
            [
                "after epoch 2 validation_loss is NaN",
                "after epoch 4 test_loss is inf",
                "after epoch 6 validation_loss is NaN and test_loss is -inf",
            ]
        );
        assert!(Metrics::warning(&[]).is_none());
    }
}

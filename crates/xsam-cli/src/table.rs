//! The table of a comparison.

use xsam_train::{ComparisonSummary, MethodSummary, Spec, Spread};

use crate::columns::aligned;

/// What was compared, in a few lines.
pub(crate) fn heading(spec: &Spec, summary: &ComparisonSummary) -> String {
    let seeds: Vec<String> = summary.seeds.iter().map(u64::to_string).collect();
    let numbers = if spec.data.name.is_text() {
        "BLEU of the validation and test data, accuracy in % of the test tokens, and losses, all after \
         the\nlast epoch: mean and standard deviation over the seeds."
    } else {
        "Accuracies in %, mean and standard deviation over the seeds: on the training data while they \
         were\nlearned in the last epoch, on the validation data after it, and on the test data after \
         the last epoch,\nafter the epoch of the highest validation accuracy, and as mean of the last 5."
    };
    format!(
        "{}, seeds {}.\n{numbers}\n",
        spec.in_words(),
        seeds.join(", "),
    )
}

/// A row for each method.
pub(crate) fn methods(spec: &Spec, summary: &ComparisonSummary) -> String {
    let seeds = summary.seeds.len();
    if spec.data.name.is_text() {
        rows(summary, TEXT, |method| text_row(method, seeds))
    } else {
        rows(summary, IMAGES, |method| image_row(method, seeds))
    }
}

const IMAGES: [&str; 11] = [
    "method",
    "rho",
    "train",
    "validation",
    "last epoch",
    "best on validation",
    "mean of last 5",
    "train loss",
    "alpha",
    "s/epoch",
    "ratio",
];

const TEXT: [&str; 9] = [
    "method",
    "rho",
    "validation BLEU",
    "test BLEU",
    "test accuracy",
    "train loss",
    "alpha",
    "s/epoch",
    "ratio",
];

fn rows<const N: usize>(
    summary: &ComparisonSummary,
    head: [&str; N],
    row: impl Fn(&MethodSummary) -> [String; N],
) -> String {
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(summary.methods.iter().map(row));
    aligned(&rows)
}

fn image_row(method: &MethodSummary, seeds: usize) -> [String; 11] {
    let [label, rho] = method_and_rho(method, seeds);
    let [alpha, seconds, ratio] = alpha_and_time(method);
    [
        label,
        rho,
        spread(method.train_accuracy, 100.0, 1),
        spread(method.validation, 100.0, 1),
        spread(method.last, 100.0, 1),
        spread(method.best, 100.0, 1),
        spread(method.mean_of_last_5, 100.0, 1),
        spread(method.train_loss, 1.0, 3),
        alpha,
        seconds,
        ratio,
    ]
}

fn text_row(method: &MethodSummary, seeds: usize) -> [String; 9] {
    let [label, rho] = method_and_rho(method, seeds);
    let [alpha, seconds, ratio] = alpha_and_time(method);
    [
        label,
        rho,
        spread(method.validation_bleu, 1.0, 2),
        spread(method.test_bleu, 1.0, 2),
        spread(method.last, 100.0, 1),
        spread(method.train_loss, 1.0, 3),
        alpha,
        seconds,
        ratio,
    ]
}

fn method_and_rho(method: &MethodSummary, seeds: usize) -> [String; 2] {
    let label = match method.runs {
        runs if runs == seeds => method.label.clone(),
        runs => format!("{} ({runs} of {seeds} runs)", method.label),
    };
    let rho = method.method.rho;
    [
        label,
        rho.map_or_else(|| "-".to_owned(), |rho| rho.to_string()),
    ]
}

fn alpha_and_time(method: &MethodSummary) -> [String; 3] {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    [
        spread(method.alpha, 1.0, 2),
        number(method.seconds_per_epoch, 3),
        number(method.time_ratio, 2),
    ]
}

fn spread(spread: Option<Spread>, factor: f64, digits: usize) -> String {
    spread.map_or_else(
        || "-".to_owned(),
        |Spread { mean, deviation }| {
            format!(
                "{:.digits$} ± {:.digits$}",
                factor * mean,
                factor * deviation
            )
        },
    )
}

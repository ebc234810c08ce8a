//! The table of a comparison.

use xsam_train::{ComparisonSummary, MethodSummary, Spec, Spread};

use crate::columns::aligned;

/// What was compared, in a line or two.
pub(crate) fn heading(spec: &Spec, summary: &ComparisonSummary) -> String {
    let folder = match &spec.data.dir {
        None => String::new(),
        Some(dir) => format!(" {}", dir.display()),
    };
    let noise = match spec.data.label_noise {
        0.0 => String::new(),
        noise => format!(" with {} % label noise", 100.0 * noise),
    };
    let seeds: Vec<String> = summary.seeds.iter().map(u64::to_string).collect();
    format!(
        "{}{folder}{noise}, {}, {} epochs, batch {}, {} with lr {}, seeds {}.\nAccuracies in %, mean and \
         standard deviation over the seeds: on the validation data after the last\nepoch, and on \
         the test data after the last epoch, after the epoch of the highest validation\naccuracy, \
         and as mean of the last 5.\n",
        spec.data.name,
        spec.model.name,
        spec.train.epochs,
        spec.train.batch_size,
        spec.optimizer.name,
        spec.optimizer.lr,
        seeds.join(", "),
    )
}

const HEAD: [&str; 10] = [
    "method",
    "rho",
    "validation",
    "last epoch",
    "best on validation",
    "mean of last 5",
    "train loss",
    "alpha",
    "s/epoch",
    "ratio",
];

/// A row for each method.
pub(crate) fn methods(summary: &ComparisonSummary) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(
        summary
            .methods
            .iter()
            .map(|method| row(method, summary.seeds.len())),
    );
    aligned(&rows)
}

fn row(method: &MethodSummary, seeds: usize) -> [String; 10] {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    [
        match method.runs {
            runs if runs == seeds => method.label.clone(),
            runs => format!("{} ({runs} of {seeds} runs)", method.label),
        },
        method
            .method
            .rho
            .map_or_else(|| "-".to_owned(), |rho| rho.to_string()),
        spread(method.validation, 100.0, 1),
        spread(method.last, 100.0, 1),
        spread(method.best, 100.0, 1),
        spread(method.mean_of_last_5, 100.0, 1),
        spread(method.train_loss, 1.0, 3),
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

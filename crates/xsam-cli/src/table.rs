//! The table of a comparison.

use xsam_train::{
    ComparisonSummary, MethodSummary, PairedTest, Spec, Spread, TuningMeasure, TuningSummary,
};

use crate::columns::aligned;

/// What was compared, in a few lines.
pub(crate) fn heading(spec: &Spec, summary: &ComparisonSummary) -> String {
    let seeds: Vec<String> = summary.seeds.iter().map(u64::to_string).collect();
    let numbers = if spec.data.name.is_text() {
        "BLEU of the validation and test data, accuracy in % of the test tokens, and losses, all after \
         the\nlast epoch: mean and standard deviation over the seeds. p is of the test BLEU"
    } else {
        "Accuracies in %, mean and standard deviation over the seeds: on the training data while they \
         were\nlearned in the last epoch, on the validation data after it, and on the test data after \
         the last epoch,\nafter the epoch of the highest validation accuracy, and as mean of the last 5. p is \
         of those after the last epoch"
    };
    let first = summary.methods.first().map_or("", |method| &method.label);
    let mut notes = format!(
        "{numbers}\nagainst {first}'s, by a paired t-test over the seeds. Passes are forward-backward passes of a \
         run, a search's\nforward pass counted as a third of one; s/run is the time of its steps.\n"
    );
    if summary.equal_compute {
        notes.push_str(
            "At equal compute: epochs are as many as give each method the passes of the costliest one.\n",
        );
    }
    if let Some(tuning) = &summary.tuning {
        notes.push_str(&chosen(tuning));
    }
    let (experiment, seeds) = (spec.in_words(), seeds.join(", "));
    format!("{experiment}, seeds {seeds}.\n{notes}")
}

fn measure(measure: TuningMeasure) -> &'static str {
    match measure {
        TuningMeasure::ValidationAccuracy => "validation accuracy",
        TuningMeasure::ValidationBleu => "validation BLEU",
    }
}

/// The values that were chosen, and by what.
fn chosen(tuning: &TuningSummary) -> String {
    let mut text = format!(
        "In place of values of the spec, others were chosen by {} as above; test data had no part in it:\n",
        measure(tuning.measure)
    );
    for method in &tuning.methods {
        let chosen = method.candidates.iter().find(|candidate| candidate.chosen);
        let words = chosen.map_or("none yet", |candidate| &candidate.words);
        text.push_str(&format!("  {}: {words}\n", method.label));
    }
    text
}

/// The values that were tried of hyper-parameters, a row for each candidate.
pub(crate) fn candidates(tuning: &TuningSummary) -> String {
    let seeds: Vec<String> = tuning.seeds.iter().map(u64::to_string).collect();
    let (unit, factor, digits) = match tuning.measure {
        TuningMeasure::ValidationAccuracy => (" in %", 100.0, 1),
        TuningMeasure::ValidationBleu => ("", 1.0, 2),
    };
    let mut text = format!(
        "Chosen by {}{unit} after the last epoch, mean over the seeds {}:\n\n",
        measure(tuning.measure),
        seeds.join(", ")
    );
    let mut rows = vec![["method", "values", "validation", ""].map(str::to_owned)];
    for method in &tuning.methods {
        for candidate in &method.candidates {
            let runs = match candidate.runs {
                runs if runs == tuning.seeds.len() || method.candidates.len() == 1 => String::new(),
                runs => format!(" ({runs} of {} runs)", tuning.seeds.len()),
            };
            rows.push([
                format!("{}{runs}", method.label),
                candidate.words.clone(),
                spread(candidate.validation, factor, digits),
                if candidate.chosen { "chosen" } else { "" }.to_owned(),
            ]);
        }
    }
    text.push_str(&aligned(&rows));
    for omitted in tuning.methods.iter().flat_map(|method| &method.omitted) {
        text.push_str(&format!("left out: {omitted}\n"));
    }
    text
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

const IMAGES: [&str; 15] = [
    "method",
    "rho",
    "epochs",
    "train",
    "validation",
    "last epoch",
    "p",
    "best on validation",
    "mean of last 5",
    "train loss",
    "alpha",
    "passes",
    "s/run",
    "s/epoch",
    "ratio",
];

const TEXT: [&str; 13] = [
    "method",
    "rho",
    "epochs",
    "validation BLEU",
    "test BLEU",
    "p",
    "test accuracy",
    "train loss",
    "alpha",
    "passes",
    "s/run",
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

fn image_row(method: &MethodSummary, seeds: usize) -> [String; 15] {
    let [label, rho, epochs] = what(method, seeds);
    let [alpha, passes, run, epoch, ratio] = alpha_and_cost(method);
    [
        label,
        rho,
        epochs,
        spread(method.train_accuracy, 100.0, 1),
        spread(method.validation, 100.0, 1),
        spread(method.last, 100.0, 1),
        p(method.test_against_first),
        spread(method.best, 100.0, 1),
        spread(method.mean_of_last_5, 100.0, 1),
        spread(method.train_loss, 1.0, 3),
        alpha,
        passes,
        run,
        epoch,
        ratio,
    ]
}

fn text_row(method: &MethodSummary, seeds: usize) -> [String; 13] {
    let [label, rho, epochs] = what(method, seeds);
    let [alpha, passes, run, epoch, ratio] = alpha_and_cost(method);
    [
        label,
        rho,
        epochs,
        spread(method.validation_bleu, 1.0, 2),
        spread(method.test_bleu, 1.0, 2),
        p(method.test_against_first),
        spread(method.last, 100.0, 1),
        spread(method.train_loss, 1.0, 3),
        alpha,
        passes,
        run,
        epoch,
        ratio,
    ]
}

fn what(method: &MethodSummary, seeds: usize) -> [String; 3] {
    let label = match method.runs {
        runs if runs == seeds => method.label.clone(),
        runs => format!("{} ({runs} of {seeds} runs)", method.label),
    };
    let rho = method.method.rho;
    [
        label,
        rho.map_or_else(|| "-".to_owned(), |rho| rho.to_string()),
        number(method.epochs.map(|epochs| epochs as f64), 0),
    ]
}

fn alpha_and_cost(method: &MethodSummary) -> [String; 5] {
    [
        spread(method.alpha, 1.0, 2),
        number(method.passes, 0),
        number(method.seconds, 1),
        number(method.seconds_per_epoch, 3),
        number(method.time_ratio, 2),
    ]
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

fn p(test: Option<PairedTest>) -> String {
    match test.map(|test| test.p) {
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        p => number(p, 3),
    }
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

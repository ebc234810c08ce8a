//! The table of a comparison.

use xsam_lab::columns::Column;
use xsam_lab::compare::{ComparisonSummary, MethodSummary, TuningSummary};
use xsam_lab::numbers::{TERMINAL, capital, in_unit};
use xsam_lab::statistics::PairedTest;
use xsam_lab::{Score, compared, of_epochs};

use crate::columns::aligned;

/// What was compared, in a few lines.
pub(crate) fn heading(summary: &ComparisonSummary) -> String {
    let seeds: Vec<String> = summary.seeds.iter().map(u64::to_string).collect();
    let (first, of) = (of_epochs(&summary.scores), compared(&summary.scores));
    let numbers = if of == first {
        format!(
            "{}, mean and standard deviation over the seeds: on the training data while they \
             were\nlearned in the last epoch, on the validation data after it, and on the test data after \
             the last epoch,\nafter the epoch of the {} validation {}, and as mean of the last 5. p is \
             of the one after the last epoch",
            capital(&named(&first)),
            first.better.best(),
            first.name,
        )
    } else {
        let others = summary.scores.iter().filter(|score| **score != of);
        let others: Vec<String> = others
            .map(|score| format!("{} of the test data", named(score)))
            .collect();
        format!(
            "{} of the validation and test data, {}, and losses, all after \
             the\nlast epoch: mean and standard deviation over the seeds. p is of the test {}",
            capital(&named(&of)),
            others.join(", "),
            of.name,
        )
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
    let (experiment, seeds) = (&summary.about.words, seeds.join(", "));
    format!("{experiment}, seeds {seeds}.\n{notes}")
}

/// A score with its unit.
fn named(score: &Score) -> String {
    format!("{}{}", score.name, in_unit(&score.unit))
}

/// The values that were chosen, and by what.
fn chosen(tuning: &TuningSummary) -> String {
    let mut text = format!(
        "In place of values of the spec, others were chosen by validation {} as above; test data had no part in it:\n",
        tuning.score.name
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
    let mut text = format!(
        "Chosen by validation {} after the last epoch, mean over the seeds {}:\n\n",
        named(&tuning.score),
        seeds.join(", ")
    );
    let mut rows = Vec::new();
    for method in &tuning.methods {
        for candidate in &method.candidates {
            let runs = match candidate.runs {
                runs if runs == tuning.seeds.len() || method.candidates.len() == 1 => String::new(),
                runs => format!(" ({runs} of {} runs)", tuning.seeds.len()),
            };
            rows.push([
                format!("{}{runs}", method.label),
                candidate.words.clone(),
                TERMINAL.spread(
                    candidate.validation,
                    &tuning.score.unit,
                    tuning.score.digits,
                ),
                if candidate.chosen { "chosen" } else { "" }.to_owned(),
            ]);
        }
    }
    text.push_str(&aligned(&["method", "values", "validation", ""], rows));
    for omitted in tuning.methods.iter().flat_map(|method| &method.omitted) {
        text.push_str(&format!("left out: {omitted}\n"));
    }
    text
}

/// A row for each method.
pub(crate) fn methods(summary: &ComparisonSummary) -> String {
    let shown = shown(summary);
    let is_compared = |column: &Column| Some(column) == summary.compared();
    let mut head = vec!["method", "rho", "epochs"];
    for column in &shown {
        head.push(&column.short);
        head.extend(is_compared(column).then_some("p"));
    }
    head.extend(["passes", "s/run", "s/epoch", "ratio"]);
    let rows = summary.methods.iter().map(|method| {
        let mut row: Vec<String> = what(method, summary.seeds.len()).into();
        for column in &shown {
            let spread = method.spreads.get(&*column.name).copied();
            row.push(TERMINAL.spread(spread, &column.unit, column.digits));
            row.extend(is_compared(column).then(|| p(method.test_against_first)));
        }
        row.extend([
            TERMINAL.fixed(method.passes, 0),
            TERMINAL.fixed(method.seconds, 1),
            TERMINAL.fixed(method.seconds_per_epoch, 3),
            TERMINAL.fixed(method.time_ratio, 2),
        ]);
        row
    });
    aligned(&head, rows)
}

/// The columns that are shown: what is compared, the other scores, and the rest; training, validation and test data.
fn shown(summary: &ComparisonSummary) -> Vec<&Column> {
    let compared = summary.compared().map(|column| &column.score);
    let shown = summary
        .columns
        .iter()
        .filter(|column| !column.short.is_empty());
    let mut shown: Vec<&Column> = shown.collect();
    shown.sort_by_key(|column| match &column.score {
        score if Some(score) == compared => (0, column.part),
        Some(_) => (1, column.part),
        None => (2, None),
    });
    shown
}

fn what(method: &MethodSummary, seeds: usize) -> [String; 3] {
    let label = match method.runs {
        runs if runs == seeds => method.label.clone(),
        runs => format!("{} ({runs} of {seeds} runs)", method.label),
    };
    let rho = method.method.as_ref().and_then(|method| method.rho());
    [
        label,
        rho.map_or_else(|| "-".to_owned(), |rho| rho.to_string()),
        TERMINAL.fixed(method.epochs.map(|epochs| epochs as f64), 0),
    ]
}

fn p(test: Option<PairedTest>) -> String {
    match test.map(|test| test.p) {
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        p => TERMINAL.fixed(p, 3),
    }
}

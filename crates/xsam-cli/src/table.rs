//! The table of a comparison.

use xsam_lab::columns::Column;
use xsam_lab::compare::{ComparisonSummary, MethodSummary, SweptField, TuningSummary};
use xsam_lab::numbers::{TERMINAL, capital, count, in_unit};
use xsam_lab::spec::plain;
use xsam_lab::statistics::CONFIDENCE;
use xsam_lab::{Score, compared, of_epochs};

use crate::columns::aligned;

/// More pairs than these no terminal shows at a glance; `compare.json` and the report have them.
const MOST_PAIRS: usize = 10;

/// Characters on a line of running text.
const WIDTH: usize = 112;

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
    let first = summary
        .methods
        .first()
        .map_or("", MethodSummary::method_label);
    let by_itself = match summary.sweep {
        Some(_) => ", each test by itself",
        None => "",
    };
    let mut notes = format!(
        "{numbers}\nagainst {first}'s, by a paired t-test over the seeds{by_itself}. Passes are forward-backward passes of a \
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
            let runs = match (candidate.runs, candidate.left_out_after) {
                (_, Some(made)) => format!(" (left out after {})", count(made, "seed", "seeds")),
                (runs, _) if runs == tuning.seeds.len() || method.candidates.len() == 1 => {
                    String::new()
                }
                (runs, _) => format!(" ({runs} of {} runs)", tuning.seeds.len()),
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
    let swept = swept(summary);
    let mut head = vec!["method"];
    head.push("rho");
    head.extend(swept.iter().map(|field| &*field.name));
    head.push("epochs");
    for column in &shown {
        head.push(&column.short);
        head.extend(is_compared(column).then_some("p"));
    }
    head.extend(["passes", "s/run", "s/epoch", "ratio"]);
    let rows = summary.methods.iter().map(|method| {
        let mut row = vec![name(method, summary.seeds.len())];
        let rho = method.method.as_ref().and_then(|method| method.rho());
        row.push(rho.map_or_else(|| TERMINAL.missing.to_owned(), |rho| rho.to_string()));
        row.extend(swept.iter().map(|field| {
            let value = method.values.get(&field.name);
            value.map_or_else(|| TERMINAL.missing.to_owned(), plain)
        }));
        row.push(TERMINAL.fixed(method.epochs.map(|epochs| epochs as f64), 0));
        for column in &shown {
            let spread = method.spreads.get(&*column.name).copied();
            row.push(TERMINAL.spread(spread, &column.unit, column.digits));
            row.extend(
                is_compared(column).then(|| p(method.test_against_first.map(|test| test.p))),
            );
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

/// What came out in sentences, and how any two methods differ.
pub(crate) fn conclusion(summary: &ComparisonSummary) -> String {
    let mut parts: Vec<String> = Vec::new();
    if (2..=MOST_PAIRS).contains(&summary.pairs.len()) {
        parts.push(pairs(summary));
    }
    let sentences = summary.sentences.iter().chain(&summary.seeds_needed);
    let sentences = sentences.map(|sentence| format!("{}\n", wrapped(sentence)));
    let sentences: String = sentences.collect();
    parts.extend((!sentences.is_empty()).then_some(sentences));
    parts.join("\n")
}

/// A row for any two methods that are set against each other.
fn pairs(summary: &ComparisonSummary) -> String {
    let score = compared(&summary.scores);
    let confidence = TERMINAL.fixed(100.0 * CONFIDENCE, 0);
    let head = [
        "against each other".to_owned(),
        format!("difference{}", in_points(&score)),
        format!("{confidence} % interval"),
        "p (Holm)".to_owned(),
        "Wilcoxon (Holm)".to_owned(),
        "seeds for a point".to_owned(),
    ];
    let head = match &*score.unit {
        "%" => head,
        _ => {
            let mut head = head;
            head[5] = "seeds for 1 %".to_owned();
            head
        }
    };
    let rows = summary.pairs.iter().map(|pair| {
        let interval = pair
            .test
            .map(|test| test.interval.map(|end| score.bare(end)));
        let sign = if pair.difference > 0.0 { "+" } else { "" };
        [
            format!("{} - {}", pair.second, pair.first),
            format!("{sign}{}", score.bare(pair.difference)),
            interval.map_or_else(
                || TERMINAL.missing.to_owned(),
                |[low, high]| format!("{low} to {high}"),
            ),
            p(pair.p),
            p(pair.wilcoxon),
            pair.seeds_needed
                .map_or_else(|| TERMINAL.missing.to_owned(), |seeds| seeds.to_string()),
        ]
    });
    aligned(&head, rows)
}

/// The unit of differences, behind a name.
fn in_points(score: &Score) -> String {
    match &*score.unit {
        "%" => " in points".to_owned(),
        unit => in_unit(unit),
    }
}

/// The sentence on lines of a terminal.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
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

/// The fields of a sweep that have no column in any case.
fn swept(summary: &ComparisonSummary) -> Vec<&SweptField> {
    let fields = summary.sweep.iter().flat_map(|sweep| &sweep.fields);
    fields.filter(|field| field.name != "rho").collect()
}

/// The label, with what is to be known of the runs.
fn name(method: &MethodSummary, seeds: usize) -> String {
    let mut notes = Vec::new();
    if method.runs != seeds {
        notes.push(format!("{} of {seeds} runs", method.runs));
    }
    if !method.collapsed.is_empty() {
        notes.push(format!("{} collapsed", method.collapsed.len()));
    }
    match notes.is_empty() {
        true => method.label.clone(),
        false => format!("{} ({})", method.label, notes.join(", ")),
    }
}

fn p(p: Option<f64>) -> String {
    match p {
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        p => TERMINAL.fixed(p, 3),
    }
}

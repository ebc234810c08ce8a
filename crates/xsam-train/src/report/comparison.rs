//! The page of a comparison.

use super::curves::{Curves, Drawing, Palette};
use super::outcome::{Outcome, Score};
use super::page::{Block, Page, Section};
use super::results::{left_out, results};
use super::shared;
use super::source::{ComparisonSource, MethodSource, RunSource};
use super::table::{Head, Table, TableRow};
use super::text::{self, MISSING, capital, in_unit};
use crate::curve;
use crate::metrics::Metrics;
use crate::plot::Line;

pub(super) fn page(source: &ComparisonSource) -> Page {
    let score = Score::new(source.spec.data.name.is_text());
    let outcome = Outcome::new(source, score);
    let labels: Vec<&str> = source.methods.iter().map(|method| &*method.label).collect();
    let seeds: Vec<String> = source.seeds.iter().map(u64::to_string).collect();
    let runs: Vec<(String, &RunSource)> = source
        .runs()
        .map(|(method, run)| (format!("{}, seed {}", method.label, run.summary.seed), run))
        .collect();
    let mut sections = vec![
        results(source, score),
        curves(source, score),
        searches(source),
    ];
    sections.extend(shared::flatness(&runs));
    sections.extend(shared::landscapes(&runs));
    sections.push(runs_section(&runs, score));
    sections.push(shared::again(
        "compare",
        &source.directory,
        &source.spec,
        &source.text,
        None,
    ));
    Page {
        title: format!("{}: {}", source.spec.data_in_words(), labels.join(", ")),
        subtitle: format!(
            "{}, {} {}",
            source.spec.in_words(),
            if seeds.len() == 1 { "seed" } else { "seeds" },
            seeds.join(", ")
        ),
        headline: outcome.headline,
        lead: outcome.lead,
        remark: outcome.remark,
        notices: notices(source, &runs),
        figures: outcome.figures,
        sections,
    }
}

fn notices(source: &ComparisonSource, runs: &[(String, &RunSource)]) -> Vec<String> {
    let mut notices = Vec::new();
    for (name, run) in runs {
        if let Some(error) = &run.summary.error {
            notices.push(format!("{name} failed: {error}"));
        }
    }
    let (all, finished) = source.progress();
    if finished < all {
        notices.push(format!(
            "{finished} of {all} runs are finished; the others are not in the numbers below."
        ));
    }
    notices.extend(source.warnings.iter().cloned());
    notices.extend(warnings(runs));
    notices.extend(left_out(source));
    notices.extend(source.notices.iter().cloned());
    notices
}

/// What the runs have warned of, a sentence with all runs that it is of.
fn warnings(runs: &[(String, &RunSource)]) -> Vec<String> {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, run) in runs {
        for warning in run.warnings() {
            match told.iter_mut().find(|(sentence, _)| *sentence == warning) {
                Some((_, of)) => of.push(name),
                None => told.push((warning, vec![name])),
            }
        }
    }
    let all = runs.len();
    let told = told.into_iter().map(|(sentence, of)| match of.len() {
        n if n == all && n > 1 => format!("all runs: {sentence}"),
        _ => format!("{}: {sentence}", of.join("; ")),
    });
    told.collect()
}

type Column = fn(&Metrics) -> Option<f64>;

fn curves(source: &ComparisonSource, score: Score) -> Section {
    let title = format!("{} after each epoch", capital(score.name));
    let mut drawings: Vec<Drawing> = Vec::new();
    let value = |row: &Metrics| score.of_epoch(row);
    let y = format!("{}{}", score.name, in_unit(score.unit));
    drawings.extend(over_epochs(source, &title, &y, &value));
    let columns: [(&str, &str, Column); 5] = [
        ("Training accuracy", "accuracy in % while learned", |row| {
            Some(100.0 * row.train_accuracy)
        }),
        ("Training loss at the weights", "training loss", |row| {
            Some(row.train_loss)
        }),
        ("Validation loss", "validation loss", |row| {
            row.validation_loss
        }),
        ("Position on the arc", "alpha", |row| row.alpha),
        (
            "Angle of displacement and ascent gradient",
            "psi in radians",
            |row| row.psi,
        ),
    ];
    for (title, y, column) in columns {
        drawings.extend(over_epochs(source, title, y, &column));
    }
    Section {
        title: "How they got there".to_owned(),
        note: "Lines are means over the finished runs of a method, bands reach from the lowest of them to the highest."
            .to_owned(),
        blocks: vec![Block::Curves(drawings)],
    }
}

/// A curve for each method, if there is any.
fn over_epochs(
    source: &ComparisonSource,
    title: &str,
    y: &str,
    column: &dyn Fn(&Metrics) -> Option<f64>,
) -> Option<Drawing> {
    let line = |(number, method): (usize, &MethodSource)| {
        let runs: Vec<&[Metrics]> = method.finished().map(|run| &*run.epochs).collect();
        Line {
            label: method.label.clone(),
            colour: number,
            points: curve::over_epochs(&runs, column, |epoch| Some(epoch as f64)),
        }
    };
    Curves {
        title,
        x: "epoch",
        y,
        lines: source.methods.iter().enumerate().map(line).collect(),
        palette: Palette::Methods,
        mark_highest: false,
    }
    .drawing()
}

/// The searches of the first run of each method that has searched.
fn searches(source: &ComparisonSource) -> Section {
    let drawing = |method: &MethodSource| {
        let run = method.finished().find(|run| !run.searches.is_empty())?;
        let title = format!("{}, seed {}", method.label, run.summary.seed);
        super::search::drawing(&title, &run.searches)
    };
    shared::searches(source.methods.iter().filter_map(drawing).collect())
}

/// How a run stands, and whether there is something to know of it.
fn state(run: &RunSource) -> String {
    let state = shared::state(run.summary.status);
    match run.warnings().count() {
        0 => state.to_owned(),
        n => format!("{state}, {}", text::count(n, "warning", "warnings")),
    }
}

/// A row for each run that has begun.
fn runs_section(runs: &[(String, &RunSource)], score: Score) -> Section {
    let head = [
        "run",
        "",
        "epochs",
        "best on validation",
        "training loss",
        "alpha",
        "time",
        "state",
    ];
    let mut head = head.map(Head::plain);
    head[1] = Head::plain(&format!("{}{}", score.name, in_unit(score.unit)));
    let row = |(name, run): &(String, &RunSource)| {
        let summary = &run.summary;
        let best = summary.best.as_ref().and_then(|row| {
            Some(format!(
                "{} in epoch {}",
                text::fixed(score.of_epoch(row)?, score.digits),
                row.epoch
            ))
        });
        TableRow::plain(
            name,
            [
                text::fixed(score.of_run(run), score.digits),
                summary.epochs.to_string(),
                best.unwrap_or_else(|| MISSING.to_owned()),
                text::fixed(summary.last.as_ref().map(|row| row.train_loss), 3),
                text::fixed(summary.last.as_ref().and_then(|row| row.alpha), 2),
                text::duration(run.seconds()),
                state(run),
            ],
        )
    };
    Section {
        title: "The runs".to_owned(),
        note: String::new(),
        blocks: vec![Block::Table(Table {
            head: head.into(),
            rows: runs.iter().map(row).collect(),
        })],
    }
}

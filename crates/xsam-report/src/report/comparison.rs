//! The page of a comparison.

use super::curves::{Curves, Drawing, Palette};
use super::outcome::{Judged, Outcome};
use super::page::{Block, Page, Section};
use super::results::results;
use super::shared;
use super::source::{ComparisonSource, MethodSource, RunSource};
use super::table::{Head, Table, TableRow};
use crate::curve;
use crate::plot::Line;
use xsam_lab::Metrics;
use xsam_lab::columns::{Column, OverSeeds, columns};
use xsam_lab::numbers::{PAGE, capital, count};

pub(super) fn page(source: &ComparisonSource, program: &str) -> Page {
    let score = &Judged::by(&source.summary.scores);
    let outcome = Outcome::new(source, score);
    let labels: Vec<&str> = source.methods.iter().map(MethodSource::label).collect();
    let seeds: Vec<String> = source.summary.seeds.iter().map(u64::to_string).collect();
    let runs: Vec<(String, &RunSource)> = source
        .runs()
        .map(|(method, run)| {
            (
                format!("{}, seed {}", method.label(), run.summary.seed),
                run,
            )
        })
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
        (program, "compare"),
        &source.directory,
        &source.summary.about,
        &source.text,
        None,
    ));
    Page {
        title: format!("{}: {}", source.summary.about.learned, labels.join(", ")),
        subtitle: format!(
            "{}, {} {}",
            source.summary.about.words,
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
    notices.extend(source.summary.warnings.iter().cloned());
    notices.extend(warnings(runs));
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

/// Of each column that is shown over seeds, what is compared first.
fn curves(source: &ComparisonSource, score: &Judged) -> Section {
    let columns = columns(&source.summary.scores);
    let others = columns.iter().filter(|column| {
        column.over_seeds != OverSeeds::Nothing && column.name != score.column.name
    });
    let others = others.map(|column| (column.chart_of_one(&columns), column));
    let first = format!("{} after each epoch", capital(score.title()));
    let all = [(first, &score.column)].into_iter().chain(others);
    let drawings = all.filter_map(|(title, column)| over_epochs(source, &title, column));
    Section {
        title: "How they got there".to_owned(),
        note: "Lines are means over the finished runs of a method, bands reach from the lowest of them to the highest."
            .to_owned(),
        blocks: vec![Block::Curves(drawings.collect())],
    }
}

/// A curve for each method, if there is any.
fn over_epochs(source: &ComparisonSource, title: &str, column: &Column) -> Option<Drawing> {
    let line = |(number, method): (usize, &MethodSource)| {
        let runs: Vec<&[Metrics]> = method.finished().map(|run| &*run.epochs).collect();
        Line {
            label: method.label().to_owned(),
            colour: number,
            points: curve::over_epochs(&runs, column, |epoch| Some(epoch as f64)),
        }
    };
    Curves {
        title,
        x: "epoch",
        y: &column.axis(),
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
        let title = format!("{}, seed {}", method.label(), run.summary.seed);
        super::search::drawing(&title, &run.searches)
    };
    shared::searches(source.methods.iter().filter_map(drawing).collect())
}

/// How a run stands, and whether there is something to know of it.
fn state(run: &RunSource) -> String {
    let state = shared::state(run.summary.status);
    match run.warnings().count() {
        0 => state.to_owned(),
        n => format!("{state}, {}", count(n, "warning", "warnings")),
    }
}

/// A row for each run that has begun.
fn runs_section(runs: &[(String, &RunSource)], score: &Judged) -> Section {
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
    head[1] = Head::plain(&score.column.axis());
    let row = |(name, run): &(String, &RunSource)| {
        let summary = &run.summary;
        let last = |column: &str| summary.last.as_ref().and_then(|row| row.get(column));
        let best = summary.best.as_ref().and_then(|row| {
            Some(format!(
                "{} in epoch {}",
                score.fixed(Some(score.of_epoch(row)?)),
                row.epoch
            ))
        });
        TableRow::plain(
            name,
            [
                score.fixed(score.of_run(run)),
                summary.epochs.to_string(),
                best.unwrap_or_else(|| PAGE.missing.to_owned()),
                PAGE.fixed(last("train_loss"), 3),
                PAGE.fixed(last("alpha"), 2),
                PAGE.duration(run.seconds()),
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

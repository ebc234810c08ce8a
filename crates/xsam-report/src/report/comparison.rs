//! The page of a comparison.

use super::curves::{Curves, Palette};
use super::judged::Judged;
use super::outcome::outcome;
use super::page::{Block, Page, Section};
use super::results::results;
use super::source::{ComparisonSource, RunSource};
use super::table::{Head, Table, TableRow};
use super::{pairs, search, shared, sweep};
use xsam_lab::columns::{OverSeeds, columns};
use xsam_lab::numbers::{PAGE, capital, count};
use xsam_lab::spec::plain;

pub(super) fn page(source: &ComparisonSource, program: &str) -> Page {
    let (summary, runs) = (&source.summary, source.runs());
    let score = &Judged::by(&summary.scores);
    let mut labels: Vec<&str> = Vec::new();
    for method in &source.methods {
        let label = method.summary.method_label();
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let seeds: Vec<String> = summary.seeds.iter().map(u64::to_string).collect();
    let seed = if seeds.len() == 1 { "seed" } else { "seeds" };
    let [flatness, landscapes] = shared::measured(&runs);
    let about = &summary.about;
    let command = (program, "compare");
    let over = summary.sweep.as_ref().map_or_else(String::new, |sweep| {
        let swept = sweep.fields.iter().map(|field| {
            let values: Vec<String> = field.values.iter().map(plain).collect();
            format!(", {} {}", field.name, values.join(", "))
        });
        swept.collect()
    });
    Page {
        title: format!("{}: {}", about.learned, labels.join(", ")),
        subtitle: format!("{}{over}, {seed} {}", about.words, seeds.join(", ")),
        notices: notices(source, &runs),
        sections: sweep::section(source, score)
            .into_iter()
            .chain([
                results(source, score),
                pairs::section(source, score),
                curves(source, score),
                searches(source),
                flatness,
                landscapes,
                runs_section(&runs, score),
                shared::again(command, &source.directory, about, &source.text, None, None),
            ])
            .collect(),
        ..outcome(source, score)
    }
}

fn notices(source: &ComparisonSource, runs: &[(String, &RunSource)]) -> Vec<String> {
    let failed = runs.iter().filter_map(|(name, run)| {
        let error = run.summary.error.as_ref()?;
        Some(format!("{name} failed: {error}"))
    });
    let mut notices: Vec<String> = failed.collect();
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
    let drawings = all.filter_map(|(title, column)| {
        let lines = source.drawn().into_iter();
        let lines = lines.map(|(m, method)| {
            let colour = source.line_colour(m);
            method.curve(colour, column, |epoch| Some(epoch as f64))
        });
        Curves {
            title: &title,
            x: "epoch",
            y: &column.axis(),
            lines: lines.collect(),
            palette: Palette::Methods,
            places: Vec::new(),
        }
        .drawing()
    });
    let which = match source.summary.sweep {
        Some(_) => " Each method has its best value.",
        None => "",
    };
    Section::new(
        "How they got there",
        format!(
            "Lines are means over the finished runs of a method, bands reach from the lowest of them to the highest.{which}"
        ),
        vec![Block::Curves(drawings.collect())],
    )
}

/// The searches of the first run of each method that has searched.
fn searches(source: &ComparisonSource) -> Section {
    shared::searches(source.drawn().into_iter().filter_map(|(_, method)| {
        let run = method.finished().find(|run| !run.searches.is_empty())?;
        search::drawing(&method.name_of(run), &run.searches)
    }))
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
    head[1] = Head::plain(score.column.axis());
    let row = |(name, run): &(String, &RunSource)| {
        let summary = &run.summary;
        let last = |column: &str| summary.last.as_ref().and_then(|row| row.get(column));
        let best = summary.best.as_ref().and_then(|row| {
            let value = score.fixed(Some(score.of_epoch(row)?));
            Some(format!("{value} in epoch {}", row.epoch))
        });
        TableRow::new(
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
    let table = Table {
        head: head.into(),
        rows: runs.iter().map(row).collect(),
    };
    Section::new("The runs", "", vec![Block::Table(table)])
}

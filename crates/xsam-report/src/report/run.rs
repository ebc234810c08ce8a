//! The page of a run.

use super::curves::{Curves, Drawing, Palette};
use super::judged::Judged;
use super::page::{Block, Figure, Page, Section};
use super::source::RunSource;
use super::table::{Head, Table, TableRow};
use super::{search, shared};
use crate::plot::{Line, Point};
use xsam_lab::columns::{Column, columns};
use xsam_lab::numbers::{PAGE, count, in_unit};
use xsam_lab::{Metrics, Status};

pub(super) fn page(source: &RunSource, program: &str) -> Page {
    let summary = &source.summary;
    let about = &summary.about;
    let score = &Judged::by(&summary.scores);
    let rho = about.method.rho().map(|rho| format!(" with rho {rho}"));
    let method = format!("{}{}", about.method.name(), rho.unwrap_or_default());
    let named = [(format!("seed {}", summary.seed), source)];
    let [flatness, landscapes] = shared::measured(&named);
    let came_to = summary.spec.as_ref();
    let came_to = came_to.and_then(|spec| toml::to_string(spec).ok());
    let command = (program, "train");
    let failed = summary.error.iter();
    let failed = failed.map(|error| format!("It failed: {error}"));
    let warnings = source.warnings().map(str::to_owned);
    Page {
        title: format!("{} on {}", about.method.name(), about.learned),
        subtitle: format!("{}, {method}, seed {}", about.words, summary.seed),
        headline: headline(source, score),
        notices: failed
            .chain(warnings)
            .chain(source.notices.iter().cloned())
            .collect(),
        figures: figures(source, score),
        sections: vec![
            Section::new(
                "Results",
                "Training values are means over the epoch, while the weights were trained.",
                vec![Block::Table(table(source, score))],
            ),
            Section::new(
                "How it got there",
                "",
                vec![Block::Curves(curves(source, score))],
            ),
            shared::searches(search::drawing("Loss along the arc", &source.searches)),
            flatness,
            landscapes,
            shared::again(
                command,
                &source.directory,
                about,
                &source.text,
                came_to,
                summary.ranks,
            ),
        ],
        ..Page::default()
    }
}

fn headline(source: &RunSource, score: &Judged) -> String {
    let summary = &source.summary;
    let (name, state) = (summary.about.method.name(), shared::state(summary.status));
    let Some(last) = source.epochs.last() else {
        return format!("{name}: {state} before the end of its first epoch.");
    };
    let rows = source.epochs.iter().rev();
    let mut scored = rows.filter_map(|row| Some((row.epoch, score.of_epoch(row)?)));
    let told = |value: f64| format!("{} {}", score.told(value), score.title());
    let reached = match scored.next() {
        Some((epoch, value)) if epoch == summary.epochs => told(value),
        Some((epoch, value)) => format!("{} after epoch {epoch}", told(value)),
        None => {
            let loss = PAGE.fixed(last.get("train_loss"), 3);
            format!("a training loss of {loss}")
        }
    };
    let all = count(summary.about.train.epochs, "epoch", "epochs");
    let done = summary.epochs;
    match summary.status {
        Status::Finished => {
            let epochs = count(done, "epoch", "epochs");
            format!("{name} reached {reached} after {epochs}.")
        }
        Status::Failed => format!("{name} failed after {done} of {all}; it had reached {reached}."),
        Status::Interrupted | Status::Running => {
            format!("{name} is {state}: {done} of {all}, {reached} so far.")
        }
    }
}

fn figures(source: &RunSource, score: &Judged) -> Vec<Figure> {
    let summary = &source.summary;
    let (last, best) = (summary.last.as_ref(), summary.best.as_ref());
    let of = |row: Option<&Metrics>| Some(score.told(score.of_epoch(row?)?));
    let epoch = best.map(|best| format!("epoch {}", best.epoch));
    let loss = last.and_then(|row| row.get("train_loss"));
    let peak = source.epochs.iter().filter_map(|row| row.get("peak_mb"));
    let peak = peak.reduce(f64::max);
    let figures = [
        (score.title(), of(last), "after the last epoch".to_owned()),
        ("best on validation", of(best), epoch.unwrap_or_default()),
        (
            "training loss",
            loss.map(|loss| PAGE.fixed(loss, 3)),
            "last epoch".to_owned(),
        ),
        (
            "time of an epoch",
            summary
                .seconds_per_epoch
                .map(|seconds| PAGE.duration(seconds)),
            format!("{} in all", PAGE.duration(source.seconds())),
        ),
        (
            "peak memory",
            peak.map(|mb| format!("{} MB", PAGE.fixed(mb, 0))),
            String::new(),
        ),
    ];
    let known = figures.into_iter();
    let known = known.filter_map(|(name, value, note)| Some(Figure::new(name, value?, note)));
    known.collect()
}

/// The columns of a run: first the score that it is judged by, then the others, then the rest.
fn in_order(source: &RunSource, score: &Judged) -> Vec<Column> {
    let mut columns = columns(&source.summary.scores);
    columns.sort_by_key(|column| match &column.score {
        Some(_) if column.score == score.column.score => 0,
        Some(_) => 1,
        None => 2,
    });
    columns
}

/// The last epoch beside the best one.
fn table(source: &RunSource, score: &Judged) -> Table {
    let summary = &source.summary;
    let head = |what: &str, row: Option<&Metrics>| {
        let epoch = row.map_or_else(|| PAGE.missing.to_owned(), |row| row.epoch.to_string());
        Head::plain(format!("{what}: epoch {epoch}"))
    };
    let (last, best) = (summary.last.as_ref(), summary.best.as_ref());
    let measured = |column: Column| {
        let values = [last, best].map(|row| row.and_then(|row| row.get(&column.name)));
        let any = values.iter().any(Option::is_some);
        any.then(|| {
            let shown = |value| PAGE.fixed(value, column.digits_of_one());
            let cells = values.map(|value| shown(value.map(|value| column.shown(value))));
            TableRow::new(column.heading(), cells)
        })
    };
    Table {
        head: vec![
            Head::default(),
            head("last", last),
            head("best on validation", best),
        ],
        rows: in_order(source, score)
            .into_iter()
            .filter_map(measured)
            .collect(),
    }
}

/// A plot for each chart, with the columns that are drawn in it.
fn curves(source: &RunSource, score: &Judged) -> Vec<Drawing> {
    let mut charts: Vec<(String, Vec<Column>)> = Vec::new();
    for column in in_order(source, score) {
        match charts.iter_mut().find(|(title, _)| *title == column.chart) {
            Some((_, columns)) => columns.push(column),
            None => charts.push((column.chart.to_string(), vec![column])),
        }
    }
    let drawing = |(title, columns): &(String, Vec<Column>)| {
        let line = |(colour, column): (usize, &Column)| {
            let rows = source.epochs.iter();
            let value = |row: &Metrics| Some(column.shown(row.get(&column.name)?));
            let points = rows.filter_map(|row| Some(Point::at(row.epoch as f64, value(row)?)));
            Line {
                label: column.title.to_string(),
                colour,
                points: points.collect(),
            }
        };
        let y = match &columns[..] {
            [column] => column.axis(),
            columns => format!("{title}{}", in_unit(&columns[0].unit)),
        };
        Curves {
            title,
            x: "epoch",
            y: &y,
            lines: columns.iter().enumerate().map(line).collect(),
            palette: Palette::Methods,
            places: Vec::new(),
        }
        .drawing()
    };
    let charts = charts.iter().filter(|(title, _)| !title.is_empty());
    charts.filter_map(drawing).collect()
}

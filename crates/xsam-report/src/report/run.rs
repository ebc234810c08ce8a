//! The page of a run.

use super::curves::{Curves, Drawing, Palette};
use super::outcome::Judged;
use super::page::{Block, Figure, Page, Section};
use super::search;
use super::shared;
use super::source::RunSource;
use super::table::{Head, Table, TableRow};
use crate::plot::{Line, Point};
use xsam_lab::columns::Column;
use xsam_lab::numbers::{PAGE, count, in_unit};
use xsam_lab::{Metrics, Status};

pub(super) fn page(source: &RunSource, program: &str) -> Page {
    let summary = &source.summary;
    let about = &summary.about;
    let score = &Judged::by(&summary.scores);
    let rho = about.method.rho().map(|rho| format!(" with rho {rho}"));
    let method = format!("{}{}", about.method.name(), rho.unwrap_or_default());
    let named = [(format!("seed {}", summary.seed), source)];
    let mut sections = vec![
        Section {
            title: "Results".to_owned(),
            note: "Training values are means over the epoch, while the weights were trained."
                .to_owned(),
            blocks: vec![Block::Table(table(source, score))],
        },
        Section {
            title: "How it got there".to_owned(),
            note: String::new(),
            blocks: vec![Block::Curves(curves(source, score))],
        },
        shared::searches(
            search::drawing("Loss along the arc", &source.searches)
                .into_iter()
                .collect(),
        ),
    ];
    sections.extend(shared::flatness(&named));
    sections.extend(shared::landscapes(&named));
    let came_to = summary.spec.as_ref();
    sections.push(shared::again(
        (program, "train"),
        &source.directory,
        about,
        &source.text,
        came_to.and_then(|spec| toml::to_string(spec).ok()),
    ));
    let mut notices: Vec<String> = summary
        .error
        .iter()
        .map(|error| format!("It failed: {error}"))
        .collect();
    notices.extend(source.warnings().map(str::to_owned));
    notices.extend(source.notices.iter().cloned());
    Page {
        title: format!("{} on {}", about.method.name(), about.learned),
        subtitle: format!("{}, {method}, seed {}", about.words, summary.seed),
        headline: headline(source, score),
        lead: String::new(),
        remark: String::new(),
        notices,
        figures: figures(source, score),
        sections,
    }
}

fn headline(source: &RunSource, score: &Judged) -> String {
    let summary = &source.summary;
    let about = &summary.about;
    let last = source.epochs.iter().rev();
    let reached = last
        .clone()
        .find_map(|row| Some((row.epoch, score.of_epoch(row)?)));
    let epochs = count(summary.epochs, "epoch", "epochs");
    let of = format!(
        "{} of {epochs}",
        summary.epochs,
        epochs = count(about.train.epochs, "epoch", "epochs")
    );
    let reached = match reached {
        Some((epoch, value)) if epoch == summary.epochs => {
            format!("{} {}", score.told(value), score.title())
        }
        Some((epoch, value)) => {
            format!(
                "{} {} after epoch {epoch}",
                score.told(value),
                score.title()
            )
        }
        None => match last.clone().next() {
            Some(row) => format!(
                "a training loss of {}",
                PAGE.fixed(row.get("train_loss"), 3)
            ),
            None => {
                return format!(
                    "{}: {} before the end of its first epoch.",
                    about.method.name(),
                    shared::state(summary.status)
                );
            }
        },
    };
    let name = about.method.name();
    match summary.status {
        Status::Finished => format!("{name} reached {reached} after {epochs}."),
        Status::Failed => format!("{name} failed after {of}; it had reached {reached}."),
        Status::Interrupted | Status::Running => {
            let state = shared::state(summary.status);
            format!("{name} is {state}: {of}, {reached} so far.")
        }
    }
}

fn figures(source: &RunSource, score: &Judged) -> Vec<Figure> {
    let summary = &source.summary;
    let mut figures = Vec::new();
    let mut add = |name: &str, value: Option<String>, note: String| {
        figures.extend(value.map(|value| Figure {
            name: name.to_owned(),
            value,
            note,
        }));
    };
    let of = |row: Option<&Metrics>| {
        row.and_then(|row| score.of_epoch(row))
            .map(|value| score.told(value))
    };
    add(
        score.title(),
        of(summary.last.as_ref()),
        "after the last epoch".to_owned(),
    );
    if let Some(best) = &summary.best {
        let note = format!("epoch {}", best.epoch);
        add("best on validation", of(Some(best)), note);
    }
    let loss = summary.last.as_ref().and_then(|row| row.get("train_loss"));
    let loss = loss.map(|loss| PAGE.fixed(loss, 3));
    add("training loss", loss, "last epoch".to_owned());
    let total = format!("{} in all", PAGE.duration(source.seconds()));
    add(
        "time of an epoch",
        summary
            .seconds_per_epoch
            .map(|seconds| PAGE.duration(seconds)),
        total,
    );
    let peak = source.epochs.iter().filter_map(|row| row.get("peak_mb"));
    let peak = peak.reduce(f64::max);
    let peak = peak.map(|mb| format!("{} MB", PAGE.fixed(mb, 0)));
    add("peak memory", peak, String::new());
    figures
}

/// The columns of a run: first the score that it is judged by, then the others, then the rest.
fn in_order(source: &RunSource, score: &Judged) -> Vec<Column> {
    let mut columns = source.columns();
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
        Head::plain(&format!("{what}: epoch {epoch}"))
    };
    let (last, best) = (summary.last.as_ref(), summary.best.as_ref());
    let measured = |column: Column| {
        let values = [last, best].map(|row| row.and_then(|row| row.get(&column.name)));
        let any = values.iter().any(Option::is_some);
        any.then(|| {
            let shown = |value| PAGE.fixed(value, column.digits_of_one());
            let cells = values.map(|value| shown(value.map(|value| column.shown(value))));
            TableRow::plain(column.heading(), cells)
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
            mark_highest: false,
        }
        .drawing()
    };
    let charts = charts.iter().filter(|(title, _)| !title.is_empty());
    charts.filter_map(drawing).collect()
}

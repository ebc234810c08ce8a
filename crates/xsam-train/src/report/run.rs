//! The page of a run.

use super::curves::{Curves, Drawing, Palette};
use super::outcome::Score;
use super::page::{Block, Figure, Page, Section};
use super::search;
use super::shared;
use super::source::RunSource;
use super::table::{Head, Table, TableRow};
use super::text::{self, MISSING};
use crate::metrics::Metrics;
use crate::plot::{Line, Point};
use crate::summary::Status;

pub(super) fn page(source: &RunSource) -> Page {
    let (spec, summary) = (&source.spec, &source.summary);
    let score = Score::new(spec.data.name.is_text());
    let rho = spec.method.rho.map(|rho| format!(" with rho {rho}"));
    let method = format!("{}{}", spec.method.name, rho.unwrap_or_default());
    let named = [(format!("seed {}", summary.seed), source)];
    let mut sections = vec![
        Section {
            title: "Results".to_owned(),
            note: "Training loss and accuracy are means over the epoch, while the weights were trained.".to_owned(),
            blocks: vec![Block::Table(table(source))],
        },
        Section {
            title: "How it got there".to_owned(),
            note: String::new(),
            blocks: vec![Block::Curves(curves(source))],
        },
        shared::searches(search::drawing("Loss along the arc", &source.searches).into_iter().collect()),
    ];
    sections.extend(shared::flatness(&named));
    sections.extend(shared::landscapes(&named));
    let came_to = summary.spec.as_ref().unwrap_or(spec);
    sections.push(shared::again(
        "train",
        &source.directory,
        spec,
        &source.text,
        came_to.to_toml().ok(),
    ));
    let mut notices: Vec<String> = summary
        .error
        .iter()
        .map(|error| format!("It failed: {error}"))
        .collect();
    notices.extend(source.warnings().map(str::to_owned));
    notices.extend(source.notices.iter().cloned());
    Page {
        title: format!("{} on {}", spec.method.name, spec.data_in_words()),
        subtitle: format!("{}, {method}, seed {}", spec.in_words(), summary.seed),
        headline: headline(source, score),
        lead: String::new(),
        remark: String::new(),
        notices,
        figures: figures(source, score),
        sections,
    }
}

fn headline(source: &RunSource, score: Score) -> String {
    let (summary, spec) = (&source.summary, &source.spec);
    let last = source.epochs.iter().rev();
    let reached = last
        .clone()
        .find_map(|row| Some((row.epoch, score.of_epoch(row)?)));
    let epochs = text::count(summary.epochs, "epoch", "epochs");
    let of = format!(
        "{} of {epochs}",
        summary.epochs,
        epochs = text::count(spec.train.epochs, "epoch", "epochs")
    );
    let reached = match reached {
        Some((epoch, value)) if epoch == summary.epochs => {
            format!("{} {}", score.told(value), score.name)
        }
        Some((epoch, value)) => format!("{} {} after epoch {epoch}", score.told(value), score.name),
        None => match last.clone().next() {
            Some(row) => format!("a training loss of {}", text::fixed(row.train_loss, 3)),
            None => {
                return format!(
                    "{}: {} before the end of its first epoch.",
                    spec.method.name,
                    shared::state(summary.status)
                );
            }
        },
    };
    let name = spec.method.name;
    match summary.status {
        Status::Finished => format!("{name} reached {reached} after {epochs}."),
        Status::Failed => format!("{name} failed after {of}; it had reached {reached}."),
        Status::Interrupted | Status::Running => {
            let state = shared::state(summary.status);
            format!("{name} is {state}: {of}, {reached} so far.")
        }
    }
}

fn figures(source: &RunSource, score: Score) -> Vec<Figure> {
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
        score.name,
        of(summary.last.as_ref()),
        "after the last epoch".to_owned(),
    );
    if let Some(best) = &summary.best {
        let note = format!("epoch {}", best.epoch);
        add("best on validation", of(Some(best)), note);
    }
    let loss = summary
        .last
        .as_ref()
        .map(|row| text::fixed(row.train_loss, 3));
    add("training loss", loss, "last epoch".to_owned());
    let total = format!("{} in all", text::duration(source.seconds()));
    add(
        "time of an epoch",
        summary.seconds_per_epoch.map(text::duration),
        total,
    );
    let peak = source
        .peak_mb()
        .map(|mb| format!("{} MB", text::fixed(mb, 0)));
    add("peak memory", peak, String::new());
    figures
}

/// A line of the table: its name, the value of an epoch, the factor and the digits it is shown with.
type Measure = (&'static str, fn(&Metrics) -> Option<f64>, f64, usize);

const MEASURES: [Measure; 15] = [
    ("test BLEU", |row| row.test_bleu, 1.0, 2),
    ("validation BLEU", |row| row.validation_bleu, 1.0, 2),
    ("test accuracy %", |row| row.test_accuracy, 100.0, 2),
    (
        "validation accuracy %",
        |row| row.validation_accuracy,
        100.0,
        2,
    ),
    (
        "training accuracy %",
        |row| Some(row.train_accuracy),
        100.0,
        2,
    ),
    ("test loss", |row| row.test_loss, 1.0, 4),
    ("validation loss", |row| row.validation_loss, 1.0, 4),
    ("training loss", |row| Some(row.train_loss), 1.0, 4),
    ("loss at the ascent point", |row| row.ascent_loss, 1.0, 4),
    ("alpha", |row| row.alpha, 1.0, 2),
    ("psi in radians", |row| row.psi, 1.0, 3),
    ("gradient norm", |row| Some(row.grad_norm), 1.0, 4),
    ("learning rate", |row| Some(row.lr), 1.0, 6),
    (
        "forward-backward passes of the epoch",
        |row| Some(row.gradient_passes as f64),
        1.0,
        0,
    ),
    (
        "forward passes of its searches",
        |row| Some(row.search_passes as f64),
        1.0,
        0,
    ),
];

/// The last epoch beside the best one.
fn table(source: &RunSource) -> Table {
    let summary = &source.summary;
    let head = |what: &str, row: Option<&Metrics>| {
        let epoch = row.map_or_else(|| MISSING.to_owned(), |row| row.epoch.to_string());
        Head::plain(&format!("{what}: epoch {epoch}"))
    };
    let (last, best) = (summary.last.as_ref(), summary.best.as_ref());
    let measured = |(name, of, factor, digits): &Measure| {
        let values = [last, best].map(|row| row.and_then(of));
        let any = values.iter().any(Option::is_some);
        any.then(|| {
            let cells = values.map(|value| text::fixed(value.map(|value| factor * value), *digits));
            TableRow::plain(*name, cells)
        })
    };
    Table {
        head: vec![
            Head::default(),
            head("last", last),
            head("best on validation", best),
        ],
        rows: MEASURES.iter().filter_map(measured).collect(),
    }
}

/// A curve: its name, and the value of an epoch.
type Curve = (&'static str, fn(&Metrics) -> Option<f64>);

const BLEUS: [Curve; 2] = [
    ("test", |row| row.test_bleu),
    ("validation", |row| row.validation_bleu),
];
const ACCURACIES: [Curve; 3] = [
    ("test", |row| Some(100.0 * row.test_accuracy?)),
    ("validation", |row| Some(100.0 * row.validation_accuracy?)),
    ("training", |row| Some(100.0 * row.train_accuracy)),
];
const LOSSES: [Curve; 4] = [
    ("test", |row| row.test_loss),
    ("validation", |row| row.validation_loss),
    ("training", |row| Some(row.train_loss)),
    ("ascent point", |row| row.ascent_loss),
];
const NORMS: [Curve; 2] = [
    ("at the weights", |row| Some(row.grad_norm)),
    ("at the ascent point", |row| row.ascent_grad_norm),
];
const ALPHA: [Curve; 1] = [("alpha", |row| row.alpha)];
const PSI: [Curve; 1] = [("psi in radians", |row| row.psi)];
const RATE: [Curve; 1] = [("learning rate", |row| Some(row.lr))];

fn curves(source: &RunSource) -> Vec<Drawing> {
    let plots: [(&str, &str, &[Curve]); 7] = [
        ("BLEU after each epoch", "BLEU", &BLEUS),
        ("Accuracy", "accuracy in %", &ACCURACIES),
        ("Loss", "loss", &LOSSES),
        ("Position on the arc", "alpha", &ALPHA),
        (
            "Angle of displacement and ascent gradient",
            "psi in radians",
            &PSI,
        ),
        ("Norm of the gradient", "norm", &NORMS),
        ("Learning rate", "learning rate", &RATE),
    ];
    let drawing = |(title, y, curves): (&str, &str, &[Curve])| {
        let line = |(colour, (label, of)): (usize, &Curve)| {
            let rows = source.epochs.iter();
            let points = rows.filter_map(|row| Some(Point::at(row.epoch as f64, of(row)?)));
            Line {
                label: (*label).to_owned(),
                colour,
                points: points.collect(),
            }
        };
        Curves {
            title,
            x: "epoch",
            y,
            lines: curves.iter().enumerate().map(line).collect(),
            palette: Palette::Methods,
            mark_highest: false,
        }
        .drawing()
    };
    plots.into_iter().filter_map(drawing).collect()
}

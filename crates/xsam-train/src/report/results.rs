//! The results of a comparison: the score of each run, and the table.

use super::curves::Palette;
use super::outcome::{Difference, Score, seconds};
use super::page::{Block, Section};
use super::rows::{self, Row, RowsDrawing};
use super::source::{ComparisonSource, MethodSource, RunSource};
use super::table::{Cell, Head, Table, TableRow};
use super::text::{self, MISSING, capital, in_unit};
use crate::metrics::Metrics;
use crate::statistics::{Spread, mean};

/// Table, and the score of each run.
pub(super) fn results(source: &ComparisonSource, score: Score) -> Section {
    let row = |(number, method): (usize, &MethodSource)| {
        let values: Vec<(u64, f64)> = method.values(|run| score.of_run(run)).collect();
        let spread = Spread::of(values.iter().map(|(_, value)| *value));
        Row {
            label: method.label.clone(),
            value: text::spread(spread, values.len(), 1.0, score.digits),
            colour: number,
            runs: values
                .iter()
                .map(|(seed, value)| {
                    (
                        *value,
                        format!("{}, seed {seed}: {}", method.label, score.told(*value)),
                    )
                })
                .collect(),
        }
    };
    let rows: Vec<Row> = source.methods.iter().enumerate().map(row).collect();
    let title = format!("{} of each run{}", capital(score.name), in_unit(score.unit));
    let scores = rows::dots(&title, &rows);
    Section {
        title: "Results".to_owned(),
        note: "Mean ± standard deviation over the seeds. Dots are runs, the upright line is their mean, the bar a standard \
               deviation to either side. Times are means too, and depend on what else the machine did."
            .to_owned(),
        blocks: vec![
            Block::Rows(scores.into_iter().chain(costs(source)).collect()),
            Block::Table(table(source, score)),
        ],
    }
}

/// A bar for what a run of each method took: time, and memory where it is known.
fn costs(source: &ComparisonSource) -> impl Iterator<Item = RowsDrawing> + use<> {
    let row = |of: fn(&RunSource) -> Option<f64>, told: &dyn Fn(f64) -> String| {
        let row = |(number, method): (usize, &MethodSource)| {
            let runs: Vec<f64> = method.values(of).map(|v| v.1).collect();
            let middle = mean(runs.iter().copied());
            Row {
                label: method.label.clone(),
                value: middle.map_or_else(|| MISSING.to_owned(), told),
                colour: number,
                runs: runs
                    .into_iter()
                    .map(|value| (value, String::new()))
                    .collect(),
            }
        };
        source
            .methods
            .iter()
            .enumerate()
            .map(row)
            .collect::<Vec<Row>>()
    };
    let time = row(|run| Some(run.seconds()), &text::duration);
    let memory = row(|run| run.peak_mb(), &|mb| {
        format!("{} MB", text::fixed(mb, 0))
    });
    let time = rows::bars("Time of a run's steps, without evaluation", &time);
    let memory = rows::bars(
        "Peak memory of the process, up to the end of a run",
        &memory,
    );
    time.into_iter().chain(memory)
}

/// A line of the table: what it is, the value of a run, the factor and the digits it is shown with, and whether the
/// highest is the best.
struct Quantity {
    name: &'static str,
    of: fn(&RunSource) -> Option<f64>,
    factor: f64,
    digits: usize,
    higher_is_better: bool,
}

const fn quantity(
    name: &'static str,
    of: fn(&RunSource) -> Option<f64>,
    digits: usize,
) -> Quantity {
    Quantity {
        name,
        of,
        factor: 1.0,
        digits,
        higher_is_better: false,
    }
}

const fn higher(name: &'static str, of: fn(&RunSource) -> Option<f64>, digits: usize) -> Quantity {
    Quantity {
        higher_is_better: true,
        ..quantity(name, of, digits)
    }
}

const fn percent(name: &'static str, of: fn(&RunSource) -> Option<f64>) -> Quantity {
    Quantity {
        factor: 100.0,
        ..higher(name, of, 1)
    }
}

fn last(run: &RunSource) -> Option<&Metrics> {
    run.summary.last.as_ref()
}

fn best(run: &RunSource) -> Option<&Metrics> {
    run.summary.best.as_ref()
}

const BLEU: [Quantity; 2] = [
    higher("test BLEU, last epoch", |run| last(run)?.test_bleu, 2),
    higher(
        "validation BLEU, last epoch",
        |run| last(run)?.validation_bleu,
        2,
    ),
];

const ACCURACIES: [Quantity; 5] = [
    percent("test accuracy %, last epoch", |run| {
        last(run)?.test_accuracy
    }),
    percent("test accuracy %, best epoch on validation", |run| {
        best(run)?.test_accuracy
    }),
    percent("test accuracy %, mean of last 5", |run| {
        run.summary.mean_of_last_5
    }),
    percent("validation accuracy %, last epoch", |run| {
        last(run)?.validation_accuracy
    }),
    Quantity {
        higher_is_better: false,
        ..percent("training accuracy %, while learned", |run| {
            Some(last(run)?.train_accuracy)
        })
    },
];

const OTHERS: [Quantity; 4] = [
    quantity(
        "training loss, last epoch",
        |run| Some(last(run)?.train_loss),
        3,
    ),
    quantity("test loss, last epoch", |run| last(run)?.test_loss, 3),
    quantity("alpha, last epoch", |run| last(run)?.alpha, 2),
    quantity("psi in radians, last epoch", |run| last(run)?.psi, 3),
];

const COSTS: [Quantity; 2] = [
    quantity(
        "forward-backward passes",
        |run| Some(run.summary.gradient_passes as f64),
        0,
    ),
    quantity(
        "forward passes of searches",
        |run| Some(run.summary.search_passes as f64),
        0,
    ),
];

/// What of the runs is not finite, and left out of the means for that.
pub(super) fn left_out(source: &ComparisonSource) -> Vec<String> {
    let mut told = Vec::new();
    let all = BLEU.iter().chain(&ACCURACIES).chain(&OTHERS).chain(&COSTS);
    for quantity in all {
        for method in &source.methods {
            let values = method.finished().map(|run| (run, (quantity.of)(run)));
            let odd = values.filter_map(|(run, value)| Some((run, value?)));
            let odd = odd.filter(|(_, value)| !value.is_finite());
            told.extend(odd.map(|(run, value)| {
                let (label, seed, name) = (&method.label, run.summary.seed, quantity.name);
                format!("{label}, seed {seed}: {name}, is {value} and left out of the mean.")
            }));
        }
    }
    told
}

/// The rows of what methods are ranked by, with the differences after the first of them.
fn scores(methods: &[MethodSource], differences: Option<TableRow>) -> Vec<TableRow> {
    let rows = BLEU.iter().chain(&ACCURACIES);
    let mut rows: Vec<TableRow> = rows.filter_map(|q| q.row(methods)).collect();
    if let Some(differences) = differences.filter(|_| !rows.is_empty()) {
        rows.insert(1, differences);
    }
    rows
}

/// By how much each method differs from the first one.
fn differences(first: &MethodSource, methods: &[MethodSource], score: Score) -> TableRow {
    let cell = |method: &MethodSource| {
        let other = method.label != first.label;
        let found = other
            .then(|| Difference::new(first, method, score))
            .flatten();
        let test = found.and_then(|found| found.test);
        Cell {
            text: text::signed(found.map(|found| found.mean), score.digits),
            note: test.map_or_else(String::new, |test| text::p_value(test.p)),
            strong: false,
        }
    };
    let name = format!("against {}, paired over seeds", first.label);
    TableRow::new(name, methods.iter().map(cell))
}

/// The rows with a rule above the first one.
fn grouped(mut rows: Vec<TableRow>) -> Vec<TableRow> {
    if let Some(first) = rows.first_mut() {
        first.apart = true;
    }
    rows
}

fn table(source: &ComparisonSource, score: Score) -> Table {
    let methods = &source.methods;
    let head = methods.iter().enumerate().map(|(number, method)| Head {
        text: method.label.clone(),
        colour: Some(Palette::Methods.class(number, methods.len())),
    });
    let line = |name: &str, cell: &dyn Fn(&MethodSource) -> String| {
        TableRow::plain(name, methods.iter().map(cell))
    };
    let mut rows = Vec::new();
    rows.push(line("rho", &|method| {
        let run = method.runs.first();
        let rho = run.and_then(|run| run.spec.method.rho);
        rho.map_or_else(|| MISSING.to_owned(), |rho| rho.to_string())
    }));
    let (_, finished) = source.progress();
    if finished < methods.len() * source.seeds.len() {
        rows.push(line("finished runs", &|method| {
            format!("{} of {}", method.finished().count(), source.seeds.len())
        }));
    }
    let against = methods.first().filter(|_| methods.len() > 1);
    let against = against.map(|first| differences(first, methods, score));
    rows.extend(grouped(scores(methods, against)));
    rows.extend(grouped(
        OTHERS.iter().filter_map(|q| q.row(methods)).collect(),
    ));
    rows.extend(grouped(
        COSTS.iter().filter_map(|q| q.row(methods)).collect(),
    ));
    rows.push(line("time of an epoch", &|method| {
        told_time(seconds(method))
    }));
    let base = methods.first().and_then(seconds);
    rows.push(line("times the first method's", &|method| {
        let ratio = seconds(method).zip(base).map(|(mine, base)| mine / base);
        text::fixed(ratio, 2)
    }));
    rows.push(line("time of a run's steps", &|method| {
        told_time(mean(method.values(|run| Some(run.seconds())).map(|v| v.1)))
    }));
    let peak = |method: &MethodSource| mean(method.values(|run| run.peak_mb()).map(|v| v.1));
    if methods.iter().any(|method| peak(method).is_some()) {
        rows.push(line("peak memory in MB", &|method| {
            text::fixed(peak(method), 0)
        }));
    }
    Table {
        head: [Head::default()].into_iter().chain(head).collect(),
        rows,
    }
}

impl Quantity {
    /// Its row; none if no method has it.
    fn row(&self, methods: &[MethodSource]) -> Option<TableRow> {
        let spreads: Vec<(Option<Spread>, usize)> = methods
            .iter()
            .map(|method| {
                let values: Vec<f64> = method.values(self.of).map(|v| v.1).collect();
                let runs = values.len();
                (Spread::of(values), runs)
            })
            .collect();
        let means = spreads
            .iter()
            .filter_map(|(spread, _)| Some(spread.as_ref()?.mean));
        let highest = means.reduce(f64::max)?;
        let several = methods.len() > 1 && self.higher_is_better;
        let cell = |(spread, runs): &(Option<Spread>, usize)| {
            let shown = |value: f64| text::fixed(self.factor * value, self.digits);
            let deviation = spread.map(|spread| spread.deviation);
            // A number of passes is the same from each seed.
            let deviation = deviation.filter(|d| *runs > 1 && (self.digits > 0 || *d > 0.0));
            Cell {
                text: spread.map_or_else(|| MISSING.to_owned(), |spread| shown(spread.mean)),
                note: deviation.map_or_else(String::new, |d| format!("± {}", shown(d))),
                strong: several && spread.is_some_and(|spread| spread.mean >= highest),
            }
        };
        Some(TableRow::new(self.name, spreads.iter().map(cell)))
    }
}

fn told_time(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| MISSING.to_owned(), text::duration)
}

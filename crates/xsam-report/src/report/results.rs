//! The results of a comparison: the score of each run, and the table.

use super::curves::Palette;
use super::judged::Judged;
use super::outcome::Difference;
use super::page::{Block, Section};
use super::rows::{self, Row, RowsDrawing};
use super::source::{ComparisonSource, MethodSource};
use super::table::{Cell, Head, Table, TableRow};
use xsam_lab::columns::Column;
use xsam_lab::compare::MethodSummary;
use xsam_lab::numbers::{PAGE, capital, in_unit, p_value};
use xsam_lab::statistics::Spread;

/// Table, and the score of each run.
pub(super) fn results(source: &ComparisonSource, score: &Judged) -> Section {
    let row = |(number, method): (usize, &MethodSource)| {
        let values = method.values(|run| score.of_run(run));
        let told = |(seed, value): (u64, f64)| {
            let told = format!("{}, seed {seed}: {}", method.label(), score.told(value));
            (value, told)
        };
        let spread = score.of_method(source, method);
        Row {
            label: method.label().to_owned(),
            value: score.spread(spread, method.summary.runs),
            colour: source.colour(number),
            runs: values.map(told).collect(),
            spread,
        }
    };
    let rows: Vec<Row> = source.methods.iter().enumerate().map(row).collect();
    let title = capital(score.title());
    let title = format!("{title} of each run{}", in_unit(&score.column.unit));
    let scores = rows::dots(&title, &rows).into_iter();
    Section::new(
        "Results",
        "Mean ± standard deviation over the seeds. Dots are runs, the upright line is their mean, the bar a standard \
         deviation to either side. Times are means too, and depend on what else the machine did.",
        vec![
            Block::Rows(scores.chain(costs(source)).collect()),
            Block::Table(table(source, score)),
        ],
    )
}

/// A bar for what a run of each method took: time, and memory where it is known.
fn costs(source: &ComparisonSource) -> impl Iterator<Item = RowsDrawing> + use<> {
    type Cost = fn(&MethodSummary) -> Option<f64>;
    type Told = fn(f64) -> String;
    let costs: [(&str, Cost, Told); 2] = [
        (
            "Time of a run's steps, without evaluation",
            |method| method.seconds,
            |seconds| PAGE.duration(seconds),
        ),
        (
            "Peak memory of the process, up to the end of a run",
            |method| method.peak_mb,
            |mb| format!("{} MB", PAGE.fixed(mb, 0)),
        ),
    ];
    let drawn = costs.map(|(title, of, told)| {
        let row = |(number, method): (usize, &MethodSource)| {
            let mean = of(&method.summary);
            Row {
                label: method.label().to_owned(),
                value: mean.map_or_else(|| PAGE.missing.to_owned(), told),
                colour: source.colour(number),
                runs: Vec::new(),
                spread: Spread::of(mean.filter(|mean| mean.is_finite())),
            }
        };
        let rows: Vec<Row> = source.drawn().into_iter().map(row).collect();
        rows::bars(title, &rows)
    });
    drawn.into_iter().flatten()
}

/// By how much each method differs from the first one; of a sweep from the row of the first method with the same values.
fn differences(source: &ComparisonSource, first: &MethodSource, score: &Judged) -> TableRow {
    let is_sweep = source.summary.sweep.is_some();
    let cell = |method: &MethodSource| {
        let (mean, test) = if is_sweep {
            let test = method.summary.test_against_first;
            (test.map(|test| score.column.shown(test.difference)), test)
        } else {
            let other = Some(method).filter(|method| method.label() != first.label());
            let found = other.and_then(|method| Difference::new(first, method, score));
            (
                found.map(|found| found.mean),
                found.and_then(|found| found.test),
            )
        };
        Cell::noted(
            PAGE.signed(mean, score.column.digits),
            test.map_or_else(String::new, |test| p_value(test.p)),
        )
    };
    let name = format!(
        "against {}, paired over seeds",
        first.summary.method_label()
    );
    TableRow::new(name, source.methods.iter().map(cell))
}

/// The rows with a rule above the first one.
fn grouped(mut rows: Vec<TableRow>) -> Vec<TableRow> {
    if let Some(first) = rows.first_mut() {
        first.apart = true;
    }
    rows
}

fn table(source: &ComparisonSource, score: &Judged) -> Table {
    let methods = &source.methods;
    let head = methods.iter().enumerate().map(|(number, method)| Head {
        text: method.label().to_owned(),
        colour: Some(Palette::Methods.class(source.colour(number), methods.len())),
    });
    let line = |name: &str, cell: &dyn Fn(&MethodSummary) -> String| {
        TableRow::new(name, methods.iter().map(|method| cell(&method.summary)))
    };
    let mut rows = vec![line("rho", &|method| {
        let rho = method.method.as_ref().and_then(|method| method.rho());
        rho.map_or_else(|| PAGE.missing.to_owned(), |rho| rho.to_string())
    })];
    let (all, finished) = source.progress();
    let seeds = source.summary.seeds.len();
    if finished < all {
        rows.push(line("finished runs", &|method| {
            format!("{} of {seeds}", method.runs)
        }));
    }
    if methods
        .iter()
        .any(|method| !method.summary.collapsed.is_empty())
    {
        rows.push(line("collapsed runs", &|method| {
            method.collapsed.len().to_string()
        }));
    }
    let columns = &source.summary.columns;
    let row = |column: &Column| row(column, methods);
    let compared = source.summary.compared();
    let mut scores: Vec<&Column> = columns
        .iter()
        .filter(|column| column.score.is_some())
        .collect();
    // What is compared comes first, and what else there is of that score.
    scores.sort_by_key(|column| {
        let same = compared.is_some_and(|compared| compared.score == column.score);
        (!same, Some(*column) != compared)
    });
    let mut scores: Vec<TableRow> = scores.into_iter().filter_map(row).collect();
    let first = methods
        .first()
        .filter(|_| methods.len() > 1 && !scores.is_empty());
    if let Some(first) = first {
        scores.insert(1, differences(source, first, score));
    }
    rows.extend(grouped(scores));
    let others = columns.iter().filter(|column| column.score.is_none());
    rows.extend(grouped(others.filter_map(row).collect()));
    type Cost = fn(&MethodSummary) -> String;
    let costs: [(&str, Cost); 6] = [
        ("forward-backward passes", |of| {
            PAGE.fixed(of.gradient_passes, 0)
        }),
        ("forward passes of searches", |of| {
            PAGE.fixed(of.search_passes, 0)
        }),
        ("time of an epoch", |of| PAGE.duration(of.seconds_per_epoch)),
        ("times the first method's", |of| {
            PAGE.fixed(of.time_ratio, 2)
        }),
        ("time of a run's steps", |of| PAGE.duration(of.seconds)),
        ("peak memory in MB", |of| PAGE.fixed(of.peak_mb, 0)),
    ];
    let mut costs: Vec<TableRow> = costs.map(|(name, cell)| line(name, &cell)).into();
    if methods
        .iter()
        .all(|method| method.summary.peak_mb.is_none())
    {
        costs.pop();
    }
    rows.extend(grouped(costs));
    Table {
        head: [Head::default()].into_iter().chain(head).collect(),
        rows,
    }
}

/// The row of a column; none if no method has it.
fn row(column: &Column, methods: &[MethodSource]) -> Option<TableRow> {
    let spread = |method: &MethodSource| method.summary.spreads.get(&*column.name).copied();
    let means = methods
        .iter()
        .filter_map(|method| Some(spread(method)?.mean));
    let best = means.reduce(|best, mean| match column.better {
        Some(better) if better.beats(mean, best) => mean,
        _ => best,
    })?;
    let judges = methods.len() > 1 && column.better.is_some();
    let cell = |method: &MethodSource| {
        let spread = spread(method);
        let shown = |value: f64| PAGE.fixed(column.shown(value), column.digits);
        let deviation = spread.map(|spread| spread.deviation);
        let deviation = deviation.filter(|d| d.is_finite() && method.summary.runs > 1);
        Cell {
            text: spread.map_or_else(|| PAGE.missing.to_owned(), |spread| shown(spread.mean)),
            note: deviation.map_or_else(String::new, |d| format!("± {}", shown(d))),
            strong: judges && spread.is_some_and(|spread| spread.mean == best),
        }
    };
    Some(TableRow::new(column.heading(), methods.iter().map(cell)))
}

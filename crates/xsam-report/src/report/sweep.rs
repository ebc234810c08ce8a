//! What came out of a sweep: the score over the field, or a map over two, and a table of the methods.

use super::curves::{Curves, Drawing, Palette};
use super::heat::{self, HeatDrawing};
use super::judged::Judged;
use super::page::{Block, Section};
use super::source::{ComparisonSource, MethodSource};
use super::table::{Head, Table, TableRow};
use crate::plot::{Line, Point};
use xsam_lab::compare::{SweepSlice, SweepSummary, SweptField, SweptMethod, number};
use xsam_lab::numbers::{PAGE, capital};
use xsam_lab::spec::plain;
use xsam_lab::{Part, Score, compared};

/// The section of the sweep, if there is one.
pub(super) fn section(source: &ComparisonSource, score: &Judged) -> Option<Section> {
    let sweep = source.summary.sweep.as_ref()?;
    let names: Vec<&str> = sweep.fields.iter().map(|field| &*field.name).collect();
    let (drawn, note): (Block, &str) = match &sweep.fields[..] {
        [field] => (
            Block::Curves(over(source, field, score).into_iter().collect()),
            "Lines are means over the finished runs, bands reach from the lowest of them to the highest. A method that \
             has no such field is a dashed line.",
        ),
        [x, y] => (
            Block::Heat(maps(source, sweep, [x, y], score)),
            "Means over the finished runs. The frame is around the value that was chosen, a dashed frame around those of \
             its neighbours that are within a standard error of it.",
        ),
        _ => return None,
    };
    let chosen_by = match sweep.chosen_by {
        Part::Validation => "validation data",
        _ => "test data, for want of others",
    };
    let chosen = match sweep.chosen().next() {
        Some(_) => {
            format!(" The best value of a method is chosen by its score on the {chosen_by}.")
        }
        None => String::new(),
    };
    Some(Section::new(
        format!("Over {}", names.join(" and ")),
        format!("{note}{chosen}"),
        vec![drawn, Block::Table(table(source, sweep, score))],
    ))
}

/// Where values are on an axis: numbers where they are, by their logarithms if their ratios are more alike than their
/// differences; others one after the other.
fn places(values: &[&toml::Value]) -> Vec<f64> {
    let numbers: Option<Vec<f64>> = values.iter().map(|value| number(value)).collect();
    let Some(numbers) = numbers else {
        return (0..values.len()).map(|i| i as f64).collect();
    };
    let unevenness = |places: &[f64]| {
        let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
        let [low, high] = crate::plot::bounds(gaps);
        high / low
    };
    let logarithms: Vec<f64> = numbers.iter().map(|number| number.log10()).collect();
    let is_geometric = numbers.len() > 2
        && logarithms.iter().all(|place| place.is_finite())
        && unevenness(&logarithms) < unevenness(&numbers);
    if is_geometric { logarithms } else { numbers }
}

/// The score of each method over the field.
fn over(source: &ComparisonSource, field: &SweptField, score: &Judged) -> Option<Drawing> {
    let values = field.in_order();
    let places = places(&values);
    let mut lines: Vec<Line> = Vec::new();
    for (m, method) in source.methods.iter().enumerate() {
        let summary = &method.summary;
        let label = summary.method_label();
        let scores: Vec<f64> = method
            .values(|run| score.of_run(run))
            .map(|(_, v)| v)
            .collect();
        let at: Vec<f64> = match summary.values.get(&field.name) {
            Some(own) => {
                let found = values.iter().position(|value| *value == own);
                found.into_iter().map(|i| places[i]).collect()
            }
            // The same everywhere.
            None => places.clone(),
        };
        let points = at.into_iter().filter_map(|x| Point::over(x, &scores));
        match lines.iter_mut().find(|line| line.label == label) {
            Some(line) => line.points.extend(points),
            None => lines.push(Line {
                label: label.to_owned(),
                colour: source.colour(m),
                points: points.collect(),
            }),
        }
    }
    for line in &mut lines {
        line.points.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    let labels = values.iter().map(|value| plain(value));
    let title = format!("{} over {}", capital(score.title()), field.name);
    Curves {
        title: &title,
        x: &field.name,
        y: &score.column.axis(),
        lines,
        palette: Palette::Methods,
        places: places.into_iter().zip(labels).collect(),
    }
    .drawing()
}

/// A map for each method that has one of the fields.
fn maps(
    source: &ComparisonSource,
    sweep: &SweepSummary,
    [x, y]: [&SweptField; 2],
    score: &Judged,
) -> Vec<HeatDrawing> {
    let mut labels: Vec<&str> = Vec::new();
    for method in &source.methods {
        let label = method.summary.method_label();
        if !labels.contains(&label) && !method.summary.values.is_empty() {
            labels.push(label);
        }
    }
    let best: Vec<&str> = sweep.best().collect();
    let maps = labels.iter().map(|label| {
        let own = |method: &&MethodSource| method.summary.method_label() == *label;
        let rows = source.methods.iter().filter(own);
        let cells = rows.filter_map(|method| {
            let spread = score.of_method(source, method)?;
            let at = |field: &SweptField| {
                let own = method.summary.values.get(&field.name)?;
                field.in_order().iter().position(|value| *value == own)
            };
            Some(heat::Value {
                x: at(x),
                y: at(y),
                spread,
                runs: method.summary.runs,
                is_best: best.contains(&method.label()),
                told: score.spread(Some(spread), method.summary.runs),
                collapsed: method.summary.collapsed.len(),
            })
        });
        heat::Map {
            title: format!("{} of {label}", capital(score.title())),
            cells: cells.collect(),
        }
    });
    let axis = |field: &SweptField| heat::HeatAxis {
        name: field.name.clone(),
        labels: field.in_order().into_iter().map(plain).collect(),
        is_condition: field.is_condition,
    };
    heat::drawings(maps.collect(), [axis(x), axis(y)], score)
}

/// What came out of each method, under each condition.
fn table(source: &ComparisonSource, sweep: &SweepSummary, score: &Judged) -> Table {
    let of = compared(&source.summary.scores);
    let chosen: Vec<&SweptField> = sweep.chosen().collect();
    let fields: Vec<&SweptField> = match chosen.is_empty() {
        true => sweep.fields.iter().collect(),
        false => chosen,
    };
    let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
    let names = names.join(", ");
    let near = match &*of.unit {
        "%" => "within a point of it",
        _ => "within 1 % of it",
    };
    let head = [
        String::new(),
        format!("best {names}"),
        score.column.axis(),
        near.to_owned(),
        format!("worst {names}"),
        "loses there".to_owned(),
    ];
    let rows = |at: String, methods: &[SweptMethod]| -> Vec<TableRow> {
        let rows = methods.iter().map(|method| {
            let name = match &*at {
                "" => method.method.clone(),
                at => format!("{}, {at}", method.method),
            };
            TableRow::new(name, cells(source, &fields, method, score, &of))
        });
        rows.collect()
    };
    let all: Vec<TableRow> = match sweep.over_conditions.is_empty() {
        true => {
            let slices = sweep.slices.iter();
            let of_slice = |slice: &SweepSlice| rows(slice.at_in_words(), &slice.methods);
            slices.flat_map(of_slice).collect()
        }
        false => rows(String::new(), &sweep.over_conditions),
    };
    Table {
        head: head.into_iter().map(Head::plain).collect(),
        rows: all,
    }
}

fn cells(
    source: &ComparisonSource,
    fields: &[&SweptField],
    method: &SweptMethod,
    score: &Judged,
    of: &Score,
) -> [String; 5] {
    let row = |label: &str| source.methods.iter().find(|row| row.label() == label);
    let value = |label: &str| {
        let values = &row(label)?.summary.values;
        let values = fields.iter().filter_map(|field| values.get(&field.name));
        let values: Vec<String> = values.map(plain).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    let missing = || PAGE.missing.to_owned();
    let is_swept = method.rows.len() > 1;
    let best = row(&method.best);
    let spread = best.and_then(|best| Some((score.of_method(source, best)?, best.summary.runs)));
    let near = match fields {
        _ if !is_swept => missing(),
        [field] => {
            let values = method.near.iter().filter_map(|label| row(label));
            let values = values.filter_map(|row| row.summary.values.get(&field.name));
            let values: Vec<&toml::Value> = values.collect();
            field
                .range(&values)
                .unwrap_or_else(|| "everywhere".to_owned())
        }
        _ => format!("{} of {}", method.near.len(), method.rows.len()),
    };
    let worst = value(&method.worst).filter(|_| is_swept);
    [
        value(&method.best).unwrap_or_else(missing),
        spread.map_or_else(missing, |(spread, runs)| score.spread(Some(spread), runs)),
        near,
        worst.unwrap_or_else(missing),
        if is_swept {
            of.difference(method.loss)
        } else {
            missing()
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Value;

    #[test]
    fn an_axis_is_logarithmic_where_ratios_are_alike() {
        let at = |values: &[f64]| {
            let values: Vec<Value> = values.iter().map(|&value| Value::Float(value)).collect();
            places(&values.iter().collect::<Vec<_>>())
        };
        assert_eq!(at(&[0.1, 1.0, 10.0]), [-1.0, 0.0, 1.0]);
        assert_eq!(at(&[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        // A point at zero has no logarithm.
        assert_eq!(at(&[0.0, 0.1, 1.0]), [0.0, 0.1, 1.0]);
        assert_eq!(at(&[0.1, 1.0]), [0.1, 1.0]);
        let names = ["b", "a"].map(Value::from);
        assert_eq!(places(&[&names[0], &names[1]]), [0.0, 1.0]);
    }
}

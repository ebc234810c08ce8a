//! Whether any two methods differ.

use super::judged::Judged;
use super::outcome::ranked;
use super::page::{Block, Section};
use super::source::ComparisonSource;
use super::table::{Cell, Head, Table, TableRow};
use xsam_lab::compare::Pair;
use xsam_lab::compared;
use xsam_lab::numbers::{PAGE, p_value};
use xsam_lab::statistics::{CONFIDENCE, POWER, SIGNIFICANT};

/// Of more pairs than these only those with the best method are shown; `compare.json` has all.
const MOST: usize = 45;

/// The section of the pairs; without any it has no content, and is left out.
pub(super) fn section(source: &ComparisonSource, score: &Judged) -> Section {
    let pairs = &source.summary.pairs;
    let is_cut = pairs.len() > MOST;
    let ranked = ranked(source, score);
    let best = ranked.first().map(|(best, _)| best.label());
    let shown = pairs.iter().filter(|pair| {
        !is_cut || best.is_some_and(|best| pair.first == best || pair.second == best)
    });
    let of = compared(&source.summary.scores);
    let margin = match &*of.unit {
        "%" => "a point",
        _ => "1 %",
    };
    let confidence = PAGE.fixed(100.0 * CONFIDENCE, 0);
    let head = [
        String::new(),
        "difference".to_owned(),
        format!("{confidence} % interval"),
        "p (Holm)".to_owned(),
        "p by itself".to_owned(),
        "Wilcoxon (Holm)".to_owned(),
        format!("seeds for {margin}"),
    ];
    let table = Table {
        head: head.into_iter().map(Head::plain).collect(),
        rows: shown.map(|pair| row(pair, score)).collect(),
    };
    let which = match (is_cut, source.summary.sweep.is_some()) {
        (true, _) => format!(
            " Shown are those of {} that the best one is in.",
            pairs.len()
        ),
        (false, true) => " Each method has its best value.".to_owned(),
        (false, false) => String::new(),
    };
    Section::new(
        "Any two methods",
        format!(
            "Differences of the {} after the last epoch, paired over the seeds.{which} p is that of a paired t-test, \
             corrected for the number of pairs by Holm's method; Wilcoxon's signed-rank test, corrected likewise, is for \
             spreads that are not normal, and cannot come below 2^(1 - n) with n seeds. The last column is how many seeds \
             would tell a difference of {margin} with probability {POWER}, by the spread of these (two-sided at \
             {SIGNIFICANT}).",
            score.title()
        ),
        vec![Block::Table(table)],
    )
}

fn row(pair: &Pair, score: &Judged) -> TableRow {
    let shown = |value: f64| PAGE.signed(score.column.shown(value), score.column.digits);
    let p = |p: Option<f64>| match p {
        Some(p) => p_value(p)
            .trim_start_matches("p = ")
            .trim_start_matches("p ")
            .to_owned(),
        None => PAGE.missing.to_owned(),
    };
    let interval = pair.test.map(|test| test.interval.map(shown));
    let cells = [
        shown(pair.difference),
        interval.map_or_else(
            || PAGE.missing.to_owned(),
            |[low, high]| format!("{low} to {high}"),
        ),
        p(pair.p),
        p(pair.test.map(|test| test.p)),
        p(pair.wilcoxon),
        pair.seeds_needed
            .map_or_else(|| PAGE.missing.to_owned(), |seeds| seeds.to_string()),
    ];
    let cells = cells.into_iter().enumerate().map(|(i, text)| Cell {
        strong: i == 2 && pair.p.is_some_and(|p| p < SIGNIFICANT),
        ..Cell::from(text)
    });
    TableRow::new(format!("{} − {}", pair.second, pair.first), cells)
}

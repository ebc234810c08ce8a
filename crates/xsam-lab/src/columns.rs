//! The columns of a run: what is measured in each epoch, declared once. All files, tables and plots read it here.

mod own;

use serde::{Deserialize, Serialize};

pub(crate) use own::{OWN, Source, Step};

use crate::numbers::{self, capital, in_unit};
use crate::score::{Better, Part, Score, Text, of_epochs};

/// What of a column is shown of several runs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverSeeds {
    /// Nothing stands in the cell.
    #[default]
    Nothing,
    /// Mean and deviation after the last epoch, and curves in the report.
    Spread,
    /// The same, and a plot in the directory of a comparison.
    Plotted,
}

/// A column: what it is, and how it is shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in files.
    pub name: Text,
    /// What it is within a sentence.
    pub title: Text,
    /// Of which epoch it is, if it is a value of a run; empty if it is one of an epoch.
    #[serde(default)]
    pub when: Text,
    /// What follows a value; a value in `%` is a share, which is shown times 100.
    #[serde(default)]
    pub unit: Text,
    /// Digits after the point of a mean over seeds.
    pub digits: usize,
    /// Which way it is better, if it says how well a model does on data that it does not learn from.
    #[serde(default)]
    pub better: Option<Better>,
    /// What it is, in a sentence without a full stop.
    pub meaning: Text,
    /// The part of the data that it is of, if it is a loss or a score of one.
    #[serde(default)]
    pub part: Option<Part>,
    /// The score that it is a value of.
    #[serde(default)]
    pub score: Option<Text>,
    /// Its heading in the table of a comparison on a terminal; empty if it is not there.
    #[serde(default)]
    pub short: Text,
    /// Title of the plot over epochs that it is drawn in, with all of the same title; empty if it is not drawn.
    #[serde(default)]
    pub chart: Text,
    /// Where TensorBoard shows it; empty if it does not.
    #[serde(default)]
    pub group: Text,
    /// What is shown of several runs together.
    #[serde(default)]
    pub over_seeds: OverSeeds,
    /// Whether CSV has no more digits after the point than these.
    #[serde(default)]
    pub rounded: Option<usize>,
}

impl Column {
    fn new(name: &'static str, title: &'static str, digits: usize, meaning: &'static str) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            digits,
            meaning: meaning.into(),
            group: "train".into(),
            ..Self::default()
        }
    }

    fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit.into();
        self
    }

    fn short(mut self, short: &'static str) -> Self {
        self.short = short.into();
        self
    }

    fn chart(mut self, chart: &'static str) -> Self {
        self.chart = chart.into();
        self
    }

    fn group(mut self, group: &'static str) -> Self {
        self.group = group.into();
        self
    }

    fn over_seeds(mut self, over_seeds: OverSeeds) -> Self {
        self.over_seeds = over_seeds;
        self
    }

    fn rounded(mut self, digits: usize) -> Self {
        self.rounded = Some(digits);
        self
    }

    /// With where its values come from.
    fn value(self, source: Source) -> (Self, Source) {
        (self, source)
    }

    /// That of a score on a part of the data, or of the loss.
    pub fn of_score(score: &Score, part: Part) -> Self {
        let when = match part {
            Part::Train => "at the weights, while they were trained",
            _ => "after the epoch",
        };
        Self {
            name: score.column(part).into(),
            title: format!("{} {}", part.word(), score.name).into(),
            unit: score.unit.clone(),
            digits: score.digits,
            better: (part != Part::Train).then_some(score.better),
            meaning: format!("{}; of the {} data, {when}", score.meaning, part.word()).into(),
            part: Some(part),
            score: (*score != Score::loss()).then(|| score.name.clone()),
            chart: capital(&score.name).into(),
            ..Self::default()
        }
    }

    /// Its title with the unit, and of which epoch it is.
    pub fn heading(&self) -> String {
        let unit = match &*self.unit {
            "%" => " %".to_owned(),
            unit => in_unit(unit),
        };
        match &*self.when {
            "" => format!("{}{unit}", self.title),
            when => format!("{}{unit}, {when}", self.title),
        }
    }

    /// Its title with the unit in words, for an axis.
    pub fn axis(&self) -> String {
        format!("{}{}", self.title, in_unit(&self.unit))
    }

    /// The title of a plot of this one of a run's columns alone.
    pub fn chart_of_one(&self, columns: &[Self]) -> String {
        let alike = columns.iter().filter(|column| column.chart == self.chart);
        match alike.count() {
            1 => self.chart.to_string(),
            _ => capital(&self.title),
        }
    }

    /// A value as it is shown, without its unit.
    pub fn shown(&self, value: f64) -> f64 {
        numbers::factor(&self.unit) * value
    }

    /// Digits after the point of a value of a single run: one more than of a mean, unless it is a count.
    pub fn digits_of_one(&self) -> usize {
        self.digits + usize::from(self.digits > 0)
    }

    /// A value as a field of CSV; nothing if there is none.
    pub fn field(&self, value: Option<f64>) -> String {
        match (value, self.rounded) {
            (Some(value), Some(digits)) => format!("{value:.digits$}"),
            (value, _) => numbers::exact(value),
        }
    }

    /// Its name in TensorBoard, if that has it.
    pub(crate) fn tag(&self) -> Option<String> {
        match (self.part, self.name.split_once('_')) {
            (Some(part), Some((_, rest))) => Some(format!("{}/{rest}", part.name())),
            _ if self.group.is_empty() => None,
            _ => Some(format!("{}/{}", self.group, self.name)),
        }
    }
}

/// All columns of a run of a task with these scores, in the order of the files, `epoch` left aside. The values of the
/// score that epochs are chosen by stand beside the losses, those of the others behind them.
pub fn columns(scores: &[Score]) -> Vec<Column> {
    use OverSeeds::{Nothing, Plotted, Spread};
    let (loss, first) = (Score::loss(), of_epochs(scores));
    let others = scores.iter().filter(|score| **score != first);
    let others = others.flat_map(|score| {
        // The costly ones are computed of no training data.
        let parts = Part::ALL.into_iter();
        let parts = parts.filter(|part| *part != Part::Train || !score.costly);
        parts.map(move |part| Column::of_score(score, part).over_seeds(Spread))
    });
    let beside = Part::ALL.into_iter().flat_map(|part| {
        let loss = Column::of_score(&loss, part);
        let loss = match part {
            Part::Train => loss.over_seeds(Plotted).short("train loss"),
            Part::Validation => loss.over_seeds(Nothing),
            Part::Test => loss.over_seeds(Spread),
        };
        let first = scores.contains(&first).then(|| {
            let first = Column::of_score(&first, part);
            first.over_seeds(if part == Part::Test { Plotted } else { Spread })
        });
        [loss].into_iter().chain(first)
    });
    let of_parts: Vec<Column> = beside.chain(others).collect();
    let own: Vec<Column> = OWN.iter().map(|(column, _)| column.clone()).collect();
    let (asked, measured) = own.split_at(own::BEFORE_SCORES);
    [asked, &of_parts, measured].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The table of `book/src/columns.md`, for a score named accuracy.
    #[test]
    fn the_documents_describe_every_column() {
        let documented = include_str!("../../../book/src/columns.md");
        for column in columns(&[Score::percent("accuracy", "A score of the task")]) {
            let unit = match &*column.unit {
                "%" => "share",
                unit => unit,
            };
            let row = format!("| `{}` | {unit} | {}. |", column.name, column.meaning);
            assert!(
                documented.lines().any(|line| line == row),
                "book/src/columns.md lacks\n{row}"
            );
        }
    }

    fn names(scores: &[Score]) -> Vec<String> {
        let columns = columns(scores).into_iter();
        columns.map(|column| column.name.into_owned()).collect()
    }

    #[test]
    fn scores_have_a_column_for_each_part() {
        let accuracy = Score::percent("accuracy", "");
        let bleu = Score::new("BLEU", Better::Higher, "").costly();
        let all = names(&[accuracy, bleu]);
        let first = [
            "lr",
            "rho",
            "train_loss",
            "train_accuracy",
            "validation_loss",
            "validation_accuracy",
            "test_loss",
            "test_accuracy",
            "validation_bleu",
            "test_bleu",
            "alpha",
        ];
        assert_eq!(all[..first.len()], first);
        assert_eq!(all[all.len() - 3..], ["seconds", "waited", "peak_mb"]);
        assert_eq!(
            names(&[])[2..6],
            ["train_loss", "validation_loss", "test_loss", "alpha"]
        );
    }

    #[test]
    fn every_column_says_what_it_is() {
        let columns = columns(&[Score::percent("accuracy", "Share of images")]);
        for (i, column) in columns.iter().enumerate() {
            assert!(
                !column.title.is_empty() && !column.meaning.is_empty(),
                "{column:?}"
            );
            assert!(!column.meaning.ends_with('.'), "{column:?}");
            assert!(
                !columns[..i].iter().any(|other| other.name == column.name),
                "{column:?}"
            );
        }
        for (name, tag) in [
            ("train_accuracy", Some("train/accuracy")),
            ("alpha", Some("train/alpha")),
            ("peak_mb", Some("memory/peak_mb")),
            ("waited", None),
        ] {
            let column = columns.iter().find(|column| column.name == name);
            assert_eq!(column.unwrap().tag().as_deref(), tag, "{name}");
        }
    }
}

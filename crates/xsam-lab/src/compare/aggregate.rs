//! What of a run is aggregated over seeds.

use crate::columns::{Column, OverSeeds, columns};
use crate::score::{Part, Score, Text, compared, of_epochs};
use crate::summary::RunSummary;

/// Which epoch of a run a value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Last,
    Best,
    MeanOfLast5,
}

/// A column of comparisons, and which value of a run it has.
#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    pub(super) column: Column,
    /// The column of the epochs.
    of: Text,
    when: When,
}

impl Aggregate {
    /// Of a column of the epochs, under a name of its own.
    fn new(of: &Column, name: &str, when: When, words: &'static str, short: Text) -> Self {
        Self {
            of: of.name.clone(),
            column: Column {
                name: name.to_owned().into(),
                when: words.into(),
                short,
                ..of.clone()
            },
            when,
        }
    }

    /// The value of a run.
    pub(super) fn of(&self, run: &RunSummary) -> Option<f64> {
        match self.when {
            When::Last => run.last.as_ref()?.get(&self.of),
            When::Best => run.best.as_ref()?.get(&self.of),
            When::MeanOfLast5 => run.mean_of_last_5,
        }
    }

    /// Its name in a table of runs, which says of what it is.
    pub(super) fn run_name(&self) -> String {
        match self.when {
            _ if self.column.name == self.of => self.of.to_string(),
            When::Last => format!("{}_last", self.of),
            When::Best => format!("{}_best", self.of),
            When::MeanOfLast5 => format!("{}_mean_of_last_5", self.of),
        }
    }
}

/// The names in comparisons of what methods are compared by, after the last epoch, on the test data and on the validation
/// data. The score that epochs are chosen by has short ones.
pub(super) fn compared_names(scores: &[Score]) -> [String; 2] {
    let compared = compared(scores);
    match compared == of_epochs(scores) {
        true => ["last", "validation"].map(str::to_owned),
        false => [Part::Test, Part::Validation].map(|part| compared.column(part)),
    }
}

/// All columns of a comparison of models that are scored so: the score that epochs are chosen by, in several ways, the
/// others after the last epoch, and what else is shown over seeds.
pub(super) fn aggregates(scores: &[Score]) -> Vec<Aggregate> {
    let (first, compared, all) = (of_epochs(scores), compared(scores), columns(scores));
    let mut aggregates = Vec::new();
    // Without a short heading it is the title.
    let mut add =
        |of: &str, name: &str, (when, words): (When, &'static str), short: Option<&'static str>| {
            if let Some(column) = all.iter().find(|column| column.name == of) {
                let short = short.map_or_else(|| column.title.clone(), Text::from);
                aggregates.push(Aggregate::new(column, name, when, words, short));
            }
        };
    let last = (When::Last, "last epoch");
    let best = (When::Best, "best epoch on validation");
    let mean = (When::MeanOfLast5, "mean of last 5");
    // On a terminal there is room for one score in all ways, or for several in one.
    let is_alone = compared == first;
    let shown = |short| Some(if is_alone { short } else { "" });
    let (test, validation) = (first.column(Part::Test), first.column(Part::Validation));
    add(&test, "last", last, is_alone.then_some("last epoch"));
    add(&test, "best", best, shown("best on validation"));
    add(&test, "mean_of_last_5", mean, shown("mean of last 5"));
    add(&validation, "validation", last, shown("validation"));
    for score in scores.iter().filter(|score| **score != first) {
        let (test, validation) = (score.column(Part::Test), score.column(Part::Validation));
        let beside = (*score != compared).then_some("");
        add(&validation, &validation, last, beside);
        add(&test, &test, last, None);
    }
    for column in &all {
        let is_there = aggregates.iter().any(|other| other.of == column.name);
        if column.over_seeds == OverSeeds::Nothing || is_there {
            continue;
        }
        // Only the training values of scores are left.
        let (words, short) = match &column.score {
            None => (last.1, column.short.clone()),
            Some(score) if is_alone && *score == first.name => ("while learned", "train".into()),
            Some(_) => ("while learned", Text::default()),
        };
        let name = &column.name;
        aggregates.push(Aggregate::new(column, name, When::Last, words, short));
    }
    aggregates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Better;

    fn names(scores: &[Score]) -> Vec<String> {
        let names = aggregates(scores).into_iter().map(|of| of.column.name);
        names.map(Text::into_owned).collect()
    }

    #[test]
    fn the_first_score_has_short_names() {
        let accuracy = Score::percent("accuracy", "");
        let bleu = Score::new("BLEU", Better::Higher, "").costly();
        let short = ["last", "best", "mean_of_last_5", "validation"];
        let sharpness = ["alpha", "psi", "lambda_max", "highest_rise"];
        let rest = [
            &["train_loss", "train_accuracy", "test_loss"][..],
            &sharpness,
        ]
        .concat();
        assert_eq!(
            names(std::slice::from_ref(&accuracy)),
            [&short[..], &rest].concat()
        );
        let both = [accuracy, bleu];
        let bleus = ["validation_bleu", "test_bleu"];
        assert_eq!(names(&both), [&short[..], &bleus, &rest].concat());
        assert_eq!(compared_names(&both)[0], "test_bleu");
        assert_eq!(compared_names(&both[..1]), ["last", "validation"]);
        let of_runs = aggregates(&both);
        let of_runs: Vec<String> = of_runs.iter().map(Aggregate::run_name).collect();
        let first = [
            "test_accuracy_last",
            "test_accuracy_best",
            "test_accuracy_mean_of_last_5",
            "validation_accuracy_last",
            "validation_bleu",
            "test_bleu",
            "train_loss",
        ];
        assert_eq!(of_runs[..first.len()], first);
        // Without a score the loss has them.
        assert_eq!(
            names(&[]),
            [&short[..], &["train_loss"], &sharpness].concat()
        );
    }
}

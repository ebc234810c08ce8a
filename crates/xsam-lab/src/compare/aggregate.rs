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

/// The name in comparisons of a score after the last epoch. The one that epochs are chosen by has a short name.
pub(super) fn name_of(scores: &[Score], score: &Score, part: Part) -> String {
    match part {
        Part::Test if *score == of_epochs(scores) => "last".to_owned(),
        Part::Validation if *score == of_epochs(scores) => "validation".to_owned(),
        part => score.column(part),
    }
}

/// All columns of a comparison of models that are scored so: the score that epochs are chosen by, in several ways, the
/// others after the last epoch, and what else is shown over seeds.
pub(super) fn aggregates(scores: &[Score]) -> Vec<Aggregate> {
    let first = of_epochs(scores);
    let all = columns(scores);
    let find = |name: &str| all.iter().find(|column| column.name == name);
    let aggregate = |column: &Column, name: &str, when: When, words: &'static str| Aggregate {
        of: column.name.clone(),
        column: Column {
            name: name.to_owned().into(),
            when: words.into(),
            ..column.clone()
        },
        when,
    };
    let short = |mut aggregate: Aggregate, short: &str| {
        aggregate.column.short = short.to_owned().into();
        aggregate
    };
    let mut aggregates = Vec::new();
    let last = "last epoch";
    // On a terminal there is room for one score in all ways, or for several in one.
    let is_alone = compared(scores) == first;
    if let Some(test) = find(&first.column(Part::Test)) {
        for (name, when, words, alone) in [
            ("last", When::Last, last, "last epoch"),
            (
                "best",
                When::Best,
                "best epoch on validation",
                "best on validation",
            ),
            (
                "mean_of_last_5",
                When::MeanOfLast5,
                "mean of last 5",
                "mean of last 5",
            ),
        ] {
            let shown = match (is_alone, when) {
                (true, _) => alone,
                (false, When::Last) => &test.title,
                (false, _) => "",
            };
            aggregates.push(short(aggregate(test, name, when, words), shown));
        }
    }
    let others = scores.iter().filter(|score| **score != first);
    let mut rest = vec![(&first, Part::Validation)];
    rest.extend(others.flat_map(|score| [(score, Part::Validation), (score, Part::Test)]));
    for (score, part) in rest {
        if let Some(column) = find(&score.column(part)) {
            let shown = match (*score == first, part) {
                (true, _) if is_alone => part.name(),
                (false, Part::Test) => &column.title,
                (false, _) if *score == compared(scores) => &column.title,
                _ => "",
            };
            let name = name_of(scores, score, part);
            aggregates.push(short(aggregate(column, &name, When::Last, last), shown));
        }
    }
    for column in &all {
        let is_there = aggregates
            .iter()
            .any(|aggregate| aggregate.of == column.name);
        if column.over_seeds == OverSeeds::Nothing || is_there {
            continue;
        }
        aggregates.push(match &column.score {
            None => aggregate(column, &column.name, When::Last, last),
            // Only the training values of scores are left.
            Some(score) => {
                let shown = if is_alone && *score == first.name {
                    "train"
                } else {
                    ""
                };
                short(
                    aggregate(column, &column.name, When::Last, "while learned"),
                    shown,
                )
            }
        });
    }
    aggregates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Better;

    fn names(scores: &[Score]) -> Vec<String> {
        let aggregates = aggregates(scores).into_iter();
        aggregates
            .map(|aggregate| aggregate.column.name.into_owned())
            .collect()
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
        let both = [accuracy.clone(), bleu.clone()];
        let bleus = ["validation_bleu", "test_bleu"];
        assert_eq!(names(&both), [&short[..], &bleus, &rest].concat());
        assert_eq!(name_of(&both, &bleu, Part::Test), "test_bleu");
        assert_eq!(name_of(&both, &accuracy, Part::Test), "last");
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

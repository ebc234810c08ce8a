//! Whether a run has learned anything.

use std::collections::BTreeMap;

use crate::metrics::Metrics;
use crate::score::{Part, Score, of_epochs};
use crate::tally::Totals;

/// A score that has come no further than this share of the way from guessing to all right, or of what guessing comes to if
/// it is not one in percent, is no better than guessing.
const NEAR_CHANCE: f64 = 0.02;

/// A training loss that is lower by less than this share has not fallen.
const LEARNED: f64 = 0.01;

/// Fewer epochs than this say nothing of whether a loss falls.
const FEWEST_EPOCHS: usize = 3;

/// What guessing comes to, by the names of scores and `loss`.
pub(crate) type Chance = BTreeMap<String, f64>;

/// The values of what a task says of guessing.
pub(crate) fn chance(guessed: Option<&Totals>, scores: &[Score]) -> Chance {
    let Some(guessed) = guessed else {
        return Chance::new();
    };
    let measured = guessed.measured(scores);
    let loss = (Score::loss().name.to_string(), measured.loss);
    measured.values.into_iter().chain([loss]).collect()
}

/// Why a run of these epochs counts as collapsed, in words; nothing if it has learned something. Without knowledge of
/// `chance` it has if its training loss is where it began, unless it began with weights that were trained before.
pub(crate) fn collapsed(
    rows: &[Metrics],
    scores: &[Score],
    chance: &Chance,
    was_trained: bool,
) -> Option<String> {
    let last = rows.last()?;
    let score = of_epochs(scores);
    if let (Some(&guess), Some(value)) = (
        chance.get(&*score.name),
        last.get(&score.column(Part::Test)),
    ) && score.name != Score::loss().name
    {
        let way = match &*score.unit {
            "%" => 1.0 - guess,
            _ => guess.abs(),
        };
        if score.better.sign() * (value - guess) <= NEAR_CHANCE * way {
            let value = score.told(value);
            return Some(format!(
                "its test {} of {value} is that of guessing",
                score.name
            ));
        }
    }
    let column = Score::loss().column(Part::Train);
    let of_training = |row: &Metrics| row.get(&column).filter(|loss| loss.is_finite());
    let loss = of_training(last)?;
    if let Some(&guess) = chance.get(&*Score::loss().name) {
        let is_guessing = loss >= guess - LEARNED * guess.abs();
        let value = Score::loss().told(loss);
        return is_guessing.then(|| format!("its training loss of {value} is that of guessing"));
    }
    let first = of_training(rows.first()?)?;
    let is_flat = loss >= first - LEARNED * first.abs();
    (rows.len() >= FEWEST_EPOCHS && !was_trained && is_flat)
        .then(|| "its training loss has not fallen since the first epoch".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::tally::Tally;

    fn rows(values: &[(f64, f64)]) -> Vec<Metrics> {
        let row = |(i, &(loss, accuracy)): (usize, &(f64, f64))| {
            let mut row = Metrics::new(i + 1);
            row.set("train_loss", loss);
            row.set("test_accuracy", accuracy);
            row
        };
        values.iter().enumerate().map(row).collect()
    }

    #[test]
    fn what_guesses_has_collapsed() {
        let scores = [Score::percent("accuracy", "")];
        let ten = chance(
            Some(Tally::new(1, 10f64.ln()).with("accuracy", 0.1).known()),
            &scores,
        );
        let told = |values: &[(f64, f64)]| collapsed(&rows(values), &scores, &ten, false);
        assert_eq!(told(&[(2.3, 0.1), (1.0, 0.9)]), None);
        // It had learned, and has lost it.
        let lost = told(&[(1.0, 0.9), (2.2, 0.103)]).unwrap();
        assert_eq!(lost, "its test accuracy of 10.3 % is that of guessing");
        let flat = told(&[(2.3, 0.2), (2.299, 0.13)]).unwrap();
        // Most are of one class: few more right are much.
        let scores = [Score::percent("accuracy", "")];
        let most = chance(
            Some(Tally::new(10, 5.0).with("accuracy", 9.0).known()),
            &scores,
        );
        let of = |accuracy| collapsed(&rows(&[(0.3, accuracy)]), &scores, &most, false);
        assert!(of(0.9).is_some() && of(0.91).is_none());
        assert_eq!(flat, "its training loss of 2.299 is that of guessing");
        assert_eq!(told(&[(2.3, 0.2), (2.2, 0.13)]), None);
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn without_chance_a_loss_has_to_fall() {
        let told =
            |values: &[(f64, f64)], trained| collapsed(&rows(values), &[], &Chance::new(), trained);
        let flat = [(5.0, 0.0), (4.0, 0.0), (4.97, 0.0)];
        let expected = "its training loss has not fallen since the first epoch";
        assert_eq!(told(&flat, false).as_deref(), Some(expected));
        assert_eq!(told(&flat, true), None);
        assert_eq!(told(&flat[..2], false), None);
        let falls = [(-5.0, 0.0), (-5.0, 0.0), (-5.2, 0.0)];
        assert_eq!(told(&falls, false), None);
        assert!(told(&[(5.0, 0.0); 3], false).is_some());
    }
}

//! Whether any two of several rows differ, over the seeds that both have.

use serde::{Deserialize, Serialize};

use crate::score::Score;
use crate::statistics::{PairedTest, Spread, holm, paired, paired_t_test, seeds_needed, wilcoxon};

/// How two rows differ, as in `compare.json`. Values are of the score that is compared, on the test data after the last
/// epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The label of the first row.
    pub first: String,
    /// The label of the second one.
    pub second: String,
    /// The seeds that both have a finite value from.
    pub seeds: usize,
    /// Mean of the second one's values minus the first one's.
    pub difference: f64,
    /// The sample standard deviation of these differences; 0 of a single one.
    pub deviation: f64,
    /// Whether the difference is zero, by itself; none if there is no answer, as from one seed.
    pub test: Option<PairedTest>,
    /// The p value of that test, corrected by Holm for all pairs that have one.
    pub p: Option<f64>,
    /// The p value of Wilcoxon's signed-rank test, corrected in the same way.
    pub wilcoxon: Option<f64>,
    /// The fewest seeds with which a difference of a point, or of another score of a hundredth, would be told with
    /// [probability](crate::statistics::POWER) 0.8, with this deviation.
    pub seeds_needed: Option<usize>,
}

/// The values of a row by seed, with its label.
pub(super) type Row<'a> = (&'a str, Vec<(u64, f64)>);

impl Pair {
    /// Of two rows, not corrected yet; none if no seed has both.
    fn new((first, a): &Row<'_>, (second, b): &Row<'_>, score: &Score) -> Option<Self> {
        let (a, b) = paired(a.iter().copied(), b.iter().copied());
        let differences = a.iter().zip(&b).map(|(a, b)| b - a);
        let Spread { mean, deviation } = Spread::of(differences)?;
        let test = paired_t_test(&a, &b);
        let all = a.iter().chain(&b).copied();
        let best = all.reduce(|best, value| match score.better.beats(value, best) {
            true => value,
            false => best,
        })?;
        Some(Self {
            first: (*first).to_owned(),
            second: (*second).to_owned(),
            seeds: a.len(),
            difference: mean,
            deviation,
            p: test.map(|test| test.p),
            wilcoxon: wilcoxon(&a, &b),
            // Without a test nothing is known of the deviation.
            seeds_needed: test.and_then(|_| seeds_needed(score.margin(best), deviation)),
            test,
        })
    }

    /// The pair the other way round.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let test = self.test.map(|test| PairedTest {
            difference: -test.difference,
            t: -test.t,
            interval: [-test.interval[1], -test.interval[0]],
            ..test
        });
        Self {
            first: self.second.clone(),
            second: self.first.clone(),
            difference: -self.difference,
            test,
            ..self.clone()
        }
    }
}

/// All pairs within each family of rows, with p values corrected for all of them.
pub(super) fn pairs(families: &[Vec<Row<'_>>], score: &Score) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for rows in families {
        for (i, first) in rows.iter().enumerate() {
            let others = rows[i + 1..].iter();
            pairs.extend(others.filter_map(|second| Pair::new(first, second, score)));
        }
    }
    correct(&mut pairs, |pair| &mut pair.p);
    correct(&mut pairs, |pair| &mut pair.wilcoxon);
    pairs
}

fn correct(pairs: &mut [Pair], p: impl Fn(&mut Pair) -> &mut Option<f64>) {
    let mut tested: Vec<&mut f64> = pairs
        .iter_mut()
        .filter_map(|pair| p(pair).as_mut())
        .collect();
    let values: Vec<f64> = tested.iter().map(|p| **p).collect();
    for (p, corrected) in tested.iter_mut().zip(holm(&values)) {
        **p = corrected;
    }
}

/// The pair of two rows, in this order.
pub(super) fn find(pairs: &[Pair], first: &str, second: &str) -> Option<Pair> {
    let is = |pair: &&Pair, a: &str, b: &str| pair.first == a && pair.second == b;
    let forth = pairs.iter().find(|pair| is(pair, first, second));
    let back = pairs.iter().find(|pair| is(pair, second, first));
    forth.cloned().or_else(|| back.map(Pair::reversed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn row<'a>(label: &'a str, values: &[f64]) -> Row<'a> {
        (label, (0..).zip(values.iter().copied()).collect())
    }

    #[test]
    fn pairs_are_corrected_for_their_number() {
        let rows = vec![
            row("a", &[0.1, 0.2, 0.3]),
            row("b", &[0.2, 0.35, 0.38]),
            row("c", &[0.9]),
        ];
        let score = Score::percent("accuracy", "");
        let alone = pairs(&[rows[..2].to_vec()], &score);
        let [ab] = &alone[..] else {
            panic!("{alone:?}")
        };
        let p = ab.test.unwrap().p;
        assert_eq!(ab.p, Some(p));
        // One seed has no p value, and is no test to correct for; of two equal ones each is of two.
        let twice = pairs(&[rows.clone(), rows[..2].to_vec()], &score);
        assert_eq!(twice.len(), 4);
        assert_eq!(
            (twice[1].seeds, twice[1].p, twice[1].seeds_needed),
            (1, None, None)
        );
        assert!((twice[0].p.unwrap() - 2.0 * p).abs() < 1e-12);

        let back = find(&alone, "b", "a").unwrap();
        assert_eq!(back.difference, -ab.difference);
        let [low, high] = back.test.unwrap().interval;
        assert!(low < back.difference && back.difference < high);
        assert_eq!(back.reversed(), *ab);
        assert!(find(&alone, "a", "c").is_none());
    }
}

//! What came out of a comparison: which method is best, by how much, and whether chance explains it.

use super::judged::Judged;
use super::page::{Figure, Page};
use super::source::{ComparisonSource, MethodSource, RunSource};
use xsam_lab::numbers::{PAGE, count, p_value};
use xsam_lab::statistics::{PairedTest, SIGNIFICANT, Spread, mean, paired, paired_t_test};

/// How a method compares with another one, over the seeds that both have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    pub(super) seeds: usize,
    /// Mean of the differences, the method's value minus the other one's.
    pub(super) mean: f64,
    /// None if there is no answer, as from one seed.
    pub(super) test: Option<PairedTest>,
    /// The p value that is told: that of the test, or corrected for all pairs of methods.
    p: Option<f64>,
}

impl Difference {
    /// Of `method` from `base`; none if no seed has both.
    pub(super) fn new(base: &MethodSource, method: &MethodSource, score: &Judged) -> Option<Self> {
        let of_run = |run: &RunSource| score.of_run(run);
        let (first, second) = paired(base.values(of_run), method.values(of_run));
        let differences = first.iter().zip(&second).map(|(a, b)| b - a);
        let test = paired_t_test(&first, &second);
        Some(Self {
            seeds: first.len(),
            mean: mean(differences)?,
            p: test.map(|test| test.p),
            test,
        })
    }

    /// The same with the p value that is corrected for all pairs, as both are chosen after the fact.
    fn corrected(
        source: &ComparisonSource,
        base: &MethodSource,
        method: &MethodSource,
        score: &Judged,
    ) -> Option<Self> {
        let pairs = &source.summary.pairs;
        let both = [base.label(), method.label()];
        let pair = pairs
            .iter()
            .find(|pair| both.contains(&&*pair.first) && both.contains(&&*pair.second));
        let found = Self::new(base, method, score)?;
        let p = pair.map_or(found.p, |pair| pair.p);
        Some(Self { p, ..found })
    }

    /// The p value and over how many seeds, in brackets.
    fn evidence(self) -> String {
        let seeds = count(self.seeds, "seed", "seeds");
        match self.p {
            Some(p) => format!("({}, {seeds})", p_value(p)),
            None => format!("({seeds})"),
        }
    }

    /// The end of a headline: how far it is ahead of `base`, which may be the next one, and whether that may be chance.
    fn told(self, base: &MethodSource, score: &Judged, is_next: bool) -> String {
        let by = score.difference(self.mean);
        let more = if self.mean < 0.0 { "less" } else { "more" };
        let next = if is_next { ", the next" } else { "" };
        let chance = match self.p {
            Some(p) if p >= SIGNIFICANT => " That may be chance.",
            _ => "",
        };
        let (base, evidence) = (base.label(), self.evidence());
        format!("{by} {more} than {base}{next} {evidence}.{chance}")
    }
}

/// A method that has a score, and what it is.
type Ranked<'a> = (&'a MethodSource, Spread);

/// The methods that have a score, the best one first; of a sweep each with its best value.
pub(super) fn ranked<'a>(source: &'a ComparisonSource, score: &Judged) -> Vec<Ranked<'a>> {
    let methods = source.drawn().into_iter();
    let ranked = methods.filter_map(|(_, method)| Some((method, score.of_method(source, method)?)));
    let mut ranked: Vec<Ranked<'_>> = ranked.collect();
    // Stable: of equals the one that is first in the table.
    ranked.sort_by(|(_, a), (_, b)| score.better.order(a.mean, b.mean));
    ranked
}

/// The beginning of the page: headline, lead, remark and key figures.
pub(super) fn outcome(source: &ComparisonSource, score: &Judged) -> Page {
    let ranking = ranked(source, score);
    let Some((&(best, spread), others)) = ranking.split_first() else {
        return Page {
            headline: format!("No run has a {} yet.", score.title()),
            ..Page::default()
        };
    };
    let value = score.spread(Some(spread), best.summary.runs);
    let mut page = Page {
        figures: vec![Figure::new(
            format!("best by {}", score.title()),
            best.label(),
            format!("{value} {}", score.column.unit).trim_end(),
        )],
        ..Page::default()
    };
    // Against the first method, or if that is best against the next one.
    let first = source.methods.first();
    let first = first.filter(|first| {
        // Of a sweep it is one of many.
        first.label() != best.label() && source.summary.sweep.is_none()
    });
    let base = first.or(others.first().map(|(next, _)| *next));
    let difference = base.and_then(|base| {
        let difference = Difference::corrected(source, base, best, score)?;
        Some((base, difference))
    });
    let reached = format!("{} {}", score.told(spread.mean), score.title());
    let label = best.label();
    if let Some((base, difference)) = difference {
        let ahead = difference.told(base, score, first.is_none());
        page.headline = match first {
            Some(_) => format!("{label} is best with {reached}, {ahead}"),
            None => format!("No method is better than {label} with {reached}, {ahead}"),
        };
        explain(&mut page, source, difference, (best, base), others, score);
    } else {
        let seeds = count(best.summary.runs, "seed", "seeds");
        page.headline = format!("{label} reached {reached} ({seeds}).");
    }
    page.figures.extend(cost(source, best));
    let sentences = &source.summary.sentences;
    match (&source.summary.sweep, &sentences[..]) {
        (Some(_), [headline, lead @ ..]) => {
            page.headline.clone_from(headline);
            page.lead = lead.join(" ");
        }
        _ => {
            page.lead = [&[page.lead], &sentences[..]]
                .concat()
                .join(" ")
                .trim()
                .to_owned()
        }
    }
    if let Some(needed) = &source.summary.seeds_needed {
        page.remark = format!("{} {needed}", page.remark).trim().to_owned();
    }
    page
}

/// What is to be known of the difference of the best method from another one.
fn explain(
    page: &mut Page,
    source: &ComparisonSource,
    difference: Difference,
    (best, base): (&MethodSource, &MethodSource),
    others: &[Ranked<'_>],
    score: &Judged,
) {
    let unit = match score.points() {
        "" => score.column.score.as_deref().unwrap_or_default(),
        points => points,
    };
    let seeds = count(difference.seeds, "seed", "seeds");
    page.figures.push(Figure::new(
        format!("against {}", base.label()),
        PAGE.signed(difference.mean, score.column.digits),
        format!("{unit}, mean over {seeds}"),
    ));
    if let Some(test) = difference.test {
        let freedom = difference.seeds - 1;
        let freedom = count(freedom, "degree of freedom", "degrees of freedom");
        let t = PAGE.fixed(test.t, 2);
        let note = format!("t = {t}, {freedom}");
        let p = difference.p.unwrap_or(test.p);
        page.figures
            .push(Figure::new("paired t-test", p_value(p), note));
    }
    page.remark = match (difference.test, difference.seeds, others.len()) {
        (Some(_), _, 2..) => format!(
            "p is the probability of a difference at least so large if both methods were equally good, corrected for the \
             {} pairs of methods that there are.",
            source.summary.pairs.len()
        ),
        (Some(_), ..) => {
            "p is the probability of a difference at least so large if both methods were equally good.".to_owned()
        }
        (None, 1, _) => "From one seed nothing is known of chance: no p value.".to_owned(),
        (None, ..) => "The difference is the same from every seed: no p value.".to_owned(),
    };
    if let Some(&(next, spread)) = others.first()
        && next.label() != base.label()
        && let Some(behind) = Difference::corrected(source, next, best, score)
    {
        page.lead = format!(
            "Next is {} with {}, {} behind {}.",
            next.label(),
            score.told(spread.mean),
            score.difference(behind.mean),
            behind.evidence(),
        );
    }
}

/// What the best method costs in relation to the first.
fn cost(source: &ComparisonSource, best: &MethodSource) -> Option<Figure> {
    let first = source.methods.first()?;
    let of_best = best.summary.seconds_per_epoch?;
    let of_first = first.summary.seconds_per_epoch?;
    let [told, told_of_first] = [of_best, of_first].map(|seconds| PAGE.duration(seconds));
    let (value, note) = match first.label() == best.label() {
        true => (told, "median of its epochs".to_owned()),
        false => (
            format!("× {}", PAGE.fixed(of_best / of_first, 2)),
            format!("{told} against {told_of_first}"),
        ),
    };
    Some(Figure::new("time of an epoch", value, note))
}

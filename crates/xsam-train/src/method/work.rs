//! How often a run of a method goes through its model.

use crate::spec::{MethodSpec, Search, SearchKind};

/// What the steps of a run are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// Steps.
    pub(crate) steps: usize,
    /// Those of them that ascend: all or, of a method that looks back, some; none without an ascent.
    pub(crate) ascending: usize,
    /// Forward-backward passes of a step that ascends.
    pub(crate) gradients: usize,
    /// Steps that search, on one batch each.
    pub(crate) searches: usize,
    /// Forward passes of such a search.
    pub(crate) losses: usize,
}

impl Work {
    /// Of `epochs` epochs of `steps` steps each with the method of a resolved spec.
    ///
    /// Of an adaptive schedule, whose searches nobody knows before, those are counted that there are if alpha does not
    /// move: the fewest.
    pub(crate) fn of(spec: &MethodSpec, epochs: usize, steps: usize) -> Self {
        let all = epochs.saturating_mul(steps);
        // Without a length nothing is ascended, and there is no arc to search.
        let ascends = spec.rho.is_some_and(|rho| rho > 0.0);
        let searches = match spec.search.filter(|_| ascends) {
            Some(Search::EveryEpoch) => epochs,
            // The first step has one.
            Some(Search::EverySteps) => all.div_ceil(spec.search_every.unwrap_or(1).max(1)),
            Some(Search::Adaptive) => still(spec, all),
            Some(Search::Never) | None => 0,
        };
        let positions = spec.grid.as_ref().map_or(0, Vec::len);
        let refined = usize::from(spec.search_kind == Some(SearchKind::Parabola));
        let ascending = match ascends {
            true => all.div_ceil(spec.look_every.unwrap_or(1).max(1)),
            false => 0,
        };
        let batches = spec.search_batches.unwrap_or(1);
        Self {
            steps: all,
            ascending,
            gradients: 1 + spec.ascent_steps.filter(|_| ascends).unwrap_or_default(),
            searches: searches.saturating_mul(batches).min(ascending),
            losses: positions + refined,
        }
    }

    /// All forward-backward passes.
    pub(crate) fn gradient_passes(&self) -> usize {
        let further = self.ascending.saturating_mul(self.gradients - 1);
        self.steps.saturating_add(further)
    }

    /// All forward passes of searches.
    pub(crate) fn search_passes(&self) -> usize {
        self.searches.saturating_mul(self.losses)
    }
}

/// Searches of an adaptive schedule whose alpha stays where it is.
fn still(spec: &MethodSpec, steps: usize) -> usize {
    let shortest = spec.search_shortest.unwrap_or(1).max(1);
    let longest = spec.search_longest.unwrap_or(shortest).max(shortest);
    let (mut next, mut interval, mut searches) = (0, shortest, 0);
    while next < steps && interval < longest {
        searches += 1;
        interval = interval.saturating_mul(2).min(longest);
        next = steps.min(next.saturating_add(interval));
    }
    searches + (steps - next).div_ceil(longest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::method::resolved;
    use crate::spec::Spec;

    fn work(settings: &[&str]) -> (usize, usize) {
        let settings: Vec<String> = settings.iter().map(|s| format!("method.{s}")).collect();
        let spec = Spec::parse("", &settings).unwrap().0;
        let work = Work::of(&resolved(&spec.method).unwrap(), 10, 7);
        (work.gradient_passes(), work.search_passes())
    }

    #[test]
    fn passes_are_those_of_the_methods() {
        assert_eq!(work(&["name=sgd"]), (70, 0));
        assert_eq!(work(&["name=sam"]), (140, 0));
        assert_eq!(work(&["name=sam", "rho=0"]), (70, 0));
        assert_eq!(work(&["name=msam"]), (280, 0));
        assert_eq!(work(&["name=xsam"]), (140, 210));
        assert_eq!(work(&["name=xsam", "rho=0"]), (70, 0));
        assert_eq!(work(&["name=xsam", "alpha=1.2"]), (140, 0));
        assert_eq!(work(&["name=xsam", "search_kind=parabola"]), (140, 70));
        assert_eq!(work(&["name=xsam", "search_batches=2"]), (140, 420));
        assert_eq!(
            work(&["name=xsam", "search=every-steps", "search_every=20"]),
            (140, 84)
        );
        // Steps 0, 20 and 60: the distances double.
        assert_eq!(work(&["name=xsam", "search=adaptive"]), (140, 63));
        // As many as there are steps that ascend, and no more.
        assert_eq!(
            work(&["name=xsam", "search_batches=9223372036854775807"]),
            (140, 70 * 21)
        );
        // Whole steps are 0, 5, .., 65.
        assert_eq!(work(&["name=looksam"]), (84, 0));
        assert_eq!(work(&["name=look-xsam", "ascent_steps=2"]), (98, 210));
    }
}

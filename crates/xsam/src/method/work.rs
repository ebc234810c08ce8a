//! How often a run goes through its model.

/// What the steps of a run are made of: of some a pass, of others an ascent besides, and of some a search.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Work {
    /// All steps of the run.
    pub steps: usize,
    /// Those of them that ascend: all or, of a method that looks back, some; none without an ascent.
    pub ascending: usize,
    /// Forward-backward passes of a step that ascends.
    pub gradients: usize,
    /// What share of the samples the further ones of them are over. If it is not 1, there is a forward pass over all samples
    /// besides, which chooses them.
    pub share: f64,
    /// Steps that search, on one batch each.
    pub searches: usize,
    /// Forward passes of such a search.
    pub losses: usize,
}

impl Work {
    /// So many steps of a forward-backward pass each.
    pub fn new(steps: usize) -> Self {
        Self {
            steps,
            ascending: 0,
            gradients: 1,
            share: 1.0,
            searches: 0,
            losses: 0,
        }
    }

    /// With an ascent of `ascent_steps` steps in every `every`-th step, from the first. Without a length, rho, there is
    /// none.
    #[must_use]
    pub fn with_ascent(mut self, rho: f64, ascent_steps: usize, every: usize) -> Self {
        if rho > 0.0 {
            self.ascending = self.steps.div_ceil(every.max(1));
            self.gradients = ascent_steps.saturating_add(1);
        }
        self
    }

    /// With this share of the samples in the further passes of a step that ascends.
    #[must_use]
    pub fn with_share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// With so many searches of `losses` forward passes each. No step searches that does not ascend, and none twice.
    #[must_use]
    pub fn with_searches(mut self, searches: usize, losses: usize) -> Self {
        self.searches = searches.min(self.ascending);
        self.losses = losses;
        self
    }

    /// Forward-backward passes of all steps together, rounded up.
    pub fn gradient_passes(&self) -> usize {
        let further = self.ascending.saturating_mul(self.gradients - 1);
        let further = match self.share {
            1.0 => further,
            share => (further as f64 * share).ceil() as usize,
        };
        self.steps.saturating_add(further)
    }

    /// All forward passes without a gradient: those of searches, and those that choose samples.
    pub fn search_passes(&self) -> usize {
        let choosing = match self.share {
            1.0 => 0,
            _ => self.ascending,
        };
        let searching = self.searches.saturating_mul(self.losses);
        searching.saturating_add(choosing)
    }
}

#[cfg(test)]
mod tests {
    use crate::method::MethodSpec;
    use crate::{
        EsamConfig, LookSamConfig, LookXsamConfig, MsamConfig, SamConfig, SearchSchedule,
        SgdOnlyConfig, XsamConfig,
    };

    fn work(config: impl Into<MethodSpec>) -> (usize, usize) {
        let work = config.into().work(10, 7);
        (work.gradient_passes(), work.search_passes())
    }

    #[test]
    fn passes_are_those_of_the_methods() {
        let xsam = XsamConfig::new;
        assert_eq!(work(SgdOnlyConfig::new()), (70, 0));
        assert_eq!(work(SamConfig::new()), (140, 0));
        assert_eq!(work(SamConfig::new().with_rho(0.0)), (70, 0));
        assert_eq!(work(MsamConfig::new()), (280, 0));
        assert_eq!(work(EsamConfig::new().with_gamma(0.25)), (88, 70));
        assert_eq!(work(EsamConfig::new().with_gamma(1.0)), (140, 0));
        assert_eq!(work(xsam()), (140, 210));
        assert_eq!(work(xsam().with_rho(0.0)), (70, 0));
        assert_eq!(work(xsam().with_alpha(1.2)), (140, 0));
        assert_eq!(work(xsam().with_parabola(true)), (140, 70));
        assert_eq!(work(xsam().with_search_batches(2)), (140, 420));
        let every = SearchSchedule::EverySteps(20);
        assert_eq!(work(xsam().with_search(every)), (140, 84));
        // Steps 0, 20 and 60: the distances double.
        let adaptive = SearchSchedule::adaptive();
        assert_eq!(work(xsam().with_search(adaptive)), (140, 63));
        // As many as there are steps that ascend, and no more.
        assert_eq!(work(xsam().with_search_batches(usize::MAX)), (140, 70 * 21));
        // Whole steps are 0, 5, .., 65.
        assert_eq!(work(LookSamConfig::new()), (84, 0));
        assert_eq!(work(LookXsamConfig::new().with_ascent_steps(2)), (98, 210));
    }
}

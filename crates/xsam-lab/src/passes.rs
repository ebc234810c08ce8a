//! When the passes of a step began and ended.

use std::time::Instant;

use xsam::StepReport;

use crate::ranks::Ranks;
use crate::spec::Spec;

/// The forward passes of one step.
#[derive(Debug, Default)]
pub struct PassTimes {
    passes: Vec<(Instant, Instant)>,
}

/// In how many parts a batch goes through the passes of a step.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// Parts that every pass goes over, one after another.
    pub together: usize,
    /// Parts each of which has all the passes, one after another.
    pub each: usize,
}

impl Parts {
    /// A batch that is not split.
    pub const WHOLE: Self = Self {
        together: 1,
        each: 1,
    };

    /// As a spec says, of the share of one of `ranks`.
    pub(crate) fn of<S>(spec: &Spec<S>, ranks: &Ranks) -> Self {
        let own = ranks.parts(&spec.train);
        match spec.train.m_sharpness {
            None => Self {
                together: own,
                each: 1,
            },
            Some(_) => Self {
                together: 1,
                each: own,
            },
        }
    }
}

impl PassTimes {
    /// Makes a pass, and remembers when.
    pub fn of<L>(&mut self, pass: impl FnOnce() -> L) -> L {
        let begin = Instant::now();
        let loss = pass();
        self.passes.push((begin, Instant::now()));
        loss
    }

    /// Seconds of the search in the step, if there was one: from its first pass to its last, the making of
    /// the candidates between them included.
    pub fn of_search(&self, report: &StepReport, parts: Parts) -> Option<f64> {
        let searched = report.search.as_ref()?.losses.len() * parts.together;
        // Its passes are the last ones of a batch, or of the first part of one.
        let last = match parts.each {
            1 => self.passes.len(),
            each => (self.passes.len() - searched.min(self.passes.len())) / each + searched,
        };
        let searching = &self.passes[last.saturating_sub(searched)..last];
        match (searching.first(), searching.last()) {
            (Some((begin, _)), Some((_, end))) => Some(end.duration_since(*begin).as_secs_f64()),
            _ => Some(0.0),
        }
    }
}

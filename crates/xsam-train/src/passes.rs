//! When the passes of a step began and ended.

use std::time::Instant;

use xsam::StepReport;

/// The forward passes of one step.
#[derive(Debug, Default)]
pub(crate) struct PassTimes {
    passes: Vec<(Instant, Instant)>,
}

impl PassTimes {
    /// Makes a pass, and remembers when.
    pub(crate) fn of<L>(&mut self, pass: impl FnOnce() -> L) -> L {
        let begin = Instant::now();
        let loss = pass();
        self.passes.push((begin, Instant::now()));
        loss
    }

    /// Seconds of the search in the step, if there was one: from its first pass to its last, the making of
    /// the candidates between them included. Its passes are the last of the step.
    pub(crate) fn of_search(&self, report: &StepReport) -> Option<f64> {
        let searched = report.search.as_ref()?.losses.len();
        let searching = &self.passes[self.passes.len().saturating_sub(searched)..];
        match (searching.first(), searching.last()) {
            (Some((begin, _)), Some((_, end))) => Some(end.duration_since(*begin).as_secs_f64()),
            _ => Some(0.0),
        }
    }
}

//! XSAM: away from the direction in which the loss is highest.

use super::{Context, Method, MethodConfig, MethodState, Update};
use crate::ascent::{Ascent, Keep, Scaling};
use crate::check;
use crate::error::{ConfigError, RecordError, StepError};
use crate::objective::{Evaluation, Objective};
use crate::plane::Plane;
use crate::report::StepReport;
use crate::search::{Grid, SearchReport, SearchSchedule};

/// XSAM, explicit sharpness-aware minimization (Chen, Zhou, ICLR 2026, arXiv 2603.10048).
///
/// The gradient at SAM's ascent point is a poor guide to where, near the weights, the loss is
/// highest. XSAM searches for it in the plane of the displacement and that gradient:
///
/// ```text
/// theta_k, g_k   by k ascent steps, as in SAM
/// v0 = (theta_k - theta_0) / |theta_k - theta_0|,   v1 = g_k / |g_k|,   psi = angle(v0, v1)
/// v(alpha) = sin((1 - alpha) psi) / sin(psi) v0 + sin(alpha psi) / sin(psi) v1
/// now and then:  alpha = argmax over the grid of L(theta_0 + rho_max v(alpha)), the same batch
/// the base optimizer steps from theta_0 with |g_k| v(alpha)
/// ```
///
/// `alpha = 1` is SAM, bit for bit; `alpha = 0` takes the displacement's direction ("SGD+" in the
/// paper). The arc is Euclidean also when the ascent is adaptive. Where `v0` and `v1` are parallel
/// every point is `v0`; where they are opposite there is no plane, and `v1` is taken; in both cases
/// the search waits for the next step. Where `g_0` or `g_k` is zero the base optimizer gets it as it
/// is.
///
/// | hyper-parameter | default | range | |
/// |---|---|---|---|
/// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
/// | `rho_max` | 2 rho | finite, > 0 | distance at which the search compares losses |
/// | `ascent_steps` | 1 | >= 1 | `k` |
/// | `scaling` | `None` | | adaptive ascent, as in ASAM |
/// | `mask` | all | | the parameters that are perturbed on the way to the ascent point |
/// | `alpha` | 1 | finite | before the first search; with [`with_alpha`](Self::with_alpha) for good |
/// | `grid` | 0, 0.1, .., 2 | finite, not empty | first maximum wins |
/// | `search` | every epoch | | or every n steps, or never |
///
/// Passes: `k + 1` forward-backward, and one forward for each grid position when a search is due.
/// Full-size copies at the peak besides weights and base optimizer: 3 (ascent point, displacement,
/// gradient; a search has its candidate in the ascent point's place). The displacement of a single
/// plain step is the gradient `g_0`, and no further copy.
///
/// ```
/// use burn::optim::SgdConfig;
/// use xsam::{Grid, SearchSchedule, SharpnessAware, XsamConfig};
///
/// let xsam = XsamConfig::new()
///     .with_rho(0.2)
///     .with_grid(Grid::new((0..=10).map(|i| 0.2 * f64::from(i)).collect())?)
///     .with_search(SearchSchedule::EverySteps(100));
/// let optim = SharpnessAware::new(SgdConfig::new().init(), xsam)?;
/// assert_eq!(optim.method(), "xsam");
/// # Ok::<(), xsam::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct XsamConfig {
    ascent: Ascent,
    rho_max: Option<f64>,
    alpha: f64,
    grid: Grid,
    search: SearchSchedule,
}

impl XsamConfig {
    /// The paper's defaults.
    pub fn new() -> Self {
        Self {
            ascent: Ascent::new(0.15),
            rho_max: None,
            alpha: 1.0,
            grid: Grid::default(),
            search: SearchSchedule::default(),
        }
    }

    /// Sets the distance from the weights at which the search compares losses.
    #[must_use]
    pub fn with_rho_max(mut self, rho_max: f64) -> Self {
        self.rho_max = Some(rho_max);
        self
    }

    /// Makes the ascent adaptive.
    #[must_use]
    pub fn with_scaling(mut self, scaling: Scaling) -> Self {
        self.ascent.scaling = scaling;
        self
    }

    /// Fixes alpha: no search.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self.search = SearchSchedule::Never;
        self
    }

    /// Sets the positions that a search tries.
    #[must_use]
    pub fn with_grid(mut self, grid: Grid) -> Self {
        self.grid = grid;
        self
    }

    /// Sets when alpha is searched for.
    #[must_use]
    pub fn with_search(mut self, search: SearchSchedule) -> Self {
        self.search = search;
        self
    }
}

ascent_setters!(XsamConfig);

impl Default for XsamConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl MethodConfig for XsamConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        self.ascent.check()?;
        if let Some(rho_max) = self.rho_max {
            check::positive("rho_max", rho_max)?;
        }
        check::finite("alpha", self.alpha)?;
        self.search.check()?;
        Ok(Box::new(Xsam {
            ascent: self.ascent.clone(),
            rho_max: self.rho_max.unwrap_or(2.0 * self.ascent.rho),
            grid: self.grid.clone(),
            search: self.search,
            alpha: self.alpha,
            steps: 0,
            due: self.search == SearchSchedule::EveryEpoch,
        }))
    }
}

#[derive(Clone, Debug)]
struct Xsam {
    ascent: Ascent,
    rho_max: f64,
    grid: Grid,
    search: SearchSchedule,
    alpha: f64,
    steps: u64,
    /// A search is due, and stays due until one could be made.
    due: bool,
}

impl Xsam {
    fn search(
        &self,
        plane: &Plane,
        objective: &mut dyn Objective,
        distance: f64,
    ) -> Result<SearchReport, StepError> {
        let alphas = self.grid.alphas();
        let candidates: Vec<_> = alphas
            .iter()
            .map(|&alpha| plane.terms(alpha, distance).to_vec())
            .collect();
        let losses = objective.losses(&candidates)?;
        Ok(SearchReport::new(alphas.to_vec(), losses))
    }
}

impl Method for Xsam {
    fn name(&self) -> &'static str {
        "xsam"
    }

    fn update(
        &mut self,
        start: Evaluation,
        objective: &mut dyn Objective,
        context: &Context,
        report: &mut StepReport,
    ) -> Result<Update, StepError> {
        if let SearchSchedule::EverySteps(n) = self.search {
            self.due |= self.steps.is_multiple_of(n as u64);
        }
        self.steps += 1;

        let (factor, keep) = (context.rho_factor, Keep::Displacement);
        let point = self.ascent.climb(start, objective, factor, keep, report)?;
        let norm = point.norm;
        let (Some(displacement), true) = (point.displacement, norm > 0.0) else {
            return Ok(Update {
                gradient: point.gradient,
                norm: Some(norm),
            });
        };

        let plane = Plane::new(displacement, (point.gradient, norm))?;
        if self.due && plane.has_arc() {
            let found = self.search(&plane, objective, self.rho_max * factor)?;
            self.alpha = found.best().unwrap_or(self.alpha);
            self.due = false;
            report.search = Some(found);
        }
        report.psi = Some(plane.psi());
        report.alpha = Some(self.alpha);
        Ok(Update {
            gradient: plane.direction(self.alpha),
            norm: Some(norm),
        })
    }

    fn start_epoch(&mut self) {
        self.due |= self.search == SearchSchedule::EveryEpoch;
    }

    fn state(&self) -> MethodState {
        MethodState::default()
            .with_scalar("alpha", self.alpha)
            .with_scalar("steps", self.steps)
            .with_scalar("due", self.due)
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        let alpha = state.scalar("alpha")?;
        let steps = state.scalar("steps")?;
        let due = state.scalar("due")?;
        (self.alpha, self.steps, self.due) = (alpha, steps, due);
        Ok(())
    }
}

//! XSAM: away from the direction in which the loss is highest.

use super::friendly_sam::{Average, Friendly};
use super::{Context, Method, MethodConfig, MethodState};
use crate::ascent::{Ascent, Keep};
use crate::check;
use crate::error::{ConfigError, RecordError, StepError};
use crate::objective::{Evaluation, Objective};
use crate::plane::Plane;
use crate::report::StepReport;
use crate::search::{Grid, Search, SearchConfig, SearchSchedule};
use crate::update::Update;

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
/// A search compares losses, so the loss must be one function: what is random in it must be the same in all passes of a
/// step. Dropout masks are, unless [`with_fresh_dropout`](crate::SharpnessAware::with_fresh_dropout) is asked for.
/// Random numbers that the closure draws itself (a generator that it has captured, an augmentation inside it) are not,
/// and decide alpha in the loss's place: draw them before the step.
///
/// By default there is a search in the first step of every epoch, and it is
/// [`start_epoch`](crate::SharpnessAware::start_epoch) that tells of one. A loop that never calls it searches once, for
/// good; [`StepReport::steps_without_epoch`](crate::StepReport::steps_without_epoch) tells.
///
/// | hyper-parameter | default | range | |
/// |---|---|---|---|
/// | `rho` | 0.15 | finite, >= 0 | total ascent length; 0 is the base optimizer, bit for bit |
/// | `rho_max` | 2 rho | finite, > 0 | distance at which the search compares losses |
/// | `ascent_steps` | 1 | >= 1 | `k` |
/// | `scaling` | `None` | | adaptive ascent, as in ASAM |
/// | `friendly` | none | see [`Friendly`] | friendly ascent, as in Friendly-SAM |
/// | `mask` | all | | the parameters that are perturbed on the way to the ascent point |
/// | `alpha` | 1 | finite | before the first search; with [`with_alpha`](Self::with_alpha) for good |
/// | `grid` | 0, 0.1, .., 2 | finite, not empty | first maximum wins |
/// | `search` | every epoch | | or every n steps, or as often as alpha moves, or never |
/// | `parabola` | no | | whether a parabola refines the grid |
/// | `search_batches` | 1 | >= 1 | over how many batches a search is averaged |
///
/// What goes beyond the paper (friendly ascent, the parabola, averages, the adaptive schedule) is off by default.
///
/// Passes: `k + 1` forward-backward, and one forward for each grid position when a search is due (one more with
/// the parabola).
/// Full-size copies at the peak besides weights and base optimizer: 3 (ascent point, displacement,
/// gradient; a search has its candidate in the ascent point's place). The displacement of a single
/// plain step is the gradient `g_0`, and no further copy. Friendly ascent takes 2 more: the average, which stays,
/// as it was and as it is.
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
    friendly: Option<Friendly>,
    rho_max: Option<f64>,
    search: SearchConfig,
}

impl XsamConfig {
    /// The paper's defaults.
    pub fn new() -> Self {
        Self {
            ascent: Ascent::new(0.15),
            friendly: None,
            rho_max: None,
            search: SearchConfig::default(),
        }
    }

    /// Sets the distance from the weights at which the search compares losses.
    #[must_use]
    pub fn with_rho_max(mut self, rho_max: f64) -> Self {
        self.rho_max = Some(rho_max);
        self
    }

    /// Takes the gradient's moving average out of the ascent direction.
    #[must_use]
    pub fn with_friendly(mut self, friendly: Friendly) -> Self {
        self.friendly = Some(friendly);
        self
    }

    /// Fixes alpha: no search.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.search.alpha = alpha;
        self.search.schedule = SearchSchedule::Never;
        self
    }

    /// Sets the positions that a search tries.
    #[must_use]
    pub fn with_grid(mut self, grid: Grid) -> Self {
        self.search.grid = grid;
        self
    }

    /// Sets when alpha is searched for.
    #[must_use]
    pub fn with_search(mut self, search: SearchSchedule) -> Self {
        self.search.schedule = search;
        self
    }

    /// Refines the grid by a parabola through its highest point and the neighbours of that: one more position is tried,
    /// where the parabola is highest, and taken if the loss is higher there. With [`Grid::coarse`] a search takes 7
    /// forward passes in place of 21.
    #[must_use]
    pub fn with_parabola(mut self) -> Self {
        self.search.parabola = true;
        self
    }

    /// Averages a search over the batches of so many consecutive steps, each in a plane of its own; alpha follows the
    /// mean curve from the first of them on. As many passes for each batch. A search that is due in the middle of
    /// another one begins after it.
    #[must_use]
    pub fn with_search_batches(mut self, batches: usize) -> Self {
        self.search.batches = batches;
        self
    }

    /// The method itself.
    pub(super) fn xsam(&self) -> Result<Xsam, ConfigError> {
        self.ascent.check()?;
        if let Some(rho_max) = self.rho_max {
            check::positive("rho_max", rho_max)?;
        }
        Ok(Xsam {
            ascent: self.ascent.clone(),
            average: self.friendly.map(Friendly::build).transpose()?,
            rho_max: self.rho_max.unwrap_or(2.0 * self.ascent.rho),
            search: self.search.build()?,
        })
    }
}

ascent_setters!(XsamConfig);
scaling_setter!(XsamConfig);
default_is_new!(XsamConfig);

impl MethodConfig for XsamConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        Ok(Box::new(self.xsam()?))
    }
}

/// XSAM, with its alpha.
#[derive(Clone, Debug)]
pub(super) struct Xsam {
    ascent: Ascent,
    average: Option<Average>,
    rho_max: f64,
    search: Search,
}

impl Xsam {
    /// Tells that a step is made without this method: a search that is due in it is due in the next one.
    pub(super) fn pass_over(&mut self, context: &Context, report: &mut StepReport) {
        self.search.step(context, report);
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
        self.search.step(context, report);
        let less = match &mut self.average {
            Some(average) => Some(average.with(&start.gradient)),
            None => None,
        };
        let factor = context.rho_factor;
        let mut climb = self.ascent.begin(start, factor, Keep::Displacement);
        if let Some((sigma, average)) = less {
            climb = climb.without(sigma, average);
        }
        let point = climb.top(objective, report)?;
        let norm = point.norm;
        let (Some(displacement), true) = (point.displacement, norm > 0.0) else {
            return Ok(Update::new(point.gradient, Some(norm)));
        };

        let plane = Plane::new(displacement, (point.gradient, norm))?;
        let distance = self.rho_max * factor;
        self.search
            .run(&plane, objective, distance, context, report)?;
        let alpha = self.search.alpha();
        report.psi = Some(plane.psi());
        report.alpha = Some(alpha);
        Ok(Update::new(plane.direction(alpha), Some(norm)))
    }

    fn start_epoch(&mut self) {
        self.search.start_epoch();
    }

    fn state(&self) -> MethodState {
        let state = self.search.state(MethodState::default());
        match &self.average {
            Some(average) => average.state(state),
            None => state,
        }
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        self.search.load_state(state)?;
        if let Some(average) = &mut self.average {
            average.load_state(state);
        }
        Ok(())
    }
}

//! XSAM: away from the direction in which the loss is highest.

use super::config::{Bare, method_config};
use super::friendly_sam::Average;
use super::{Context, Method, MethodState};
use crate::ascent::{Ascent, Keep};
use crate::error::{ConfigError, RecordError, StepError};
use crate::objective::Evaluation;
use crate::plane::Plane;
use crate::search::Search;
use crate::update::Update;

/// A config with what XSAM has, and with the fields of its own besides. `every` says every which step is one of XSAM.
macro_rules! xsam_config {
    (
        $(#[$meta:meta])*
        pub struct $name:ident ($method:literal) {
            every { |$config:ident| $every:expr }
            $(looks_back { $looks_back:literal })?
        }
    ) => {
        method_config! {
            $(#[$meta])*
            pub struct $name ($method) {
                ascent { rho: 0.15, ascent_steps: 1, adaptive: None }
                $(looks_back { $looks_back })?
                fields {
                    /// Refines the grid by a parabola through its highest point and the neighbours of that: one more
                    /// position is tried, where the parabola is highest, and taken if the loss is higher there.
                    with_parabola parabola: bool = false;
                    /// Averages a search over the batches of so many consecutive steps, each in a plane of its own; alpha
                    /// follows the mean curve from the first of them on. As many passes for each batch. A search that is
                    /// due in the middle of another one begins after it.
                    with_search_batches search_batches: usize = 1;
                }
                options {
                    /// Distance from the weights at which the search compares losses: twice rho if not given.
                    with_rho_max rho_max: f64;
                    /// Position on the arc before the first search; without a `search` for good.
                    with_alpha alpha: f64;
                    /// When alpha is searched for: every epoch if not given, or never if alpha is.
                    with_search search: crate::search::SearchSchedule;
                    /// The positions that a search tries, in this order, each a forward pass: 0, 0.1, .., 2 if not given,
                    /// or 0, 0.4, .., 2 with a parabola.
                    with_grid grid: Vec<f64>;
                    /// Takes the gradient's moving average out of the ascent direction.
                    with_friendly friendly: crate::method::friendly_sam::Friendly;
                    /// Leaves only those elements of the gradient in the ascent direction that stand out, from this percentile
                    /// of their standard scores on, from 0 to 1.
                    with_percentile percentile: f64;
                }
                listed {
                    fn work(&mut self, epochs: usize, steps: usize) -> crate::method::Work {
                        let $config = &*self;
                        let work = crate::method::Work::new(steps).with_ascent(self.rho, self.ascent_steps, $every);
                        let searches = self.searching().searches(epochs, steps);
                        let positions = self.positions().len() + usize::from(self.parabola);
                        work.with_searches(searches.saturating_mul(self.search_batches), positions)
                    }

                    fn resolve(&mut self) {
                        *self = self.resolved();
                    }
                }
            }
        }

        impl $name {
            /// The positions that a search tries.
            pub fn positions(&self) -> Vec<f64> {
                let default = || crate::search::positions(self.parabola);
                self.grid.clone().unwrap_or_else(default)
            }

            fn searching(&self) -> crate::search::SearchSchedule {
                use crate::search::SearchSchedule;
                let default = match self.alpha {
                    Some(_) => SearchSchedule::Never,
                    None => SearchSchedule::default(),
                };
                self.search.unwrap_or(default)
            }

            /// What the hyper-parameters come to: defaults that depend on others are filled in, and what has no effect
            /// is left out.
            #[must_use]
            pub fn resolved(&self) -> Self {
                let mut used = self.clone();
                $(used.every = Some(self.every.unwrap_or($looks_back));)?
                if self.searching() == crate::search::SearchSchedule::Never {
                    let plain = Self::default();
                    (used.rho_max, used.grid) = (None, None);
                    (used.parabola, used.search_batches) = (plain.parabola, plain.search_batches);
                    // What follows from alpha need not be said.
                    used.search = used.search.filter(|_| self.alpha.is_none());
                    return used;
                }
                used.search = Some(self.searching());
                used.grid = Some(self.positions());
                // Twice a rho of zero is no distance to search at; nor is there an ascent to search after.
                let double = (self.rho > 0.0).then_some(2.0 * self.rho);
                used.rho_max = self.rho_max.or(double);
                used
            }

            /// XSAM with these hyper-parameters.
            fn xsam(&self) -> Result<crate::method::xsam::Xsam, crate::error::ConfigError> {
                let ascent = self.ascent()?;
                if let Some(rho_max) = self.rho_max {
                    crate::check::positive("rho_max", rho_max)?;
                }
                let friendly = self.friendly;
                let average = friendly.map(|f| f.build("friendly.sigma", "friendly.lambda"));
                if let Some(percentile) = self.percentile {
                    crate::check::below_one("percentile", percentile)?;
                }
                let search = crate::search::SearchConfig {
                    alpha: self.alpha.unwrap_or(1.0),
                    grid: self.positions(),
                    parabola: self.parabola,
                    batches: self.search_batches,
                    schedule: self.searching(),
                };
                Ok(crate::method::xsam::Xsam {
                    rho_max: self.rho_max.unwrap_or(2.0 * ascent.rho),
                    ascent,
                    average: average.transpose()?,
                    percentile: self.percentile,
                    search: search.build()?,
                })
            }
        }
    };
}

pub(super) use xsam_config;

xsam_config! {
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
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `friendly` | none | see [`Friendly`](crate::Friendly) | friendly ascent, as in Friendly-SAM |
    /// | `percentile` | none | >= 0, < 1 | ascent along what stands out of the gradient, as in ZSharp |
    /// | `mask` | all | | the parameters that are perturbed on the way to the ascent point |
    /// | `alpha` | 1 | finite | before the first search; given without `search` for good |
    /// | `grid` | 0, 0.1, .., 2; with a parabola 0, 0.4, .., 2 | 1 to 1000 finite positions, with a parabola 3 or more | first maximum wins |
    /// | `search` | every epoch; never if `alpha` is given | see [`SearchSchedule`](crate::SearchSchedule) | or every n steps, or as often as alpha moves, or never |
    /// | `parabola` | no | | whether a parabola refines the grid |
    /// | `search_batches` | 1 | >= 1 | over how many batches a search is averaged |
    ///
    /// What goes beyond the paper (friendly ascent, ZSharp's, the parabola, averages, the adaptive schedule) is off by default.
    ///
    /// Passes: `k + 1` forward-backward, and one forward for each grid position when a search is due (one more with
    /// the parabola: 7 with its own grid in place of 21).
    /// Full-size copies at the peak besides weights and base optimizer: 3 (ascent point, displacement,
    /// gradient; a search has its candidate in the ascent point's place). The displacement of a single
    /// plain step is the gradient `g_0`, and no further copy. Friendly ascent takes 2 more: the average, which stays,
    /// as it was and as it is; a percentile takes those of [`ZSharpConfig`](crate::ZSharpConfig).
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{SearchSchedule, SharpnessAware, XsamConfig};
    ///
    /// let xsam = XsamConfig::new()
    ///     .with_rho(0.2)
    ///     .with_grid((0..=10).map(|i| 0.2 * f64::from(i)).collect())
    ///     .with_search(SearchSchedule::EverySteps(100));
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), xsam)?;
    /// assert_eq!(optim.method(), "xsam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct XsamConfig ("xsam") {
        every { |_config| 1 }
    }
}

impl Bare for XsamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        Ok(Box::new(self.xsam()?))
    }
}

/// XSAM, with its alpha.
#[derive(Clone, Debug)]
pub(super) struct Xsam {
    pub(super) ascent: Ascent,
    pub(super) average: Option<Average>,
    pub(super) percentile: Option<f64>,
    pub(super) rho_max: f64,
    pub(super) search: Search,
}

impl Xsam {
    /// Tells that a step is made without this method: a search that is due in it is due in the next one.
    pub(super) fn pass_over(&mut self, step: &mut Context<'_>) {
        self.search.step(step);
    }

    /// The update, and whether it is a position on an arc: there is none where there was nothing to ascend along.
    pub(super) fn turned(
        &mut self,
        start: Evaluation,
        step: &mut Context<'_>,
    ) -> Result<(Update, bool), StepError> {
        self.search.step(step);
        let less = match &mut self.average {
            Some(average) => Some(average.with(&start.gradient)),
            None => None,
        };
        let mut climb = self
            .ascent
            .begin(start, step.rho_factor, Keep::Displacement);
        if let Some((sigma, average)) = less {
            climb = climb.without(sigma, average);
        }
        if let Some(percentile) = self.percentile {
            climb = climb.significant(percentile);
        }
        let point = climb.top(step)?;
        let norm = point.norm;
        let (Some(displacement), true) = (point.displacement, norm.exceeds(0.0)) else {
            self.search.without_arc(step)?;
            return Ok((Update::new(point.gradient, Some(norm)), false));
        };

        let gradient = (point.gradient, norm.clone());
        let plane = Plane::new(displacement, gradient, &step.readings)?;
        let distance = self.rho_max * step.rho_factor;
        self.search.run(&plane, distance, step)?;
        let alpha = self.search.alpha();
        step.report.psi = Some(plane.psi().clone());
        step.report.alpha = Some(alpha);
        Ok((Update::new(plane.direction(alpha), Some(norm)), true))
    }
}

impl Method for Xsam {
    fn name(&self) -> &'static str {
        XsamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        Ok(self.turned(start, step)?.0)
    }

    fn start_epoch(&mut self) {
        self.search.start_epoch();
    }

    fn keeps_gradients(&self) -> bool {
        self.average.is_some()
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

//! GAM: the loss, and the largest norm of its gradient nearby.

use super::config::{Bare, method_config};
use super::{Context, Method, Work};
use crate::ascent::{Ascent, Keep};
use crate::check;
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::update::Update;

method_config! {
    /// GAM, gradient norm aware minimization (Zhang et al., CVPR 2023, arXiv 2303.03108, Algorithm 1).
    ///
    /// First-order flatness is rho times the largest norm of the gradient within rho. Its gradient is that of the norm, at the
    /// point that the norm is largest at. Products with the Hessian are differences of gradients at a distance of rho, as in the
    /// published code:
    ///
    /// ```text
    /// f = g(theta_0 + rho g_0 / |g_0|) - g_0             along the gradient of |g|, at the weights
    /// theta_1 = theta_0 + rho f / |f|                    where |g| is large
    /// h = g(theta_1 + rho g_1 / |g_1|) - g_1             rho times the gradient of |g| there
    /// the base optimizer steps from theta_0 with g_0 + a h
    /// ```
    ///
    /// `a = 0` is the base optimizer, at four times its price. Where the gradient is the same all around, so that there is no `f`,
    /// the step is the base optimizer's. The paper puts a weighted sum of this with SAM's gradient on top, and a decomposition;
    /// neither is here.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | the radius, and the distance of differences; 0 is the base optimizer, bit for bit |
    /// | `alpha` | 1 | finite, >= 0 | `a` |
    /// | `adaptive` | `None` | | steps as those of ASAM's ascent |
    /// | `mask` | all | | the parameters that are perturbed |
    ///
    /// Passes: 4 forward-backward. Full-size copies at the peak besides weights and base optimizer: 4 (`g_0`, `g_1`, ascent point,
    /// gradient).
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{GamConfig, SharpnessAware};
    ///
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), GamConfig::new().with_alpha(0.5))?;
    /// assert_eq!(optim.method(), "gam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct GamConfig ("gam") {
        ascent { rho: 0.15, adaptive: None }
        fields {
            /// The weight of the gradient's norm.
            with_alpha alpha: f64 = 1.0;
        }
        listed {
            fn work(&mut self, _epochs: usize, steps: usize) -> Work {
                Work::new(steps).with_ascent(self.rho, 3, 1)
            }
        }
    }
}

impl Bare for GamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        check::non_negative("alpha", self.alpha)?;
        let ascent = self.ascent()?;
        let mut double = ascent.clone();
        (double.rho, double.steps) = (2.0 * ascent.rho, 2);
        Ok(Box::new(Gam {
            ascent,
            double,
            alpha: self.alpha,
        }))
    }
}

#[derive(Clone, Debug)]
struct Gam {
    /// From the weights along `g_0`.
    ascent: Ascent,
    /// From the weights along `f`, and from there along `g_1`.
    double: Ascent,
    alpha: f64,
}

impl Method for Gam {
    fn name(&self) -> &'static str {
        GamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let first = start.clone();
        let ahead = self.ascent.climb(start, step, Keep::Gradient)?;
        if !ahead.ascended {
            return Ok(Update::new(first.gradient, Some(first.norm)));
        }
        let change = ahead.gradient.combine(1.0, &first.gradient, -1.0);
        let norm = step.readings.norm(&change)?;
        let noise = change.rounding() * ahead.norm.max(&first.norm);
        if !norm.exceeds(noise) {
            return Ok(Update::new(first.gradient, Some(first.norm)));
        }
        // What a step tells of its ascent is told by the one along the gradient, and a budget of loss was for it.
        let (report, rise) = (step.report.clone(), step.rise.take());
        step.loss_budget = None;
        let along = Evaluation {
            loss: first.loss,
            gradient: change,
            norm,
        };
        let mut climb = self.double.begin(along, step.rho_factor, Keep::Gradient);
        climb.step(step)?;
        let there = climb.here().gradient.clone();
        let far = climb.top(step)?;
        (step.report, step.rise) = (report, rise);
        let change = far.gradient.combine(1.0, &there, -1.0);
        let gradient = first.gradient.combine(1.0, &change, self.alpha);
        Ok(Update::new(gradient, None))
    }
}
